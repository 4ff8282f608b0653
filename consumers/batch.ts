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
  const gathering = new Gathering(from, limits);
  let begin: number | undefined;
  let deadline = Number.POSITIVE_INFINITY;
  while (!gathering.isFull && !assignment.signal.aborted) {
    const waitMs = Math.min(IDLE_WAIT_MS, Math.max(0, deadline - Date.now()));
    const { room } = gathering;
    const read = await assignment.read(gathering.next, room, waitMs);
    gathering.add(read);
    const [first] = gathering.records;
    if (first === undefined) return undefined;
    // From the append on: a record that waited while another batch was stored does not wait again. An
    // edge whose clock is ahead must not hold it up.
    begin ??= Math.min(first.appendedAt, Date.now());
    deadline = begin + (gathering.events < MANY_EVENTS ? limits.maxAgeMs / 2 : limits.maxAgeMs);
    if (Date.now() >= deadline && read.length === 0) break;
    if (Date.now() >= deadline && gathering.bytes < room) break;
  }
  return toBatch(gathering.records);
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
  const gathering = new Gathering(batch.first, limits, batch.records);
  while (!gathering.isFull && !assignment.signal.aborted) {
    const before = gathering.bytes;
    gathering.add(await assignment.read(gathering.next, gathering.room, 0));
    if (gathering.bytes - before < WORTHWHILE_BYTES) break;
  }
  return toBatch(gathering.records) ?? batch;
}

/** Records that become a batch, up to its limits. */
class Gathering {
  readonly records: LogRecord[] = [];
  readonly #limits: BatchLimits;
  bytes = 0;
  events = 0;
  /** The offset to read from. */
  next: number;

  /** @param begun taken whole, whatever the limits are */
  constructor(from: number, limits: BatchLimits, begun: readonly LogRecord[] = []) {
    this.next = from;
    this.#limits = limits;
    for (const record of begun) this.#take(record);
  }

  get isFull(): boolean {
    return this.bytes >= this.#limits.maxBytes || this.events >= this.#limits.maxEvents;
  }

  /** Bytes of the next read. */
  get room(): number {
    return Math.min(READ_BYTES, this.#limits.maxBytes - this.bytes);
  }

  add(read: readonly LogRecord[]): void {
    for (const record of read) {
      this.#take(record);
      if (this.events >= this.#limits.maxEvents) break;
    }
  }

  #take(record: LogRecord): void {
    this.records.push(record);
    this.bytes += record.value.length;
    this.events += countEvents(record.value) ?? 1;
    this.next = record.offset + 1;
  }
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
