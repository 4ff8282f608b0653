// The log of one machine without services: event records in segment files, what they mean, and all else, in
// LMDB; both durable by group commit.
//
// Records of `events` are written by one process; the other streams may also be written by the command line,
// in a transaction of its own. Asynchronous transactions with a callback never return under Node 26 (lmdb 3.5.6),
// so events go through `batch`, whose commit runs in LMDB's own thread, and small streams through
// `transactionSync`.
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { LogboomError } from "../../schemas/errors.ts";
import { bucketCount } from "../../schemas/partition.ts";
import { FreeSpace } from "./free-space.ts";
import { Segments, type Place } from "./segments.ts";
import { waitFor, type Movement } from "./wait-for.ts";
import type {
  Assignment,
  Consumption,
  Log,
  LogRecord,
  NewRecord,
  PartitionLag,
  Position,
  Receipt,
  StreamName,
} from "./log.ts";

const FOLLOW_INTERVAL_MS = 250;
const RECEIPT_SWEEP_MS = 30_000;
/** A request is refused for this long when the log is full: consumers free whole batches at a time. */
const FULL_RETRY_AFTER_SECONDS = 2;

/**
 * Beyond this, appends wait for consumers that keep moving: what a sender faster than the store has sent
 * would otherwise be searchable ever later, until the bound is reached.
 */
const PACE_BYTES = 128 * 1024 * 1024;
/** A consumer that has not committed for so long does not move; then the log does its job and takes more. */
const MOVING_MS = 1_000;

type RecordKey = [stream: StreamName, partition: number, offset: number];

interface EmbeddedLogOptions {
  readonly dir: string;
  /** Bound of the events kept; appends beyond it are refused. */
  readonly maxBytes: number;
  readonly now?: () => number;
}

/** What is kept beside a record's bytes: its time and, in compacted streams, its key; of events, their place. */
interface Head extends Partial<Place> {
  readonly at: number;
  readonly size: number;
  readonly key?: string;
}

export class EmbeddedLog implements Log {
  readonly id: string;
  readonly partitionCount = bucketCount;
  readonly maxBytes: number;
  readonly #env: RootDatabase;
  /** Of compacted streams; those of events are in the segments. */
  readonly #values: Database<Buffer, RecordKey>;
  readonly #segments: Segments;
  readonly #freeSpace: FreeSpace;
  readonly #heads: Database<Head, RecordKey>;
  /** Newest record of each key of a compacted stream. */
  readonly #latest: Database<number, [StreamName, string]>;
  readonly #positions: Database<Position, [group: string, partition: number]>;
  readonly #receipts: Database<Omit<Receipt, "key">, string>;
  readonly #facts: Database<string | number, string>;
  readonly #now: () => number;
  readonly #moved: Movement = new EventEmitter();
  /** Next offset of each partition of `events`; this process is its only writer. */
  readonly #nextOffsets: number[];
  /**
   * End of what is durable in each partition. Consumers see no more than this: were a record stored and
   * then lost from the log with the power, its offset would be given again, and the insert of the later
   * record dropped as a repeat.
   */
  readonly #durableEnds: number[];
  readonly #sweep: NodeJS.Timeout;
  #committedAt = Number.NEGATIVE_INFINITY;
  /** Of events alone: other processes write the other streams, too. */
  #sizeBytes = 0;
  /** Of appends under way, so that many at once keep to the bound together. */
  #arrivingBytes = 0;
  #isClosed = false;

  /** Opens or creates the log in a folder. */
  static async open(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const log = new EmbeddedLog(options);
    // What a killed process had committed is visible now but perhaps not yet durable.
    await log.#facts.put("openedAt", log.#now());
    await log.#env.flushed;
    await log.#freeSpace.look();
    return log;
  }

