// The searches that this process knows: identical requests under one scope share one scan.
import type { Logger } from "pino";
import type { Config } from "../../schemas/config.ts";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import { compileSearch } from "../language/search.ts";
import { planSearch } from "./plan.ts";
import type { Prefixes, SearchRequest } from "./request.ts";
import { Scan } from "./scan.ts";
import { effectivePrefixes, joinPrefixes } from "./scope.ts";
import { StatementPool } from "./statement-pool.ts";

/** How long the first request waits, so that a quick search needs one round trip. */
const FAST_PATH_MS = 300;
/** How often a finished search asks whether events have come since. */
const FRESH_MS = 200;
const SWEEP_MS = 5_000;
/** A finished result nobody asks for, and a stopped scan nobody resumes. */
const KEEP_COMPLETE_MS = 60_000;
const KEEP_STOPPED_MS = 600_000;
const MAX_SCANS = 1_000;
const MAX_RUNNING = 200;
const MAX_HELD_BYTES = 512 * 1024 * 1024;

interface SearchesOptions {
  readonly config: Config;
  readonly store: StoreClient;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

interface Entry {
  readonly scan: Scan;
  polledAt: number;
  checkedAt: number;
}

export class Searches {
  readonly #options: SearchesOptions;
  readonly #pool: StatementPool;
  readonly #entries = new Map<string, Entry>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: SearchesOptions) {
    this.#options = options;
    this.#pool = new StatementPool(options.config.LOGBOOM_SEARCH_CONCURRENCY);
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /**
   * One poll of a search: starts, joins or resumes its scan and waits a moment for the result.
   *
   * @throws LogboomError BAD_REGEX, BAD_REQUEST, RATE_LIMITED
   */
  async poll(request: SearchRequest, tokenPrefixes: Prefixes): Promise<Scan> {
    const prefixes = effectivePrefixes(request.prefixes, tokenPrefixes);
    // Never shared between scopes: the same query may see more under another token.
    const key = `${request.fullHash}/${prefixes === undefined ? "nothing" : joinPrefixes(prefixes)}`;
    const known = this.#entries.get(key);
    const entry =
      known !== undefined && (await this.#isCurrent(known, request, prefixes))
        ? known
        : this.#start(key, request, prefixes);
    entry.polledAt = Date.now();
    // Recently polled last: the first entries are the ones to forget.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.scan.touch();
    await entry.scan.settled(FAST_PATH_MS);
    return entry.scan;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#entries.values()].map(({ scan }) => scan.stop()));
    this.#entries.clear();
  }

  #start(key: string, request: SearchRequest, prefixes: Prefixes | undefined): Entry {
    const { config, store, instruments, logger } = this.#options;
    const compiled = compileSearch(request.regex);
    requireCaptures(request, compiled.captureNames);
    const running = [...this.#entries.values()].filter(({ scan }) => scan.isRunning).length;
    if (running >= MAX_RUNNING) {
      throw new LogboomError(
        "RATE_LIMITED",
        `${running} searches are running; the limit is ${MAX_RUNNING}`,
        { retryAfterSeconds: 2, details: { limit: MAX_RUNNING } },
      );
    }
    const scan = new Scan({
      request,
      compiled,
      prefixes,
      store,
      instruments,
      logger,
      pool: this.#pool,
      idleMs: config.LOGBOOM_SEARCH_IDLE_MS,
    });
    const entry = { scan, polledAt: Date.now(), checkedAt: Date.now() };
    this.#entries.set(key, entry);
    this.#forget();
    return entry;
  }

  /** Whether a known scan still answers: a finished one only while no event came into what it covers. */
  async #isCurrent(
    entry: Entry,
    request: SearchRequest,
    prefixes: Prefixes | undefined,
  ): Promise<boolean> {
    const { scan } = entry;
    if (scan.isRunning) return true;
    if (scan.hasFailed) return false;
    if (!scan.isComplete || Date.now() - entry.checkedAt < FRESH_MS) return true;
    const plan = await planSearch(this.#options.store, request, prefixes);
    entry.checkedAt = Date.now();
    return plan.signature === scan.signature;
  }

  /** Forgets what is old, and the least recently polled of what is too much. */
  #forget(): void {
    const now = Date.now();
    let heldBytes = 0;
    for (const { scan } of this.#entries.values()) heldBytes += scan.heldBytes;
    for (const [key, { scan, polledAt }] of this.#entries) {
      if (scan.isRunning) continue;
      const keepMs = scan.isComplete ? KEEP_COMPLETE_MS : KEEP_STOPPED_MS;
      const isTooMuch = this.#entries.size > MAX_SCANS || heldBytes > MAX_HELD_BYTES;
      if (now - polledAt <= keepMs && !isTooMuch) continue;
      this.#entries.delete(key);
      heldBytes -= scan.heldBytes;
    }
  }
}

function requireCaptures(request: SearchRequest, captures: readonly string[]): void {
  const needed: readonly (readonly [name: "x" | "y" | "key", isNeeded: boolean, why: string])[] = [
    ["x", request.type === "EXACT_XY_HISTOGRAM_BINNED" && request.xSplits.length > 0, "xSplits"],
    ["y", request.type === "EXACT_XY_HISTOGRAM_BINNED" && request.ySplits.length > 0, "ySplits"],
    ["key", request.type === "BACKWARD_RESULTS_ONE_PER_KEY31", `type ${request.type}`],
  ];
  for (const [name, isNeeded, why] of needed) {
    if (!isNeeded || captures.includes(name)) continue;
    throw new LogboomError(
      "BAD_REQUEST",
      `the regex has no capture "${name}", which ${why} needs; write (?<${name}>…)`,
      { details: { field: "regex", value: name } },
    );
  }
}
