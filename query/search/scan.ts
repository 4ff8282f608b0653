// The life of one search: planned, scanned slice by slice, stopped when nobody asks, resumed, complete.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ClickHouseError } from "@clickhouse/client";
import type { Logger } from "pino";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError, toLogboomError, type ErrorCode } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import type { CompiledSearch } from "../language/search.ts";
import { Answer } from "./answer.ts";
import { planSearch, type Plan, type Slice } from "./plan.ts";
import type { Prefixes, SearchRequest } from "./request.ts";
import { runSlice } from "./run-slice.ts";
import type { StatementPool } from "./statement-pool.ts";

/** A store that restarts is back within this many attempts. */
const ATTEMPTS = 7;
/** A store that answers with an error hardly answers better the next time. */
const ATTEMPTS_WHEN_ANSWERED = 2;
const FIRST_BACKOFF_MS = 100;
const FULL_PROGRESS = 2 ** 32;

export interface ScanOptions {
  readonly request: SearchRequest;
  readonly compiled: CompiledSearch;
  /** undefined when query and token exclude each other: then nothing matches */
  readonly prefixes: Prefixes | undefined;
  readonly store: StoreClient;
  readonly pool: StatementPool;
  readonly idleMs: number;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

/** Counters of blocks and bytes, as the reply names them. */
export interface ScanProgress {
  readonly totalBlocks: number;
  readonly relevantBlocks: number;
  readonly scannedBlocks: number;
  readonly failedBlocks: number;
  readonly scannedBytes: number;
  readonly scanProgress: number;
  readonly complete: boolean;
  readonly stopped: boolean;
  readonly error: string | null;
  readonly errorCode: ErrorCode | null;
}

type SliceState = "waiting" | "running" | "scanned" | "failed";

export class Scan {
  readonly #options: ScanOptions;
  readonly #answer: Answer;
  readonly #startedAt = performance.now();
  #plan: Plan | undefined;
  #states: SliceState[] = [];
  #scannedBlocks = 0;
  #failedBlocks = 0;
  #scannedBytes = 0;
  #isComplete = false;
  #failure: LogboomError | undefined;
  /** The scanning that is under way, if any. */
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #version = 0;
  #rendered: { readonly version: number; readonly text: string } | undefined;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#answer = new Answer(options.request);
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined || this.#failedBlocks > 0;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Changes when the statistics of what was scanned have changed; undefined before it is planned. */
  get signature(): string | undefined {
    return this.#plan?.signature;
  }

  get heldBytes(): number {
    return this.#answer.heldBytes;
  }

