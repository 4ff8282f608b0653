// Brings what keys consumed from the usage stream into the store, once an hour is over.
//
// In the stream an hour stays until it has been in the store for long: who answers questions reads the newest
// hours from there, and all others from the store. What an edge wrote twice is one row there, so a repeat
// after a crash, or by two processes at once, changes nothing.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { KEPT_AFTER_MS, parseUsage, type UsageRecord } from "../ingest/limits/usage-record.ts";
import type { Log, LogRecord } from "../ingest/log/log.ts";
import type { StoreClient } from "./store/client.ts";

const HOUR_MS = 3_600_000;
/** Hours of one partition of the table. */
const PARTITION_HOURS = 720;
/** An edge writes its last counts of an hour within a second or two. */
const SETTLED_AFTER_MS = 60_000;
const INTERVAL_MS = 10_000;
const MAX_ROWS = 10_000;
const MAX_REMOVED = 1_000;

interface ConsumptionOptions {
  readonly log: Log;
  /** A client of the writing user. */
  readonly store: StoreClient;
  readonly logger: Logger;
  readonly retentionDays: number;
  readonly now?: () => number;
  readonly intervalMs?: number;
}

interface Kept {
  readonly record: UsageRecord;
  isStored: boolean;
}

export class ConsumptionKeeper {
  readonly #options: ConsumptionOptions;
  readonly #now: () => number;
  /** All that is in the stream, by its key. */
  readonly #kept = new Map<string, Kept>();
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The hour in which the retention was seen to last. */
  #droppedHour = -1;

  private constructor(options: ConsumptionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Runs until closed; a store or a log that is away for a while is waited for. */
  static start(options: ConsumptionOptions): ConsumptionKeeper {
    const keeper = new ConsumptionKeeper(options);
    keeper.#running = keeper.#run();
    return keeper;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, logger, intervalMs = INTERVAL_MS } = this.#options;
    const { signal } = this.#stop;
    let following;
    while (!signal.aborted) {
      try {
        following ??= await log.follow("usage", (record) => this.#take(record));
        await this.#store();
        await this.#remove();
        await this.#dropExpired();
      } catch (error) {
        logger.warn({ err: error }, "consumption not stored; trying again");
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
    await following?.close();
  }

  #take({ key, value }: LogRecord): void {
    if (key === undefined) return;
    const record = parseUsage(value);
    // A count that came late is stored again.
    if (record === undefined) this.#kept.delete(key);
    else this.#kept.set(key, { record, isStored: record.account === undefined });
  }

  async #store(): Promise<void> {
    const due = [...this.#kept.values()].filter(
      ({ record, isStored }) => !isStored && this.#isOver(record, SETTLED_AFTER_MS),
    );
    for (let at = 0; at < due.length; at += MAX_ROWS) {
      const batch = due.slice(at, at + MAX_ROWS);
      await this.#options.store.insert({
        table: "consumption",
        values: batch.map(({ record }) => toRow(record)),
        format: "JSONEachRow",
      });
      for (const kept of batch) kept.isStored = true;
    }
  }

  async #remove(): Promise<void> {
    const over = [...this.#kept].filter(
      ([, { record, isStored }]) => isStored && this.#isOver(record, KEPT_AFTER_MS),
    );
    for (let at = 0; at < over.length; at += MAX_REMOVED) {
      const batch = over.slice(at, at + MAX_REMOVED);
      const value = Buffer.alloc(0);
      await this.#options.log.append(
        batch.map(([key]) => ({ stream: "usage" as const, partition: 0, key, value })),
      );
      for (const [key] of batch) this.#kept.delete(key);
    }
  }

  #isOver({ windowStart, windowMs }: UsageRecord, afterMs: number): boolean {
    return windowStart + windowMs + afterMs <= this.#now();
  }

  /** Drops partitions whose last hour is past the retention; looks once an hour. */
  async #dropExpired(): Promise<void> {
    const { store, retentionDays } = this.#options;
    const hour = Math.floor(this.#now() / HOUR_MS);
    if (hour === this.#droppedHour) return;
    const oldestHour = hour - retentionDays * 24;
    const result = await store.query({
      query: `
        SELECT DISTINCT partition_id AS id FROM system.parts
        WHERE active AND database = currentDatabase() AND table = 'consumption'
          AND (toInt32(partition) + 1) * {hours:Int32} <= {oldest:Int32}`,
      query_params: { hours: PARTITION_HOURS, oldest: oldestHour },
      format: "JSONEachRow",
    });
    for (const { id } of await result.json<{ id: string }>()) {
      await store.command({
        query: "ALTER TABLE consumption DROP PARTITION ID {id:String}",
        query_params: { id },
      });
    }
    this.#droppedHour = hour;
  }
}

function toRow(record: UsageRecord) {
  const { edge, tokenId, family, windowStart, requests, refused, events, bytes, account } = record;
  return {
    customer: account?.customer ?? "",
    hour: Math.floor(windowStart / HOUR_MS),
    environment: account?.environment ?? "",
    key: tokenId,
    family,
    edge,
    requests,
    refused,
    events,
    bytes,
    allowed: account?.limit ?? 0,
  };
}
