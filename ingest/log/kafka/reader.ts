// Reads one partition by offsets out of what its consumer fetches ahead, within a bound.
import { isUniqueBlockId } from "../../../schemas/block-id.ts";
import { blockIdOf } from "../../../schemas/event-codec.ts";
import { freeMemory } from "../free-buffer.ts";
import type { LogRecord } from "../log.ts";
import type { BlockMemory } from "./block-memory.ts";
import { isOfOneBatch } from "./compression.ts";
import type { Fetched, FetchedMessage, Member } from "./member.ts";
import { toLogRecord } from "./record.ts";

/** A fetch from elsewhere comes late once or twice; then what should be fetched is gone. */
const MAX_STRAYS = 3;
/** Fetching pauses with so much at hand; one fetch may come on top. */
const AHEAD_BYTES = 2 * 1024 * 1024;

interface ReaderOptions {
  readonly member: Member;
  readonly partition: number;
  readonly memory: BlockMemory;
  /** No record from `first` on has its twin before it. */
  readonly twinsFrom: number;
  readonly first: number;
  /** One past the newest record, as known when the partition was assigned. */
  readonly highWatermark: number;
  readonly signal: AbortSignal;
  /** Called when fetches do not begin where they have to: its records were deleted meanwhile. */
  readonly onGone: () => void;
}

/** The memory that records of a fetch stand in, up to the last of them. */
interface Chunk {
  readonly memory: ArrayBufferLike;
  lastOffset: number;
}

export class Reader {
  readonly #options: ReaderOptions;
  #records: LogRecord[] = [];
  #bytes = 0;
  #chunks: Chunk[] = [];
  /** Records below it are not kept. */
  #first: number;
  /** Where the next fetch has to begin. */
  #next: number;
  #highWatermark: number;
  #isPaused = false;
  #strays = 0;
  #wake: (() => void) | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#first = options.first;
    this.#next = options.first;
    this.#highWatermark = options.highWatermark;
    options.memory.beginAt(options.first);
    this.#seek(options.first);
    this.#resume();
    options.signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  take({ from, messages, highWatermark }: Fetched): boolean {
    const { memory, signal, twinsFrom, onGone } = this.#options;
    if (signal.aborted) return false;
    if (from !== this.#next) {
      if (++this.#strays >= MAX_STRAYS) onGone();
      else this.#seek(this.#next);
      return false;
    }
    this.#strays = 0;
    this.#highWatermark = highWatermark;
    const former = this.#chunks.length;
    for (const message of messages) {
      const record = toLogRecord(message);
      if (!memory.reaches(twinsFrom, record.appendedAt) && mayBeTwin(message)) {
        this.#readTwins();
        return false;
      }
      const isRepeat = memory.isRepeat(record);
      this.#next = record.offset + 1;
      this.#keepChunk(record);
      if (record.offset < this.#first) continue;
      this.#records.push(isRepeat ? { ...record, isRepeat } : record);
      this.#bytes += record.value.length;
    }
    // What was read for its block ids alone was given to nobody: two minutes of it would be held otherwise.
    const fetched = this.#chunks.splice(former);
    for (const { memory, lastOffset } of fetched) if (lastOffset < this.#first) freeMemory(memory);
    this.#chunks.push(...fetched.filter(({ lastOffset }) => lastOffset >= this.#first));
    if (this.#bytes >= AHEAD_BYTES) {
      this.#isPaused = true;
      this.#options.member.pause(this.#options.partition);
    }
    this.#wake?.();
    return true;
  }

  /** See {@link Assignment.read}. What is known to be there is waited for, however long it takes. */
  async read(offset: number, maxBytes: number, maxWaitMs: number): Promise<LogRecord[]> {
    this.#moveTo(offset);
    const deadline = performance.now() + maxWaitMs;
    while (this.#records.length === 0 && !this.#options.signal.aborted) {
      const isKnownToCome = this.#next < this.#highWatermark && offset < this.#highWatermark;
      const leftMs = isKnownToCome ? Number.POSITIVE_INFINITY : deadline - performance.now();
      if (leftMs <= 0) break;
      await this.#wait(leftMs);
    }
    return this.#fitting(maxBytes);
  }

  /** Frees the memory of records below an offset, where no other record stands in it; read again they are fetched again. */
  free(offset: number): void {
    if (offset > this.#first) this.#moveTo(offset);
    this.#chunks = this.#chunks.filter(({ memory, lastOffset }) => {
      if (lastOffset < offset) freeMemory(memory);
      return lastOffset >= offset;
    });
  }

  #keepChunk({ offset, value }: LogRecord): void {
    const last = this.#chunks.at(-1);
    if (last?.memory === value.buffer) last.lastOffset = offset;
    else if (isOfOneBatch(value.buffer)) {
      this.#chunks.push({ memory: value.buffer, lastOffset: offset });
    }
  }

  /** Fetches again, from so far back that a record's twin is remembered; before the first only block ids are taken. */
  #readTwins(): void {
    const { memory, twinsFrom } = this.#options;
    memory.beginAt(twinsFrom);
    this.#fetchFrom(twinsFrom);
    if (this.#isPaused) this.#resume();
  }

  #fetchFrom(offset: number): void {
    this.#records = [];
    this.#bytes = 0;
    this.#next = offset;
    this.#seek(offset);
  }

  #moveTo(offset: number): void {
    if (offset < this.#first) this.#fetchFrom(offset);
    this.#first = offset;
    const keep = this.#records.findIndex((record) => record.offset >= offset);
    for (const { value } of this.#records.splice(0, keep < 0 ? this.#records.length : keep)) {
      this.#bytes -= value.length;
    }
    if (this.#isPaused && this.#bytes < AHEAD_BYTES / 2) this.#resume();
  }

  /** A partition that was lost is the next owner's to move, also where that is this process again. */
  #seek(offset: number): void {
    const { member, partition, signal } = this.#options;
    if (!signal.aborted) member.seek(partition, offset);
  }

  #resume(): void {
    const { member, partition, signal } = this.#options;
    this.#isPaused = false;
    if (!signal.aborted) member.resume(partition);
  }

  #fitting(maxBytes: number): LogRecord[] {
    let bytes = 0;
    let count = 0;
    for (const { value } of this.#records) {
      bytes += value.length;
      if (bytes > maxBytes && count > 0) break;
      count++;
    }
    return this.#records.slice(0, count);
  }

  #wait(maxWaitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(maxWaitMs) ? setTimeout(() => this.#wake?.(), maxWaitMs) : null;
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/**
 * Whether an earlier record may be the same. A block with a unique id is formed once and appended by one lane, which sends
 * it again under its former number, or as the first of a new producer: with any other number it is the only one.
 */
function mayBeTwin({ value, batchContext }: FetchedMessage): boolean {
  const isLaterSend = batchContext !== undefined && batchContext.firstSequence > 0;
  const id = value === null ? undefined : blockIdOf(value);
  return !isLaterSend || id === undefined || !isUniqueBlockId(id);
}
