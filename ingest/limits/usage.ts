// Counts requests by key and window over all edges: each writes its own counts into the usage stream, and adds
// up what the others wrote.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { endpointFamilies, type EndpointFamily } from "../../schemas/token.ts";
import type { Consumption, Log, LogRecord } from "../log/log.ts";

const FLUSH_MS = 1_000;
/** Records of one append; the others wait for the next. */
const MAX_BATCH = 1_000;
/** Records of ended windows are removed from the stream when another edge starts so long after. */
const STALE_MS = 3_600_000;

/** What one edge counted of one key's requests in one window; under the key `edge/tokenId/family`. */
const usageRecord = z.object({
  type: z.literal("usage"),
  edge: z.string().min(1),
  tokenId: z.string().min(1),
  family: z.enum(endpointFamilies),
  /** ms since the epoch */
  windowStart: z.int().nonnegative(),
  windowMs: z.int().positive(),
  requests: z.int().nonnegative(),
});
type UsageRecord = z.infer<typeof usageRecord>;

/** What is counted together. */
export interface UsageWindow {
  readonly tokenId: string;
  readonly family: EndpointFamily;
  /** ms since the epoch */
  readonly windowStart: number;
  readonly windowMs: number;
}

interface Count extends UsageWindow {
  own: number;
  readonly others: Map<string, number>;
}

interface UsageOptions {
  readonly now?: () => number;
  readonly flushMs?: number;
}

export class Usage {
  readonly #log: Log;
  readonly #now: () => number;
  /** Of this process, anew at every start: a former one's counts are those of another edge. */
  readonly #edge = randomUUID();
  /** Of the current windows, by key and family. */
  readonly #counts = new Map<string, Count>();
  readonly #unwritten = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #following: Consumption | undefined;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(log: Log, { now = Date.now, flushMs = FLUSH_MS }: UsageOptions) {
    this.#log = log;
    this.#now = now;
    this.#timer = setInterval(() => void this.flush(), flushMs).unref();
  }

  /** Reads what all edges counted, also those that ended, and goes on following them. */
  static async open(log: Log, options: UsageOptions = {}): Promise<Usage> {
    const usage = new Usage(log, options);
    const stale = new Set<string>();
    usage.#following = await log.follow("usage", (record) => {
      const isStale = usage.#take(record);
      if (record.key === undefined || usage.#following !== undefined) return;
      if (isStale) stale.add(record.key);
      else stale.delete(record.key);
    });
    await usage.#remove([...stale].slice(0, MAX_BATCH));
    return usage;
  }

  /** Requests in the window so far, on all edges as far as known here. */
  total(window: UsageWindow): number {
    const count = this.#counts.get(nameOf(window));
    if (count?.windowStart !== window.windowStart) return 0;
    let total = count.own;
    for (const requests of count.others.values()) total += requests;
    return total;
  }

  add(window: UsageWindow, requests: number): void {
    const count = this.#countOf(window);
    count.own += requests;
    this.#unwritten.add(nameOf(window));
  }

  /** Writes what changed. A log that does not take it now gets it later: no request waits for it. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write()).catch(() => undefined);
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#following?.close();
  }

  /** Adds up what an edge wrote; whether the record is of a window long ended. */
  #take({ value }: LogRecord): boolean {
    const record = parseUsage(value);
    if (record === undefined) return false;
    const { edge, requests, windowStart, windowMs } = record;
    const now = this.#now();
    if (windowStart + windowMs + STALE_MS <= now) return true;
    // A window that begins elsewhere already waits: were it taken now, this one's counts would be lost.
    const isCurrent = windowStart <= now && now < windowStart + windowMs;
    if (edge !== this.#edge && isCurrent) {
      const known = this.#counts.get(nameOf(record));
      if (known === undefined || known.windowStart <= windowStart) {
        this.#countOf(record).others.set(edge, requests);
      }
    }
    return false;
  }

  #countOf({ tokenId, family, windowStart, windowMs }: UsageWindow): Count {
    const name = nameOf({ tokenId, family });
    const known = this.#counts.get(name);
    if (known?.windowStart === windowStart) return known;
    const count = { tokenId, family, windowStart, windowMs, own: 0, others: new Map() };
    this.#counts.set(name, count);
    return count;
  }

  async #write(): Promise<void> {
    const now = this.#now();
    for (const [name, { windowStart, windowMs }] of this.#counts) {
      if (windowStart + windowMs > now) continue;
      this.#counts.delete(name);
      this.#unwritten.delete(name);
    }
    const due = [...this.#unwritten].slice(0, MAX_BATCH).flatMap((name) => {
      const count = this.#counts.get(name);
      return count === undefined ? [] : [{ name, count, requests: count.own }];
    });
    if (due.length === 0) return;
    await this.#log.append(
      due.map(({ name, count: { tokenId, family, windowStart, windowMs }, requests }) => {
        const record: UsageRecord = {
          type: "usage",
          edge: this.#edge,
          tokenId,
          family,
          windowStart,
          windowMs,
          requests,
        };
        return {
          stream: "usage" as const,
          partition: 0,
          key: `${this.#edge}/${name}`,
          value: Buffer.from(JSON.stringify(record)),
        };
      }),
    );
    for (const { name, count, requests } of due) {
      if (count.own === requests) this.#unwritten.delete(name);
    }
  }

  async #remove(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const value = Buffer.alloc(0);
    await this.#log.append(keys.map((key) => ({ stream: "usage", partition: 0, key, value })));
  }
}

function nameOf({ tokenId, family }: Pick<UsageWindow, "tokenId" | "family">): string {
  return `${tokenId}/${family}`;
}

/** Records that a later version wrote, or that cannot be read, are not this one's to judge. */
function parseUsage(value: Buffer): UsageRecord | undefined {
  try {
    return usageRecord.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