  private constructor({ dir, maxBytes, now = Date.now }: EmbeddedLogOptions) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.maxBytes = maxBytes;
    this.#now = now;
    // Not noMemInit: unused ends of pages would hold whatever the process had freed, secrets as well.
    this.#env = open({ path: join(dir, "log.mdb"), maxDbs: 8 });
    this.#values = this.#env.openDB({ name: "values", encoding: "binary" });
    this.#heads = this.#env.openDB({ name: "heads" });
    this.#latest = this.#env.openDB({ name: "latest" });
    this.#positions = this.#env.openDB({ name: "positions" });
    this.#receipts = this.#env.openDB({ name: "receipts" });
    this.#facts = this.#env.openDB({ name: "facts" });

    this.id = this.#env.transactionSync(() => {
      const known = this.#facts.get("id");
      if (typeof known === "string") return known;
      const id = randomUUID();
      void this.#facts.put("id", id);
      return id;
    });
    this.#nextOffsets = Array.from({ length: this.partitionCount }, (_, partition) =>
      this.#storedEnd("events", partition),
    );
    this.#durableEnds = [...this.#nextOffsets];
    const wantedBytes = new Map<number, number>();
    for (const { value: head } of this.#heads.getRange()) {
      if (head.segment === undefined) continue;
      this.#sizeBytes += head.size;
      wantedBytes.set(head.segment, (wantedBytes.get(head.segment) ?? 0) + head.size);
    }
    this.#segments = new Segments(join(dir, "segments"), wantedBytes);
    this.#freeSpace = new FreeSpace(dir);
    this.#moved.setMaxListeners(0);
    this.#sweep = setInterval(() => this.#forgetReceipts(), RECEIPT_SWEEP_MS).unref();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async append(records: readonly NewRecord[], receipts: readonly Receipt[] = []): Promise<void> {
    this.#refuseWhenClosed();
    const isEvents = records.every((record) => record.stream === "events");
    const addedBytes = records.reduce((sum, record) => sum + record.value.length, 0);
    // Accounts and dead letters are always taken: refusing them would stop what frees the log.
    if (isEvents) {
      const heldBytes = this.#sizeBytes + this.#arrivingBytes + addedBytes;
      if (heldBytes > this.maxBytes) throw this.#full(addedBytes);
      this.#arrivingBytes += addedBytes;
      try {
        await this.#freeSpace.take(addedBytes, this.#arrivingBytes);
        await this.#keepPace();
        await this.#appendEvents(records, receipts);
      } finally {
        this.#arrivingBytes -= addedBytes;
      }
    } else {
      try {
        this.#appendCompacted(records);
        await this.#env.flushed;
      } catch (error) {
        if (error instanceof TypeError) throw error;
        unwritable(error);
      }
    }
    this.#moved.emit("appended");
  }

  findReceipt(key: string): string | undefined {
    const receipt = this.#receipts.get(key);
    return receipt !== undefined && receipt.expiresAt > this.#now() ? receipt.value : undefined;
  }

  async follow(stream: StreamName, onRecord: (record: LogRecord) => void): Promise<Consumption> {
    const stop = new AbortController();
    let next = 0;
    const catchUp = (): void => {
      for (const record of this.#readCompacted(stream, next)) {
        next = record.offset + 1;
        onRecord(record);
      }
    };
    catchUp();
    const running = (async () => {
      while (!stop.signal.aborted) {
        await waitFor(this.#moved, "appended", FOLLOW_INTERVAL_MS, stop.signal);
        if (!stop.signal.aborted) catchUp();
      }
    })();
    return {
      close: async () => {
        stop.abort();
        await running;
      },
    };
  }

  async consume(
    group: string,
    run: (assignment: Assignment) => Promise<void>,
  ): Promise<Consumption> {
    const stop = new AbortController();
    const running = Promise.all(
      this.#nextOffsets.map((_, partition) => run(this.#assign(group, partition, stop.signal))),
    );
    // The failure reaches whoever closes the consumption; until then it must not end the process.
    running.catch(() => {});
    return {
      close: async () => {
        stop.abort();
        await running;
      },
    };
  }

  async lag(group: string): Promise<PartitionLag[]> {
    const now = this.#now();
    return this.#durableEnds.map((end, partition) => {
      const { offset } = this.#position(group, partition);
      const [oldest] = this.#heads.getRange({
        start: ["events", partition, offset],
        end: ["events", partition, end],
        limit: 1,
      });
      return {
        partition,
        records: end - offset,
        oldestAppendedAt: oldest?.value.at,
        storedUntil: oldest?.value.at ?? now,
      };
    });
  }

  health(): { isUp: boolean; reason?: string } {
    if (this.#isClosed) return { isUp: false, reason: "closed" };
    if (this.#sizeBytes >= this.maxBytes) {
      return { isUp: false, reason: `full: ${this.#sizeBytes} of ${this.maxBytes} bytes` };
    }
    const shortage = this.#freeSpace.shortage;
    return shortage === undefined ? { isUp: true } : { isUp: false, reason: shortage };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweep);
    this.#moved.emit("appended");
    await this.#segments.close();
    await this.#env.flushed;
    await this.#env.close();
  }

  async #appendEvents(records: readonly NewRecord[], receipts: readonly Receipt[]): Promise<void> {
    for (const { partition } of records) {
      if (this.#nextOffsets[partition] === undefined) {
        throw new RangeError(`no partition ${partition} of events`);
      }
    }
    const at = this.#now();
    const places = await this.#segments.append(records.map(({ value }) => value)).catch(unwritable);
    const ends: [partition: number, end: number][] = [];
    const written = this.#env.batch(() => {
      for (const [index, { partition, value }] of records.entries()) {
        const offset = this.#nextOffsets[partition] ?? 0;
        this.#nextOffsets[partition] = offset + 1;
        const head = { at, size: value.length, ...places[index] };
        void this.#heads.put(["events", partition, offset], head);
        ends.push([partition, offset + 1]);
      }
      for (const { key, value, expiresAt } of receipts) {
        void this.#receipts.put(key, { value, expiresAt });
      }
    });
    try {
      await written;
      // Committed is not yet durable: LMDB syncs a group of commits at a time.
      await this.#env.flushed;
    } catch (error) {
      for (const [index, place] of places.entries()) {
        this.#segments.release(place.segment, records[index]?.value.length ?? 0);
      }
      unwritable(error);
    }
    for (const { value } of records) this.#sizeBytes += value.length;
    for (const [partition, end] of ends) {
      this.#durableEnds[partition] = Math.max(end, this.#durableEnds[partition] ?? 0);
    }
  }

  /** Offsets are taken inside the transaction, because another process may write the same stream. */
  #appendCompacted(records: readonly NewRecord[]): void {
    const at = this.#now();
    this.#env.transactionSync(() => {
      for (const { stream, key, value } of records) {
        if (key === undefined) throw new TypeError(`a record of "${stream}" needs a key`);
        const offset = this.#storedEnd(stream, 0);
        const former = this.#latest.get([stream, key]);
        if (former !== undefined) this.#remove([stream, 0, former]);
        if (value.length === 0) {
          void this.#latest.remove([stream, key]);
          continue;
        }
        void this.#values.put([stream, 0, offset], value);
        void this.#heads.put([stream, 0, offset], { at, size: value.length, key });
        void this.#latest.put([stream, key], offset);
        void this.#facts.put(`end/${stream}`, offset + 1);
      }
    });
  }

  #assign(group: string, partition: number, signal: AbortSignal): Assignment {
    return {
      partition,
      committed: this.#position(group, partition),
      signal,
      read: async (offset, maxBytes, maxWaitMs) => {
        const deadline = performance.now() + maxWaitMs;
        while (offset >= (this.#durableEnds[partition] ?? 0) && !signal.aborted) {
          const leftMs = deadline - performance.now();
          if (leftMs <= 0) break;
          await waitFor(this.#moved, "appended", leftMs, signal);
        }
        return this.#readEvents(partition, offset, maxBytes);
      },
      commit: (position) => this.#commit(group, partition, position),
    };
  }

  async #commit(group: string, partition: number, position: Position): Promise<void> {
    this.#refuseWhenClosed();
    const former = this.#position(group, partition).offset;
    const removed: (Head | undefined)[] = [];
    await this.#env.batch(() => {
      void this.#positions.put([group, partition], position);
      // The end outlives the records, so that an emptied partition never counts from 0 again.
      void this.#facts.put(`end/events/${partition}`, this.#nextOffsets[partition] ?? 0);
      for (let offset = former; offset < position.offset; offset++) {
        removed.push(this.#remove(["events", partition, offset]));
      }
    });
    await this.#env.flushed;
    for (const head of removed) {
      if (head?.segment === undefined) continue;
      this.#sizeBytes -= head.size;
      this.#segments.release(head.segment, head.size);
    }
    this.#committedAt = performance.now();
    this.#moved.emit("committed");
  }

  async #keepPace(): Promise<void> {
    const deadline = performance.now() + MOVING_MS;
    while (
      this.#sizeBytes > PACE_BYTES &&
      performance.now() < Math.min(deadline, this.#committedAt + MOVING_MS)
    ) {
      await waitFor(this.#moved, "committed", MOVING_MS);
    }
  }

  /** Removes a record; the bytes of an event are to be released, and not counted, once that is durable. */
  #remove(key: RecordKey): Head | undefined {
    const head = this.#heads.get(key);
    if (head?.segment === undefined) void this.#values.remove(key);
    void this.#heads.remove(key);
    return head;
  }

  async #readEvents(partition: number, from: number, maxBytes: number): Promise<LogRecord[]> {
    const heads: [offset: number, head: Head][] = [];
    let bytes = 0;
    for (const { key, value: head } of this.#heads.getRange({
      start: ["events", partition, from],
      end: ["events", partition, this.#durableEnds[partition] ?? 0],
    })) {
      bytes += head.size;
      if (bytes > maxBytes && bytes > head.size) break;
      heads.push([key[2], head]);
    }
    const records = await Promise.all(
      heads.map(async ([offset, { at, size, segment = 0, position = 0 }]) => {
        const value = await this.#segments.read({ segment, position }, size);
        return value && { offset, key: undefined, value, appendedAt: at };
      }),
    );
    return records.filter((record) => record !== undefined);
  }

  *#readCompacted(stream: StreamName, from: number): Generator<LogRecord> {
    for (const { key, value: head } of this.#heads.getRange({
      start: [stream, 0, from],
      end: [stream, 0, Number.MAX_SAFE_INTEGER],
    })) {
      const value = this.#values.get(key);
      if (value !== undefined) yield { offset: key[2], key: head.key, value, appendedAt: head.at };
    }
  }

  #position(group: string, partition: number): Position {
    return this.#positions.get([group, partition]) ?? { offset: 0, metadata: "" };
  }

  /** One past the newest offset ever given: the newest record's, or what was noted when it was removed. */
  #storedEnd(stream: StreamName, partition: number): number {
    const noted = this.#facts.get(
      stream === "events" ? `end/events/${partition}` : `end/${stream}`,
    );
    const [newest] = this.#heads.getKeys({
      start: [stream, partition, Number.MAX_SAFE_INTEGER],
      end: [stream, partition, -1],
      reverse: true,
      limit: 1,
    });
    return Math.max(
      typeof noted === "number" ? noted : 0,
      newest === undefined ? 0 : newest[2] + 1,
    );
  }

  #forgetReceipts(): void {
    const now = this.#now();
    void this.#env.batch(() => {
      for (const { key, value } of this.#receipts.getRange()) {
        if (value.expiresAt <= now) void this.#receipts.remove(key);
      }
    });
  }

  #full(addedBytes: number): LogboomError {
    return new LogboomError(
      "OVERLOADED",
      `the log holds ${this.#sizeBytes} bytes that are not stored yet; ${addedBytes} more exceed its bound of ${this.maxBytes}`,
      { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS, details: { limit: this.maxBytes } },
    );
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new LogboomError("UNAVAILABLE", "the log is closed");
  }
}

function unwritable(error: unknown): never {
  throw new LogboomError("UNAVAILABLE", "the log cannot be written", {
    cause: error,
    retryAfterSeconds: FULL_RETRY_AFTER_SECONDS,
  });
}
