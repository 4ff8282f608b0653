// The way from the log into the store: every partition batch by batch, each stored exactly once in effect.
//
// Before an insert the group's note names the range that it will cover. Whoever owns the partition after a
// crash repeats exactly that range under the same token, and the store drops it if it had arrived.
import { z } from "zod";
import type { Config } from "../schemas/config.ts";
import type { Assignment, Consumption } from "../ingest/log/log.ts";
import { Turns } from "../ingest/turns.ts";
import type { Replays } from "./replays.ts";
import type { StoreClient } from "./store/client.ts";
import { fillBatch, gatherBatch, repeatBatch, type Batch } from "./batch.ts";
import { persist } from "./persist.ts";
import { writeBatch, type WriteOptions } from "./write.ts";

/** The group under which the store's position in the log is kept. */
export const storeGroup = "store";

const MEBIBYTE = 1024 * 1024;

interface Pace {
  /** At a time: while some are synced to disk, others use the store's cores. */
  readonly inserts: number;
  /** Batches that are filled up while others are inserted; with those a bound on the memory of batches. */
  readonly filledAhead: number;
  /** To which a batch is filled up when its turn has come, and no further than its limit. */
  readonly filledBytes: number;
}

/** Half as much in a batch costs a server a tenth more, most of it in merges. */
const serverPace: Pace = { inserts: 3, filledAhead: 1, filledBytes: 32 * MEBIBYTE };
/**
 * The embedded store shares the machine, and its merges fall behind an ingest (0.27 of the messages on disk at its end,
 * 0.22 so) with twice the inserts as well as with twice the bytes.
 */
const embeddedPace: Pace = { inserts: 2, filledAhead: 2, filledBytes: 16 * MEBIBYTE };

const intent = z.object({ insertingUpTo: z.number().int() });

interface ConsumeOptions extends Omit<WriteOptions, "signal" | "store"> {
  readonly config: Config;
  /** A client of each shard: a partition's batches go to one shard for ever, so their tokens are known there. */
  readonly shards: readonly StoreClient[];
  /** Of dead letters, made between the batches of their partition. */
  readonly replays?: Replays;
  /** Starts what runs while this process holds a partition. */
  readonly accompany?: (partition: number) => { close(): Promise<void> } | undefined;
  /** Called when a batch is stored and committed. */
  readonly onStored?: () => void;
}

/** What the partitions of this process have in common. */
interface SharedTurns {
  readonly batches: Turns;
  readonly inserts: Turns;
  readonly filledBytes: number;
}

/** Consumes until closed; closing lets the inserts under way finish or be repeated later. */
export function consumeEvents(options: ConsumeOptions): Promise<Consumption> {
  const isEmbedded = options.config.LOGBOOM_CLICKHOUSE_URL === undefined;
  const pace = isEmbedded ? embeddedPace : serverPace;
  const turns: SharedTurns = {
    batches: new Turns(pace.inserts + pace.filledAhead),
    inserts: new Turns(pace.inserts),
    filledBytes: pace.filledBytes,
  };
  return options.log.consume(storeGroup, async (assignment) => {
    const companion = options.accompany?.(assignment.partition);
    try {
      await consumePartition(assignment, turns, options);
    } catch (error) {
      if (!assignment.signal.aborted) throw error;
    } finally {
      await companion?.close();
    }
  });
}

async function consumePartition(
  assignment: Assignment,
  { batches, inserts, filledBytes }: SharedTurns,
  options: ConsumeOptions,
): Promise<void> {
  const { config } = options;
  const limits = {
    maxBytes: config.LOGBOOM_BATCH_BYTES,
    maxEvents: config.LOGBOOM_BATCH_ROWS,
    maxAgeMs: config.LOGBOOM_BATCH_AGE_MS,
  };
  const filled = { ...limits, maxBytes: Math.min(limits.maxBytes, filledBytes) };
  const shard = options.shards[assignment.partition % options.shards.length];
  if (shard === undefined) throw new TypeError("consuming needs a shard");
  const store = async (batch: Batch): Promise<number> => {
    await inserts.run(() =>
      writeBatch(batch, assignment.partition, {
        ...options,
        store: shard,
        signal: assignment.signal,
      }),
    );
    const oldest = batch.records[0]?.appendedAt ?? Date.now();
    options.instruments.logboom_consumer_fresh_seconds.observe((Date.now() - oldest) / 1000);
    const next = batch.last + 1;
    await assignment.commit({ offset: next, metadata: "" });
    options.onStored?.();
    return next;
  };

  // A partition that was given up here would stand still until another process gets it.
  const again = <Result>(what: string, task: () => Promise<Result>): Promise<Result> =>
    persist(what, task, {
      signal: assignment.signal,
      logger: options.logger,
      facts: { partition: assignment.partition },
    });

  let position = assignment.committed.offset;
  const unfinished = await again("reading an announced batch", () => unfinishedBatch(assignment));
  if (unfinished !== undefined) {
    position = await again("storing a batch", () => batches.run(() => store(unfinished)));
  }

  while (!assignment.signal.aborted) {
    await options.replays?.replay(assignment.partition);
    const from = position;
    const gathered = await again("reading", () => gatherBatch(assignment, from, limits));
    if (gathered === undefined) continue;
    position = await batches.run(async () => {
      const batch = await again("reading", () => fillBatch(assignment, gathered, filled));
      // Tried again it is the same batch, under the same token.
      return again("storing a batch", async () => {
        const metadata = JSON.stringify({ insertingUpTo: batch.last });
        await assignment.commit({ offset: from, metadata });
        return store(batch);
      });
    });
  }
}

/** The batch that an earlier owner had announced and perhaps not finished. */
async function unfinishedBatch(assignment: Assignment): Promise<Batch | undefined> {
  const { offset, metadata } = assignment.committed;
  if (metadata === "") return undefined;
  const { insertingUpTo } = intent.parse(JSON.parse(metadata));
  return repeatBatch(assignment, offset, insertingUpTo);
}
