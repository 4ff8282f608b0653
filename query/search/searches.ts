// The searches that this process knows: identical requests under one scope share one scan.
import type { Logger } from "pino";
import type { Config } from "../../schemas/config.ts";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import { compileSearch } from "../language/search.ts";
import { storeAway } from "./attempts.ts";
import { within } from "./deadline.ts";
import type { Freshness } from "./freshness.ts";
import { Partials } from "./partials.ts";
import { planSearch, type Plan } from "./plan.ts";
import type { Prefixes, SearchRequest } from "./request.ts";
import { Scan, sliceOptions } from "./scan.ts";
import { effectivePrefixes, joinPrefixes } from "./scope.ts";
import type { StatementPool } from "./statement-pool.ts";

/** How long a request waits, so that a quick search needs one round trip and others show something within 300 ms. */
const FAST_PATH_MS = 250;
/** How often a finished search asks whether events have come since. */
const FRESH_MS = 200;
const SWEEP_MS = 5_000;
/** A finished result nobody asks for, and a stopped scan nobody resumes. */
const KEEP_COMPLETE_MS = 60_000;
const KEEP_STOPPED_MS = 600_000;
const MAX_SCANS = 1_000;
const MAX_RUNNING = 200;
const MAX_HELD_BYTES = 512 * 1024 * 1024;
/** Of one customer: then the customer's own oldest are forgotten. */
const MAX_HELD_BYTES_OF_ONE = 128 * 1024 * 1024;

interface SearchesOptions {
  readonly config: Config;
  readonly store: StoreClient;
  readonly pool: StatementPool;
  readonly freshness: Freshness;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

interface Entry {
  readonly scan: Scan;
  readonly customer: string;
  /** Whether its first poll waited for what was acknowledged before. */
  readonly hasWaited: boolean;
  polledAt: number;
  checkedAt: number;
}

export class Searches {
  readonly #options: SearchesOptions;
  readonly #partials: Partials;
  readonly #entries = new Map<string, Entry>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: SearchesOptions) {
    this.#options = options;
    this.#partials = new Partials(options.config.LOGBOOM_SEARCH_REUSE_BYTES);
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /**
   * One poll of a search: starts, joins or resumes its scan and waits a moment for the result.
   *
   * @param waitMs how long to wait for what was acknowledged before the poll to be searchable
   * @throws LogboomError BAD_REGEX, BAD_REQUEST, RATE_LIMITED
   */
  async poll(request: SearchRequest, tokenPrefixes: Prefixes, waitMs = 0): Promise<Scan> {
    if (waitMs > 0) await this.#options.freshness.caughtUp(waitMs);
    const prefixes = effectivePrefixes(request.prefixes, tokenPrefixes);
    // Never shared between scopes: the same query may see more under another token.
    const key = `${request.fullHash}/${prefixes === undefined ? "nothing" : joinPrefixes(prefixes)}`;
    const deadline = performance.now() + FAST_PATH_MS;
    const known = this.#entries.get(key);
    const isCurrent =
      known !== undefined && (await this.#isCurrent(known, request, prefixes, waitMs > 0));
    // While the statistics were asked, another poll may have started it anew.
    const latest = this.#entries.get(key);
    const entry =
      latest !== undefined && (isCurrent || latest !== known)
        ? latest
        : this.#start(key, request, prefixes, waitMs > 0);
    entry.polledAt = Date.now();
    // Recently polled last: the first entries are the ones to forget.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.scan.touch();
    await entry.scan.settled(Math.max(0, deadline - performance.now()));
    return entry.scan;
  }

  /**
   * What a search would read, without reading it.
   *
   * @param waitMs how long to wait for what was acknowledged before to be searchable
   * @throws LogboomError BAD_REGEX, BAD_REQUEST, UNAVAILABLE
   */
  async plan(request: SearchRequest, tokenPrefixes: Prefixes, waitMs = 0): Promise<Plan> {
    const prefixes = effectivePrefixes(request.prefixes, tokenPrefixes);
    const compiled = compileSearch(request.regex);
    requireCaptures(request, compiled.captureNames);
    const { store, freshness } = this.#options;
    try {
      if (waitMs > 0) await freshness.caughtUp(waitMs);
      return await planSearch(store, request, prefixes, undefined, sliceOptions(request, compiled));
    } catch (error) {
      throw storeAway(error);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#entries.values()].map(({ scan }) => scan.stop()));
    this.#entries.clear();
  }

  #start(
    key: string,
    request: SearchRequest,
    prefixes: Prefixes | undefined,
    hasWaited: boolean,
  ): Entry {
    const { config, store, pool, freshness, instruments, logger } = this.#options;
    const { customer } = request;
    const running = [...this.#entries.values()].filter(({ scan }) => scan.isRunning);
    const own = running.filter((entry) => entry.customer === customer);
    refuseBeyond(running.length, MAX_RUNNING, "searches");
    refuseBeyond(own.length, config.LOGBOOM_SEARCH_CUSTOMER_SCANS, "searches of the customer");
    const compiled = compileSearch(request.regex);
    requireCaptures(request, compiled.captureNames);
    const scan = new Scan({
      request,
      compiled,
      prefixes,
      store,
      instruments,
      logger,
      pool,
      partials: this.#partials,
      freshness,
      idleMs: config.LOGBOOM_SEARCH_IDLE_MS,
    });
    const entry = { scan, customer, hasWaited, polledAt: Date.now(), checkedAt: Date.now() };
    this.#entries.set(key, entry);
    this.#forget();
    return entry;
  }

  /**
   * Whether a known scan still answers: a finished one only while no event came into what it covers. Whoever
   * polls it is told of its end first, even so: while events keep coming, a search that takes longer than a
   * poll would otherwise never be seen to end, and one that failed never be seen to fail.
   */
  async #isCurrent(
    entry: Entry,
    request: SearchRequest,
    prefixes: Prefixes | undefined,
    isWaiting: boolean,
  ): Promise<boolean> {
    const { scan } = entry;
    if (!scan.hasEnded) return true;
    const isPolled = Date.now() - entry.polledAt < this.#options.config.LOGBOOM_SEARCH_IDLE_MS;
    if (!scan.isShown && isPolled && (entry.hasWaited || !isWaiting)) return true;
    if (scan.hasFailed) return false;
    if (Date.now() - entry.checkedAt < FRESH_MS && !isWaiting) return true;
    try {
      // A store that hangs would be waited for until its statement's time is over.
      return await within(FAST_PATH_MS, new AbortController().signal, {
        task: (stopped) => this.#check(entry, request, prefixes, stopped),
        orElse: () => storeAway(undefined),
      });
    } catch {
      // Begun anew, it waits for a store that restarts, and says so when it does not come back.
      return false;
    }
  }

  /** Asks the statistics whether a finished scan has all that a new one would find. */
  async #check(
    entry: Entry,
    request: SearchRequest,
    prefixes: Prefixes | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, freshness } = this.#options;
    const searchableUntil = await freshness.searchableUntil();
    const plan = await planSearch(store, request, prefixes, signal, { searchableUntil });
    entry.checkedAt = Date.now();
    if (plan.signature !== entry.scan.signature) return false;
    entry.scan.confirm(searchableUntil);
    return true;
  }

