// The periodic care of the store: drops partitions past their retention, and builds the message index of closed ones.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { StoreClient } from "./store/client.ts";

export interface MaintenanceOptions {
  /** A client of the writing user. */
  readonly store: StoreClient;
  readonly logger: Logger;
  /** Days an event is kept, from its time or its arrival, whichever is later. */
  readonly retentionDays: number;
  /** How long a partition must have been left alone, ms; default 10 minutes. */
  readonly quietMs?: number;
  /** The clock, ms since 1970; default Date.now. */
  readonly now?: () => number;
  /** Ends a run between two steps. */
  readonly signal?: AbortSignal;
}

export interface MaintenanceReport {
  /** Partitions of which parts were dropped: day since 1970 and bucket. */
  readonly dropped: readonly PartitionKey[];
  /** Partitions of events whose message index was built. */
  readonly indexed: readonly PartitionKey[];
}

export interface PartitionKey {
  readonly day: number;
  readonly bucket: number;
}

/** In the order of dropping: statistics must never promise events that are gone. */
const tables = ["hours", "streams", "events"] as const;

interface Part {
  readonly table: (typeof tables)[number];
  readonly name: string;
  readonly partitionId: string;
  readonly day: number;
  readonly bucket: number;
  readonly modifiedMs: number;
  readonly isIndexed: boolean;
}

/** The parts of all tables in one (day, bucket). */
interface Partition extends PartitionKey {
  readonly id: string;
  readonly parts: readonly Part[];
}

const dayMs = 86_400_000;
const defaultQuietMs = 10 * 60_000;
const pollMs = 500;
// a mutation renames the parts of all other partitions, too: a day's buckets share one
const partitionsPerMutation = 4;

/** Runs maintenance now and every `intervalMs` (default 5 minutes) after, until close(). */
export function startMaintenance(
  options: Omit<MaintenanceOptions, "signal"> & {
    readonly intervalMs?: number;
    /** Called after each run, for metrics. */
    readonly onRun?: (outcome: "done" | "failed") => void;
  },
): { close(): Promise<void> } {
  const { logger, intervalMs = 5 * 60_000, onRun } = options;
  const stop = new AbortController();
  const runs = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await runMaintenanceOnce({ ...options, signal: stop.signal });
        onRun?.("done");
      } catch (error) {
        // the store may be away for a while: the next run does what this one could not
        logger.warn({ err: error }, "maintenance failed");
        onRun?.("failed");
      }
      await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const finished = runs();
  return {
    close: async () => {
      stop.abort();
      await finished;
    },
  };
}

/** One run: retention first, since what is dropped needs no index. */
export async function runMaintenanceOnce(options: MaintenanceOptions): Promise<MaintenanceReport> {
  const dropped = await dropExpired(options);
  const indexed = await indexClosed(options);
  return { dropped, indexed };
}

/** Drops what is older than the retention by its day and by the arrival of its newest event. */
async function dropExpired(options: MaintenanceOptions): Promise<PartitionKey[]> {
  const { store, logger, retentionDays, signal } = options;
  const oldestKeptMs = nowMs(options) - retentionDays * dayMs;
  const old = (await readQuietPartitions(options)).filter(
    ({ day }) => (day + 1) * dayMs <= oldestKeptMs,
  );
  if (old.length === 0) return [];
  const newestMs = await readNewestArrivals(store, old);
  const dropped: PartitionKey[] = [];
  for (const partition of old) {
    if (signal?.aborted) break;
    if ((newestMs.get(partition.id) ?? 0) > oldestKeptMs) continue;
    await dropParts(store, partition);
    const key = { day: partition.day, bucket: partition.bucket };
    logger.info(key, "partition dropped: past its retention");
    dropped.push(key);
  }
  return dropped;
}

/** Drops the parts that were seen, by name: events that arrived since are in others, and stay. */
async function dropParts(store: StoreClient, { parts }: Partition): Promise<void> {
  for (const table of tables) {
    for (const part of parts.filter((one) => one.table === table)) {
      await store.command({
        query: `ALTER TABLE ${table} DROP PART {part:String}`,
        query_params: { part: part.name },
      });
    }
  }
}

