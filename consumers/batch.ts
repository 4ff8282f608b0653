// A batch: a range of records of one partition, formed by bytes, events and age.
import { countEvents } from "../schemas/event-codec.ts";
import type { Assignment, LogRecord } from "../ingest/log/log.ts";

/** Records in order; first and last name the range, which may have gaps. */
export interface Batch {
  readonly first: number;
  readonly last: number;
  readonly records: readonly LogRecord[];
}

export interface BatchLimits {
  readonly maxBytes: number;
  readonly maxEvents: number;
  /** how long the batch's first record may wait for others; half of it when these are few */
  readonly maxAgeMs: number;
}

/** From so many events on a batch is worth the whole wait: the store spends a tenth less on twice as many. */
const MANY_EVENTS = 16_000;

/** One read of this size at a time, so that a backlog is not held twice. */
const READ_BYTES = 8 * 1024 * 1024;
const IDLE_WAIT_MS = 5_000;
/** A read that brings less has met the end of what is there: what comes a moment later is the next batch's. */
const WORTHWHILE_BYTES = 256 * 1024;

/** The next batch from an offset on, or undefined when nothing came for a while. */
export async function gatherBatch(
  assignment: Assignment,
  from: number,
  limits: BatchLimits,
): Promise<Batch | undefined> {
  const records: LogRecord[] = [];
  let bytes = 0;
  let events = 0;
  let next = from;
  let begin: number | undefined;
  let deadline = Number.POSITIVE_INFINITY;
  while (bytes < limits.maxBytes && events < limits.maxEvents && !assignment.signal.aborted) {
    const waitMs = Math.min(IDLE_WAIT_MS, Math.max(0, deadline - Date.now()));
    const room = Math.min(READ_BYTES, limits.maxBytes - bytes);
    const read = await assignment.read(next, room, waitMs);
    for (const record of read) {
      records.push(record);
      bytes += record.value.length;
      events += countEvents(record.value) ?? 1;
      next = record.offset + 1;
      if (events >= limits.maxEvents) break;
    }
    const [first] = records;
    if (first === undefined) return undefined;
    // From the append on: a record that waited while another batch was stored does not wait again. An
    // edge whose clock is ahead must not hold it up.
    begin ??= Math.min(first.appendedAt, Date.now());
    deadline = begin + (events < MANY_EVENTS ? limits.maxAgeMs / 2 : limits.maxAgeMs);
    if (Date.now() >= deadline && read.length === 0) break;
    if (Date.now() >= deadline && bytes < room) break;
  }
  return toBatch(records);
}

/**
 * The same batch with what has come behind it meanwhile, up to its limits: whoever is behind stores few large
 * batches in place of many small ones, which cost the store half as much again.
 */
export async function fillBatch(
  assignment: Assignment,
  batch: Batch,
  limits: BatchLimits,
): Promise<Batch> {
  const records = [...batch.records];
  let bytes = records.reduce((sum, { value }) => sum + value.length, 0);
  let events = records.reduce((sum, { value }) => sum + (countEvents(value) ?? 1), 0);
  let next = batch.last + 1;
  while (bytes < limits.maxBytes && events < limits.maxEvents && !assignment.signal.aborted) {
    const room = Math.min(READ_BYTES, limits.maxBytes - bytes);
    const before = bytes;
    for (const record of await assignment.read(next, room, 0)) {
      records.push(record);
      bytes += record.value.length;
      events += countEvents(record.value) ?? 1;
      next = record.offset + 1;
      if (events >= limits.maxEvents) break;
    }
    if (bytes - before < WORTHWHILE_BYTES) break;
  }
  return toBatch(records) ?? batch;
}

/**
 * Exactly the batch of a range that an earlier owner of the partition had announced. The range may begin in
 * a gap of offsets; the batch, and with it the insert's token, begins with its first record all the same.
 */
export async function repeatBatch(
  assignment: Assignment,
  first: number,
  last: number,
): Promise<Batch | undefined> {
  const records: LogRecord[] = [];
  let next = first;
  while (next <= last) {
    const read = await assignment.read(next, READ_BYTES, 0);
    if (read.length === 0) break;
    records.push(...read.filter((record) => record.offset <= last));
    next = (read.at(-1)?.offset ?? last) + 1;
  }
  return toBatch(records);
}

function toBatch(records: readonly LogRecord[]): Batch | undefined {
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) return undefined;
  return { first: first.offset, last: last.offset, records };
}
