// Makes the events of the benchmark as NDJSON bodies: the same bytes for the same seed, times and numbers.
import { KINDS, needleLine } from "./lines.ts";
import { Random } from "./random.ts";
import { stampOf } from "./stamp.ts";
import { createPickTable, createStreams, type Stream } from "./streams.ts";

/** Agents send an event a little after it happened, and so not quite in order. */
const LATENESS_NS = 2e9;
const LINE_BYTES_AT_MOST = 24_000;

/** What a batch is to hold; times count from `epochSeconds`, as numbers, because nanoseconds of days fit a double. */
export interface BatchPlan {
  readonly events: number;
  readonly epochSeconds: number;
  readonly fromNs: number;
  readonly untilNs: number;
  /** Where in the batch an event is a needle. */
  readonly needles: ReadonlySet<number>;
}

export interface Batch {
  readonly body: Buffer;
  readonly messageBytes: number;
}

export class EventSource {
  readonly streams: readonly Stream[];
  /** How many events each stream got so far. */
  readonly streamEvents: Uint32Array;
  readonly #picks: Uint16Array;
  readonly #random: Random;
  #buffer = Buffer.allocUnsafe(4 << 20);

  /** @param part draws other events from the same streams, so that parts of a data set can be made apart */
  constructor(seed: number, part: number) {
    this.streams = createStreams(seed);
    this.streamEvents = new Uint32Array(this.streams.length);
    this.#picks = createPickTable(this.streams, seed);
    this.#random = new Random(seed + Math.imul(part + 1, 0x9e3779b1));
  }

  /** The body is valid until the next call. */
  batch(plan: BatchPlan): Batch {
    const random = this.#random;
    const stepNs = (plan.untilNs - plan.fromNs) / plan.events;
    let length = 0;
    let messageBytes = 0;
    let stream = this.#anyStream();
    for (let index = 0; index < plan.events; index++) {
      // A stream writes a few lines at a time.
      if (random.chance(0.6)) stream = this.#anyStream();
      const happenedNs = plan.fromNs + (index + random.fraction()) * stepNs;
      const timeNs = Math.max(0, Math.floor(happenedNs - random.fraction() * LATENESS_NS));
      const seconds = Math.floor(timeNs / 1e9);
      const { digits, line } = KINDS[stream.kind];
      const stamp = stampOf(plan.epochSeconds + seconds, timeNs - seconds * 1e9, digits);
      const message = plan.needles.has(index)
        ? needleLine(random, stamp)
        : line(random, stamp, stream);
      this.streamEvents[stream.number] = (this.streamEvents[stream.number] ?? 0) + 1;
      messageBytes += message.length;
      const text = `{"time":"${stamp.epoch}${stamp.nanos}${stream.head}${JSON.stringify(message)}}\n`;
      if (this.#buffer.length - length < LINE_BYTES_AT_MOST) this.#grow(length);
      // Every line is ASCII, so that its length is its size.
      length += this.#buffer.write(text, length, "latin1");
    }
    return { body: this.#buffer.subarray(0, length), messageBytes };
  }

  #anyStream(): Stream {
    const stream = this.streams[this.#picks[this.#random.below(this.#picks.length)] ?? 0];
    if (stream === undefined)
      throw new Error("the table of picks names a stream that does not exist");
    return stream;
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
    this.#buffer.copy(larger, 0, 0, length);
    this.#buffer = larger;
  }
}
