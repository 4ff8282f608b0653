// Counts by key and window over all edges: each writes its own counts into the usage stream, and adds up what
// the others wrote.
import { randomUUID } from "node:crypto";
import type { Consumption, Log, LogRecord } from "../log/log.ts";
import {
  KEPT_AFTER_MS,
  parseUsage,
  usageKey,
  type Account,
  type Figures,
  type UsageRecord,
  type UsageWindow,
} from "./usage-record.ts";

const FLUSH_MS = 1_000;
/** Records of one append. */
const MAX_BATCH = 1_000;
/** Nobody waits longer for a count to be durable: the log may take events while it does not take this. */
const LONGEST_WAIT_MS = 1_000;

const nothing: Figures = { requests: 0, refused: 0, events: 0, bytes: 0 };

interface Count extends UsageWindow {
  own: Figures;
  /** By edge. */
  readonly others: Map<string, Figures>;
}

/** The sum over all edges. */
export interface Consumed extends UsageWindow, Figures {
  readonly account: Account;
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
  /** Of windows that run, or ended within {@link KEPT_AFTER_MS}. */
  readonly #counts = new Map<string, Count>();
  readonly #unwritten = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #following: Consumption | undefined;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(log: Log, { now = Date.now, flushMs = FLUSH_MS }: UsageOptions) {
    this.#log = log;
    this.#now = now;
    this.#timer = setInterval(() => {
      this.#forget();
      void this.flush();
    }, flushMs).unref();
  }

  /** Reads what all edges counted, also those that ended, and goes on following them. */
  static async open(log: Log, options: UsageOptions = {}): Promise<Usage> {
    const usage = new Usage(log, options);
    usage.#following = await log.follow("usage", (record) => usage.#take(record));
    return usage;
  }

  /** Requests in the window so far, on all edges as far as known here. */
  total(window: UsageWindow): number {
    const count = this.#counts.get(nameOf(window));
    if (count === undefined) return 0;
    let total = count.own.requests;
    for (const { requests } of count.others.values()) total += requests;
    return total;
  }

  add(window: UsageWindow, more: Partial<Figures>): void {
    const count = this.#countOf(window);
    count.own = sum(count.own, { ...nothing, ...more });
    this.#unwritten.add(nameOf(window));
  }

  /** What the keys of a customer consumed in the windows that are not yet answered from the store. */
  recent(customer: string): Consumed[] {
    return [...this.#counts.values()].flatMap(({ own, others, account, ...window }) =>
      account?.customer === customer
        ? [{ ...window, ...[...others.values()].reduce(sum, own), account }]
        : [],
    );
  }

  /** Writes what is counted so far. A log that does not take it now gets it later. */
  flush(): Promise<void> {
    if (this.#writing === undefined) {
      this.#writing = this.#write()
        .catch(() => undefined)
        .finally(() => (this.#writing = undefined));
      return this.#writing;
    }
    // What was counted since the write began goes with the next one, which all share.
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.flush();
    });
    return this.#next;
  }

  /** Resolves when what is counted so far is durable, or after a second. */
  async settle(): Promise<void> {
    if (this.#unwritten.size === 0 && this.#writing === undefined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LONGEST_WAIT_MS);
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#following?.close();
  }

  /** Keeps what another edge wrote. */
  #take({ value }: LogRecord): void {
    const record = parseUsage(value);
    if (record === undefined || record.edge === this.#edge || this.#isOver(record)) return;
    const { edge, requests, refused, events, bytes } = record;
    this.#countOf(record).others.set(edge, { requests, refused, events, bytes });
  }

  #isOver({ windowStart, windowMs }: UsageWindow): boolean {
    return windowStart + windowMs + KEPT_AFTER_MS <= this.#now();
  }

  #countOf({ tokenId, family, windowStart, windowMs, account }: UsageWindow): Count {
    const name = nameOf({ tokenId, family, windowStart });
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const window = { tokenId, family, windowStart, windowMs, account };
    const count = { ...window, own: nothing, others: new Map() };
    this.#counts.set(name, count);
    return count;
  }

  #forget(): void {
    for (const [name, count] of this.#counts) {
      if (this.#isOver(count) && !this.#unwritten.has(name)) this.#counts.delete(name);
    }
  }

  async #write(): Promise<void> {
    const due = [...this.#unwritten].flatMap((name) => {
      const count = this.#counts.get(name);
      return count === undefined ? [] : [{ name, count, written: count.own }];
    });
    for (let at = 0; at < due.length; at += MAX_BATCH) {
      const batch = due.slice(at, at + MAX_BATCH);
      await this.#log.append(batch.map(({ count, written }) => this.#toRecord(count, written)));
      for (const { name, count, written } of batch) {
        if (count.own === written) this.#unwritten.delete(name);
      }
    }
  }

  #toRecord({ tokenId, family, windowStart, windowMs, account }: Count, figures: Figures) {
    const window = { tokenId, family, windowStart, windowMs };
    const record: UsageRecord = {
      type: "usage",
      edge: this.#edge,
      ...window,
      ...figures,
      ...(account !== undefined && { account }),
    };
    const value = Buffer.from(JSON.stringify(record));
    return { stream: "usage" as const, partition: 0, key: usageKey(record), value };
  }
}

function nameOf({
  tokenId,
  family,
  windowStart,
}: Pick<UsageWindow, "tokenId" | "family" | "windowStart">): string {
  return `${tokenId}/${family}/${windowStart}`;
}

function sum(a: Figures, b: Figures): Figures {
  return {
    requests: a.requests + b.requests,
    refused: a.refused + b.refused,
    events: a.events + b.events,
    bytes: a.bytes + b.bytes,
  };
}
