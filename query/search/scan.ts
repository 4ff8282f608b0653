// The life of one search: planned, scanned slice by slice, stopped when nobody asks, resumed, complete.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError, toLogboomError, type ErrorCode } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import type { CompiledSearch } from "../language/search.ts";
import { Answer } from "./answer.ts";
import { attempt, storeAway } from "./attempts.ts";
import type { Freshness } from "./freshness.ts";
import { isInOneBin, layoutsOf, type CellLayout } from "./cells.ts";
import { partialKeys, type Partials } from "./partials.ts";
import { planSearch, type Hour, type Plan } from "./plan.ts";
import { isCount, type Prefixes, type SearchRequest } from "./request.ts";
import { isDecidedByStore, runSlice } from "./run-slice.ts";
import {
  LARGEST_DECIDED_BYTES,
  LARGEST_SENT_BYTES,
  type Slice,
  type SliceOptions,
} from "./slices.ts";
import type { StatementPool } from "./statement-pool.ts";
import type { Finds } from "./tally.ts";

const FULL_PROGRESS = 2 ** 32;
/** The index holds texts of four bytes (schemas/tables/001-events.sql). */
const INDEXED_BYTES = 4;

export interface ScanOptions {
  readonly request: SearchRequest;
  readonly compiled: CompiledSearch;
  /** undefined when query and token exclude each other: then nothing matches */
  readonly prefixes: Prefixes | undefined;
  readonly store: StoreClient;
  readonly pool: StatementPool;
  readonly partials: Partials;
  readonly freshness: Freshness;
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
  /** ns since the epoch: everything acknowledged before is searched; null before the search is planned */
  readonly searchableUntil: string | null;
  readonly error: string | null;
  readonly errorCode: ErrorCode | null;
}

type SliceState = "waiting" | "running" | "scanned" | "failed";

export class Scan {
  readonly #options: ScanOptions;
  readonly #answer: Answer;
  readonly #startedAt = performance.now();
  #plan: Plan | undefined;
  #layouts: ReturnType<typeof layoutsOf>[] = [];
  #searchableUntil: number | undefined;
  #states: SliceState[] = [];
  #scannedBlocks = 0;
  #failedBlocks = 0;
  #scannedBytes = 0;
  #isComplete = false;
  #failure: LogboomError | undefined;
  /** The scanning that is under way, if any. */
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isShown = false;

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

