// Stores one batch under one token: repeats it until it is in, and isolates what can never be.
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import {
  containerBlocks,
  countEvents,
  decodeContainer,
  encodeContainer,
  joinedHeader,
  type StoredEvent,
} from "../schemas/event-codec.ts";
import type { Instruments } from "../schemas/instruments.ts";
import type { Log, LogRecord } from "../ingest/log/log.ts";
import type { Batch } from "./batch.ts";
import { setAside, type DeadLetter } from "./dead-letters.ts";
import { isPermanentStoreError, type StoreClient } from "./store/client.ts";
import { insertSettings, insertStatement } from "./store/insert-settings.ts";
import { writeEvents } from "./write-events.ts";

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;

export interface WriteOptions {
  readonly log: Log;
  readonly store: StoreClient;
  readonly instruments: Instruments;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** An event with the place that it came from. */
interface PlacedEvent {
  readonly event: StoredEvent;
  readonly offset: number;
  readonly index: number;
}

/**
 * Stores a batch, or sets aside the part of it that the store refuses for good. The token names log,
 * partition and range, so a repeat after a crash is dropped by the store.
 *
 * @throws the signal's reason when stopped before the batch was stored; then the whole range is to be repeated.
 */
export async function writeBatch(
  batch: Batch,
  partition: number,
  options: WriteOptions,
): Promise<void> {
  const token = `${options.log.id}/events/${partition}/${batch.first}-${batch.last}`;
  const records = batch.records.filter(({ isRepeat }) => isRepeat !== true);
  options.instruments.logboom_consumer_repeats_total.inc(batch.records.length - records.length);
  const { blocks, count } = await readableBlocks(records, partition, options);
  if (count === 0) return;
  options.instruments.logboom_consumer_batch_events.observe(count);
  options.instruments.logboom_consumer_batch_bytes.observe(
    blocks.reduce((sum, block) => sum + block.length, 0),
  );
  const refusal = await insertUntilAnswered([joinedHeader(), ...blocks], token, options);
  if (refusal === undefined) {
    options.instruments.logboom_consumer_stored_events_total.inc(count);
    return;
  }
  options.logger.error({ err: refusal, token }, "the store refuses a batch; isolating its events");
  const events = await placeEvents(records, partition, options);
  await writeByHalves(events, partition, `${token}/events`, options);
}

/** The blocks of a batch's records behind today's header; records that no reader understands are set aside. */
async function readableBlocks(
  records: readonly LogRecord[],
  partition: number,
  options: WriteOptions,
): Promise<{ blocks: Buffer[]; count: number }> {
  const blocks: Buffer[] = [];
  let count = 0;
  for (const { value, offset } of records) {
    const held = countEvents(value);
    if (held !== undefined) {
      blocks.push(containerBlocks(value));
      count += held;
      continue;
    }
    const events = await decodeOrSetAside(value, partition, offset, options);
    blocks.push(containerBlocks(encodeEvents(events)));
    count += events.length;
  }
  return { blocks, count };
}

/** Halves have tokens of their own, derived from the batch's, so that a repeat takes the same way. */
async function writeByHalves(
  events: readonly PlacedEvent[],
  partition: number,
  token: string,
  options: WriteOptions,
): Promise<void> {
  const [first] = events;
  if (first === undefined) return;
  const container = encodeEvents(events.map(({ event }) => event));
  const refusal = await insertUntilAnswered([container], token, options);
  if (refusal === undefined) {
    options.instruments.logboom_consumer_stored_events_total.inc(events.length);
    return;
  }
  if (events.length === 1) {
    await setOneAside(options, {
      reason: "refused",
      message: refusal.message,
      partition,
      offset: first.offset,
      index: first.index,
      record: container.toString("base64"),
      at: new Date().toISOString(),
    });
    return;
  }
  options.instruments.logboom_consumer_inserts_total.inc({ outcome: "split" });
  const middle = Math.ceil(events.length / 2);
  await writeByHalves(events.slice(0, middle), partition, `${token}/0`, options);
  await writeByHalves(events.slice(middle), partition, `${token}/1`, options);
}

/** Inserts until the store takes the container (undefined) or refuses its content (the error). */
async function insertUntilAnswered(
  parts: readonly Buffer[],
  token: string,
  { store, instruments, logger, signal }: WriteOptions,
): Promise<Error | undefined> {
  let backoffMs = FIRST_BACKOFF_MS;
  for (;;) {
    signal.throwIfAborted();
    const endTimer = instruments.logboom_consumer_insert_seconds.startTimer();
    try {
      const { stream } = await store.exec({
        query: insertStatement,
        values: Readable.from(parts, { objectMode: false }),
        clickhouse_settings: { ...insertSettings, insert_deduplication_token: token },
      });
      // The reply of an insert is empty, but its end is what says that it is in.
      for await (const _ of stream);
      endTimer();
      instruments.logboom_consumer_inserts_total.inc({ outcome: "stored" });
      return undefined;
    } catch (error) {
      if (isPermanentStoreError(error)) return error as Error;
      instruments.logboom_consumer_inserts_total.inc({ outcome: "retried" });
      logger.warn({ err: error, token, backoffMs }, "insert failed; trying again");
      await sleep(backoffMs, undefined, { signal });
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }
}

async function setOneAside(options: WriteOptions, letter: DeadLetter): Promise<void> {
  await setAside(options.log, [letter]);
  options.instruments.logboom_dead_letters_total.inc({ reason: letter.reason });
  const { record: _, ...facts } = letter;
  options.logger.error(facts, "dead letter");
}

/** The events of a refused batch one by one; a record that does not even decode is set aside here. */
async function placeEvents(
  records: readonly LogRecord[],
  partition: number,
  options: WriteOptions,
): Promise<PlacedEvent[]> {
  const placed: PlacedEvent[] = [];
  for (const { value, offset } of records) {
    const events = await decodeOrSetAside(value, partition, offset, options);
    placed.push(...events.map((event, index) => ({ event, offset, index })));
  }
  return placed;
}

async function decodeOrSetAside(
  record: Buffer,
  partition: number,
  offset: number,
  options: WriteOptions,
): Promise<StoredEvent[]> {
  try {
    return decodeContainer(record);
  } catch (error) {
    await setOneAside(options, {
      reason: "unreadable",
      message: String(error),
      partition,
      offset,
      record: record.toString("base64"),
      at: new Date().toISOString(),
    });
    return [];
  }
}

function encodeEvents(events: readonly StoredEvent[]): Buffer {
  return encodeContainer(Buffer.alloc(16), [writeEvents(events)]);
}