/** When the newest event of each partition arrived, ms since 1970, by partition id. */
async function readNewestArrivals(
  store: StoreClient,
  partitions: readonly Partition[],
): Promise<Map<string, number>> {
  const result = await store.query({
    query: `
      SELECT id, max(newest) AS newestMs FROM (
        SELECT _partition_id AS id, toFloat64(max(newest_ingested)) / 1e6 AS newest
        FROM streams WHERE _partition_id IN {ids:Array(String)} GROUP BY id
        UNION ALL
        SELECT _partition_id AS id, toFloat64(max(ingested)) / 1e6 AS newest
        FROM events WHERE _partition_id IN {unlisted:Array(String)} GROUP BY id
      ) GROUP BY id`,
    query_params: {
      ids: partitions.map(({ id }) => id),
      // statistics may be missing after a run that was cut short; reading events costs more
      unlisted: partitions
        .filter(({ parts }) => !parts.some(({ table }) => table === "streams"))
        .map(({ id }) => id),
    },
    format: "JSONEachRow",
  });
  const rows = await result.json<{ id: string; newestMs: number }>();
  return new Map(rows.map(({ id, newestMs }) => [id, newestMs]));
}

/** Builds the message index where a day is over, newest days first: they are searched most. */
async function indexClosed(options: MaintenanceOptions): Promise<PartitionKey[]> {
  const { store, logger, signal } = options;
  const today = Math.floor(nowMs(options) / dayMs);
  const closed = (await readQuietPartitions(options))
    .filter(({ day, parts }) => day < today && parts.some(lacksIndex))
    .toSorted((a, b) => b.day - a.day || a.bucket - b.bucket);
  const indexed: PartitionKey[] = [];
  for (let at = 0; at < closed.length; at += partitionsPerMutation) {
    const chosen = closed.slice(at, at + partitionsPerMutation);
    await waitForMutations(store, signal);
    if (signal?.aborted) break;
    const commands = chosen.map(
      (_, index) => `MATERIALIZE INDEX message_ngrams IN PARTITION ID {id${index}:String}`,
    );
    await store.command({
      query: `ALTER TABLE events ${commands.join(", ")}`,
      query_params: Object.fromEntries(chosen.map(({ id }, index) => [`id${index}`, id])),
      // it may take longer than a request: it is started, then watched
      clickhouse_settings: { mutations_sync: "0" },
    });
    await waitForMutations(store, signal);
    for (const { day, bucket } of chosen) {
      logger.info({ day, bucket }, "message index built");
      indexed.push({ day, bucket });
    }
  }
  return indexed;
}

function lacksIndex({ table, isIndexed }: Part): boolean {
  return table === "events" && !isIndexed;
}

/** Waits until no mutation of events is under way, ours or another process's. */
async function waitForMutations(
  store: StoreClient,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    if (signal?.aborted) return;
    const result = await store.query({
      query: `SELECT latest_fail_reason AS failure FROM system.mutations
              WHERE database = currentDatabase() AND table = 'events' AND NOT is_done AND NOT is_killed`,
      format: "JSONEachRow",
    });
    const rows = await result.json<{ failure: string }>();
    const failed = rows.find(({ failure }) => failure !== "");
    if (failed) throw new Error(`mutation of events failed: ${failed.failure}`);
    if (rows.length === 0) return;
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * The partitions that nothing has written to or merged lately. The tables are looked at together:
 * an insert that has reached only some of them is recent, and holds its partition back.
 */
async function readQuietPartitions(options: MaintenanceOptions): Promise<Partition[]> {
  const newestMs = nowMs(options) - (options.quietMs ?? defaultQuietMs);
  const parts = await readParts(options.store);
  return [...Map.groupBy(parts, ({ partitionId }) => partitionId)]
    .map(([id, own]) => ({ id, parts: own, day: own[0]?.day ?? 0, bucket: own[0]?.bucket ?? 0 }))
    .filter(({ parts: own }) => own.every(({ modifiedMs }) => modifiedMs <= newestMs));
}

async function readParts(store: StoreClient): Promise<Part[]> {
  const result = await store.query({
    // 10 KiB of n-grams a mark against 16 bytes of time range: the sum of both tells which there are
    query: `
      SELECT table, name, partition_id AS partitionId,
        toInt32(extract(partition, '^\\\\((-?\\\\d+),')) AS day,
        toInt32(extract(partition, ',(\\\\d+)\\\\)$')) AS bucket,
        toFloat64(toUnixTimestamp(modification_time)) * 1000 AS modifiedMs,
        toBool(secondary_indices_uncompressed_bytes >= marks * 1024) AS isIndexed
      FROM system.parts
      WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
        AND partition_id NOT IN (
          SELECT partition_id FROM system.merges
          WHERE database = currentDatabase() AND table IN {tables:Array(String)})`,
    query_params: { tables },
    format: "JSONEachRow",
  });
  return result.json<Part>();
}

function nowMs({ now = Date.now }: MaintenanceOptions): number {
  return now();
}