  /** Says that somebody wants the result: starts or resumes scanning, and puts its end off. */
  touch(): void {
    if (this.#isComplete || this.#failure !== undefined) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.stop(), this.#options.idleMs).unref();
    if (this.#running !== undefined) return;
    const stop = new AbortController();
    const done = this.#scan(stop).finally(() => {
      this.#running = undefined;
      this.#version++;
      clearTimeout(this.#idleTimer);
    });
    this.#running = { stop, done };
  }

  /** Resolves when scanning has ceased, or after the time given. */
  async settled(withinMs: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([
      this.#running?.done,
      sleep(withinMs, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    timer.abort();
  }

  /** Ends the statements under way in the store; the next touch resumes. */
  async stop(): Promise<void> {
    this.#running?.stop.abort(new Error("the search was stopped"));
    await this.#running?.done;
  }

  progress(): ScanProgress {
    const relevantBlocks = this.#plan?.relevantBlocks ?? 0;
    const doneBlocks = this.#scannedBlocks + this.#failedBlocks;
    return {
      totalBlocks: this.#plan?.totalBlocks ?? 0,
      relevantBlocks,
      scannedBlocks: this.#scannedBlocks,
      failedBlocks: this.#failedBlocks,
      scannedBytes: this.#scannedBytes,
      scanProgress:
        relevantBlocks === 0
          ? this.#plan === undefined
            ? 0
            : FULL_PROGRESS
          : Math.floor((FULL_PROGRESS * doneBlocks) / relevantBlocks),
      complete: this.#isComplete,
      stopped: this.#running === undefined,
      error: this.#failure?.message ?? null,
      errorCode: this.#failure?.code ?? null,
    };
  }

  /** The reply's JSON; made anew only when something has changed. */
  render(): string {
    if (this.#rendered?.version !== this.#version) {
      const { fullHash } = this.#options.request;
      const text = JSON.stringify({ fullHash, ...this.#answer.render(), ...this.progress() });
      this.#rendered = { version: this.#version, text };
    }
    return this.#rendered.text;
  }

  async #scan(stop: AbortController): Promise<void> {
    const { instruments, logger } = this.#options;
    const { signal } = stop;
    instruments.logboom_search_scans.inc();
    try {
      this.#plan ??= await this.#makePlan(signal);
      this.#version++;
      if (this.#states.length === 0) this.#states = this.#plan.slices.map(() => "waiting");
      const plan = this.#plan;
      const workers = Array.from({ length: this.#options.pool.limit }, () =>
        this.#work(plan, stop),
      );
      await Promise.all(workers);
      if (signal.aborted && !this.#answer.isCertain) return;
      this.#isComplete = true;
      instruments.logboom_search_seconds.observe((performance.now() - this.#startedAt) / 1000);
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = toLogboomError(error);
      logger.error({ err: error, fullHash: this.#options.request.fullHash }, "search failed");
    } finally {
      instruments.logboom_search_scans.dec();
    }
  }

  async #makePlan(signal: AbortSignal): Promise<Plan> {
    const { store, request, prefixes } = this.#options;
    try {
      return await attempt(signal, () => planSearch(store, request, prefixes, signal));
    } catch (error) {
      throw new LogboomError("UNAVAILABLE", "the store does not answer", {
        cause: error,
        retryAfterSeconds: 2,
      });
    }
  }

  /** Takes slices, newest first, until none is left or the answer is certain. */
  async #work(plan: Plan, stop: AbortController): Promise<void> {
    for (;;) {
      // What the other workers are reading cannot change the answer any more.
      if (this.#answer.isCertain) stop.abort();
      const index = this.#states.indexOf("waiting");
      const slice = plan.slices[index];
      if (stop.signal.aborted || slice === undefined) return;
      this.#states[index] = "running";
      try {
        await this.#scanSlice(index, slice, stop.signal);
      } finally {
        // Stopped on the way: the slice is scanned when the search is resumed.
        if (this.#states[index] === "running") this.#states[index] = "waiting";
      }
    }
  }

  async #scanSlice(index: number, slice: Slice, signal: AbortSignal): Promise<void> {
    const { request, compiled, prefixes, store, pool, instruments, logger } = this.#options;
    if (prefixes === undefined) throw new TypeError("a search that may see nothing has no slices");
    const queryId = () => `${request.fullHash.slice(0, 16)}-${index}-${randomUUID()}`;
    try {
      const { finds, readBytes } = await attempt(signal, () =>
        pool.run(request.customer, request.fullHash, () => {
          signal.throwIfAborted();
          const limit = Math.max(1, this.#answer.wanted);
          return runSlice({
            store,
            request,
            compiled,
            prefixes,
            slice,
            limit,
            signal,
            queryId: queryId(),
          });
        }),
      );
      if (signal.aborted) return;
      this.#states[index] = "scanned";
      this.#scannedBlocks += slice.blocks;
      const scannedBytes = Math.min(readBytes, slice.bytes);
      this.#scannedBytes += scannedBytes;
      instruments.logboom_search_blocks_total.inc({ outcome: "scanned" }, slice.blocks);
      instruments.logboom_search_scanned_bytes_total.inc(scannedBytes);
      this.#answer.add(index, finds);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LogboomError) throw error;
      this.#states[index] = "failed";
      this.#failedBlocks += slice.blocks;
      instruments.logboom_search_blocks_total.inc({ outcome: "failed" }, slice.blocks);
      logger.error({ err: error, slice, fullHash: request.fullHash }, "blocks failed to scan");
      this.#answer.add(index, undefined);
    } finally {
      this.#version++;
    }
  }
}

/** Repeats a task that fails, unless it is stopped or the failure is our own verdict. */
async function attempt<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
  let backoffMs = FIRST_BACKOFF_MS;
  for (let tries = 1; ; tries++) {
    try {
      return await task();
    } catch (error) {
      const limit = error instanceof ClickHouseError ? ATTEMPTS_WHEN_ANSWERED : ATTEMPTS;
      if (signal.aborted || error instanceof LogboomError || tries >= limit) throw error;
      await sleep(backoffMs, undefined, { signal });
      backoffMs *= 2;
    }
  }
}