  /** As the metric of requests tells it: what the search itself asks too much of is no failure of ours. */
  get outcome(): "complete" | "partial" | "refused" | "failed" {
    if (this.#isComplete) return "complete";
    if (!this.hasFailed) return "partial";
    return this.#failedBlocks === 0 && isRefusal(this.#failure) ? "refused" : "failed";
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Changes when the statistics of what was scanned have changed; undefined before it is planned. */
  get signature(): string | undefined {
    return this.#plan?.signature;
  }

  /** Says that nothing has come into the answer until then: ms since the epoch. */
  confirm(searchableUntil: number): void {
    this.#searchableUntil = searchableUntil;
  }

  /** Whether it has come to an end, good or bad; one that was stopped has not. */
  get hasEnded(): boolean {
    return !this.isRunning && (this.#isComplete || this.#failure !== undefined);
  }

  /** Whether a poll has been told of its end. */
  get isShown(): boolean {
    return this.#isShown;
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
      searchableUntil:
        this.#searchableUntil === undefined
          ? null
          : String(BigInt(Math.floor(this.#searchableUntil)) * 1_000_000n),
      error: this.#failure?.message ?? null,
      errorCode: this.#failure?.code ?? null,
    };
  }

  /** The reply's JSON, in pieces that polls share. */
  render(): readonly Buffer[] {
    this.#isShown ||= this.hasEnded;
    const { fullHash } = this.#options.request;
    return [
      Buffer.from(`{"fullHash":${JSON.stringify(fullHash)},`),
      ...this.#answer.render(),
      Buffer.from(`,${JSON.stringify(this.progress()).slice(1)}`),
    ];
  }

  async #scan(stop: AbortController): Promise<void> {
    const { instruments } = this.#options;
    const { signal } = stop;
    instruments.logboom_search_scans.inc();
    try {
      const plan = (this.#plan ??= await this.#makePlan(signal));
      if (isList(this.#options.request)) await this.#fillAlone(plan, stop);
      const work = () => this.#work(plan, stop);
      await Promise.all(Array.from({ length: this.#options.pool.width }, work));
      if (this.#failure !== undefined || (signal.aborted && !this.#answer.isCertain)) return;
      this.#isComplete = true;
      instruments.logboom_search_seconds.observe((performance.now() - this.#startedAt) / 1000);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    } finally {
      instruments.logboom_search_scans.dec();
    }
  }

  #fail(error: unknown): void {
    const { logger, request } = this.#options;
    const failure = toLogboomError(error);
    this.#failure ??= failure;
    const { fullHash } = request;
    if (isRefusal(failure)) {
      logger.info({ code: failure.code, reason: failure.message, fullHash }, "search refused");
    } else {
      logger.error({ err: error, fullHash }, "search failed");
    }
  }

  async #makePlan(signal: AbortSignal): Promise<Plan> {
    const { store, request, compiled, prefixes, freshness } = this.#options;
    try {
      // Asked before the plan is read: what the plan covers is never less than what is said.
      const searchableUntil = await attempt(signal, () => freshness.searchableUntil());
      const options = { ...sliceOptions(request, compiled), searchableUntil };
      const plan = await attempt(signal, () =>
        planSearch(store, request, prefixes, signal, options),
      );
      this.#searchableUntil = searchableUntil;
      this.#states = plan.slices.map(() => "waiting");
      this.#layouts = plan.slices.map((slice) => layoutsOf(request, slice));
      return plan;
    } catch (error) {
      throw storeAway(error);
    }
  }

  /** Most lists are full after a slice or two: reading others meanwhile would be for nothing. */
  async #fillAlone(plan: Plan, stop: AbortController): Promise<void> {
    const { limit } = this.#options.request;
    let isNearlyFull = true;
    while (isNearlyFull && (await this.#scanNext(plan, stop))) {
      const { wanted } = this.#answer;
      const next = plan.slices[this.#states.indexOf("waiting")];
      const scannedBytes = plan.slices
        .filter((_, index) => this.#states[index] === "scanned")
        .reduce((sum, { bytes }) => sum + bytes, 0);
      isNearlyFull = (next?.bytes ?? 0) * (limit - wanted) >= scannedBytes * wanted;
    }
  }

  /** Takes slices, newest first, until none is left or the answer is certain. */
  async #work(plan: Plan, stop: AbortController): Promise<void> {
    while (await this.#scanNext(plan, stop));
  }

  /** @returns false when nothing was left to scan */
  async #scanNext(plan: Plan, stop: AbortController): Promise<boolean> {
    // What the other workers are reading cannot change the answer any more.
    if (this.#answer.isCertain) stop.abort();
    const index = this.#states.indexOf("waiting");
    const slice = plan.slices[index];
    if (stop.signal.aborted || slice === undefined) return false;
    this.#states[index] = "running";
    try {
      await this.#scanSlice(index, slice, stop.signal);
    } catch (error) {
      // A failure that is not the slice's is the search's: nobody wants the other slices any more.
      this.#fail(error);
      stop.abort();
    } finally {
      // Stopped on the way: the slice is scanned when the search is resumed.
      if (this.#states[index] === "running") this.#states[index] = "waiting";
    }
    return true;
  }

  async #scanSlice(index: number, slice: Slice, signal: AbortSignal): Promise<void> {
    const { request, prefixes, partials, instruments, logger } = this.#options;
    const layouts = this.#layouts[index];
    if (prefixes === undefined || layouts === undefined) {
      throw new TypeError("a search that may see nothing has no slices");
    }
    const keyOf = partialKeys(request, prefixes, slice);
    // Statistics tell an hour's bin, and not where in it its events are, as finer layouts would have to.
    const isReusable = slice.source === "events" || layouts[0].name === "one";
    const limit = this.#limitOf(request);
    const reused = isReusable
      ? layouts
          .values()
          .map((layout) => ({ layout, finds: partials.find(keyOf(layout.name), limit) }))
          .find(({ finds }) => finds !== undefined)
      : undefined;
    const layout = reused?.layout ?? layouts[0];
    try {
      const finds = reused?.finds ?? (await this.#runSlice(index, slice, layout, prefixes, signal));
      if (finds === undefined) return;
      if (isReusable && reused === undefined) partials.keep(keyOf(layout.name), finds);
      this.#states[index] = "scanned";
      this.#scannedBlocks += slice.blocks;
      const outcome = reused === undefined ? "scanned" : "reused";
      instruments.logboom_search_blocks_total.inc({ outcome }, slice.blocks);
      this.#answer.add(index, finds, layout);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LogboomError) throw error;
      this.#states[index] = "failed";
      this.#failedBlocks += slice.blocks;
      instruments.logboom_search_blocks_total.inc({ outcome: "failed" }, slice.blocks);
      const { firstHour, lastHour } = slice;
      const { fullHash } = request;
      logger.error({ err: error, firstHour, lastHour, fullHash }, "blocks failed to scan");
      this.#answer.add(index, undefined);
    }
  }

  /** The finds of a slice; undefined when it was stopped on the way. */
  async #runSlice(
    index: number,
    slice: Slice,
    layout: CellLayout,
    prefixes: Prefixes,
    signal: AbortSignal,
  ): Promise<Finds | undefined> {
    const { request, compiled, store, pool, instruments } = this.#options;
    const { customer, fullHash } = request;
    const outcome = await attempt(signal, () =>
      pool.run(customer, fullHash, slice.bytes, (threads) => {
        signal.throwIfAborted();
        return runSlice({
          store,
          request,
          compiled,
          prefixes,
          slice,
          layout,
          limit: this.#limitOf(request),
          threads,
          signal,
          queryId: `${fullHash.slice(0, 16)}-${index}-${randomUUID()}`,
        });
      }),
    );
    if (signal.aborted) return undefined;
    const scannedBytes = Math.min(outcome.readBytes, slice.bytes);
    this.#scannedBytes += scannedBytes;
    instruments.logboom_search_scanned_bytes_total.inc(scannedBytes);
    return outcome.finds;
  }

  /** Events to be asked for; of keys always all, since newer slices may have found the same ones. */
  #limitOf({ type, limit }: SearchRequest): number {
    return type === "BACKWARD_RESULTS_ONE_PER_KEY31" ? limit : Math.max(1, this.#answer.wanted);
  }
}

/** Whether whoever searches can cure it, and nobody else. */
function isRefusal(failure: LogboomError | undefined): boolean {
  return failure !== undefined && failure.status < 500;
}

/** Counts need every slice; of those of all events most are known without reading any. */
export function sliceOptions(request: SearchRequest, compiled: CompiledSearch): SliceOptions {
  const isOfAll =
    isCount(request) &&
    compiled.matchesEverything &&
    request.xSplits.length === 0 &&
    request.ySplits.length === 0;
  const largestBytes = isDecidedByStore(request, compiled)
    ? LARGEST_DECIDED_BYTES
    : LARGEST_SENT_BYTES;
  return {
    largestBytes,
    // A count is certain only with the last slice, and newest events of keys mostly are: no need to begin small.
    ...(!isList(request) && isPrunedByIndex(compiled) && { firstBytes: largestBytes }),
    // What no other search would find yet is not counted either.
    isCounted: ({ isSettled, oldest, newest }: Hour) =>
      isOfAll && isSettled && isInOneBin(request, oldest, newest),
  };
}

function isList({ type }: SearchRequest): boolean {
  return type === "BACKWARD_RESULTS" || type === "UNSORTED_RESULTS";
}

/** Whether every event that matches holds a text of a length that the index of messages knows. */
function isPrunedByIndex({ requiredLiterals }: CompiledSearch): boolean {
  return requiredLiterals.some((texts) =>
    texts.every((text) => Buffer.byteLength(text) >= INDEXED_BYTES),
  );
}