  /** Forgets what is old, and the least recently polled of what is too much. */
  #forget(): void {
    const now = Date.now();
    const heldBytes = new Map<string, number>();
    let allBytes = 0;
    for (const { scan, customer } of this.#entries.values()) {
      allBytes += scan.heldBytes;
      heldBytes.set(customer, (heldBytes.get(customer) ?? 0) + scan.heldBytes);
    }
    for (const [key, { scan, customer, polledAt }] of this.#entries) {
      if (scan.isRunning) continue;
      const keepMs = scan.isComplete ? KEEP_COMPLETE_MS : KEEP_STOPPED_MS;
      const ownBytes = heldBytes.get(customer) ?? 0;
      const isTooMuch =
        this.#entries.size > MAX_SCANS ||
        allBytes > MAX_HELD_BYTES ||
        ownBytes > MAX_HELD_BYTES_OF_ONE;
      if (now - polledAt <= keepMs && !isTooMuch) continue;
      this.#entries.delete(key);
      allBytes -= scan.heldBytes;
      heldBytes.set(customer, ownBytes - scan.heldBytes);
    }
    this.#options.instruments.logboom_search_reuse_bytes.set(this.#partials.heldBytes);
  }
}

function refuseBeyond(count: number, limit: number, what: string): void {
  if (count < limit) return;
  throw new LogboomError("RATE_LIMITED", `${count} ${what} are running; the limit is ${limit}`, {
    retryAfterSeconds: 2,
    details: { limit },
  });
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
