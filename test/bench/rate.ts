// A steady stream of events whatever the service does (open loop): acknowledgement latency, and time to be searchable.
import { setTimeout as sleep } from "node:timers/promises";
import { EventSource } from "./data.ts";
import type { Stream } from "./streams.ts";
import { hitsOf, runSearch } from "./search.ts";
import { sendBatch, type Target } from "./send.ts";

const PROBE_EVERY_MS = 1000;
/** Each look is a search, whose cost is in the figures: not more of them than the answer needs. */
const PROBE_POLL_MS = 200;
const PROBE_GIVE_UP_MS = 30_000;
/** The streams are those of the data set, the draws are not. */
const PART_OF_RATE = 999_983;

export interface RateOptions {
  readonly target: Target;
  readonly seed: number;
  readonly eventsPerSecond: number;
  readonly batchEvents: number;
  readonly seconds: number;
}

export interface RateResult {
  /** All that was stored, probes included. */
  readonly events: number;
  readonly messageBytes: number;
  readonly refused: number;
  /** From the moment a batch was due, not from when it could be sent: a stall counts for all that wait behind it. */
  readonly acknowledgeMs: readonly number[];
  /** From 202 to the first search that found the event; Infinity when none did. */
  readonly searchableMs: readonly number[];
  readonly tookSeconds: number;
}

/** Sends events of the present. */
export async function runRate(options: RateOptions): Promise<RateResult> {
  const source = new EventSource(options.seed, PART_OF_RATE);
  const none: ReadonlySet<number> = new Set();
  const intervalMs = (options.batchEvents / options.eventsPerSecond) * 1000;
  const batches = Math.round((options.seconds * 1000) / intervalMs);
  const acknowledgeMs: number[] = [];
  const inFlight: Promise<void>[] = [];
  let [refused, messageBytes] = [0, 0];

  const begin = performance.now();
  const probes = sendProbes(options, source.streams);
  for (let number = 0; number < batches; number++) {
    const dueMs = begin + number * intervalMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    const nowMs = Date.now();
    const batch = source.batch({
      events: options.batchEvents,
      epochSeconds: Math.floor(nowMs / 1000) - 4,
      fromNs: 4e9 + (nowMs % 1000) * 1e6,
      untilNs: 4e9 + ((nowMs % 1000) + intervalMs) * 1e6,
      needles: none,
    });
    messageBytes += batch.messageBytes;
    // The source reuses its buffer.
    const sent = sendBatch(options.target, `rate-${number}`, Buffer.from(batch.body)).then(
      (times) => {
        refused += times;
        acknowledgeMs.push(performance.now() - dueMs);
      },
    );
    sent.catch(() => undefined); // awaited below
    inFlight.push(sent);
  }
  await Promise.all(inFlight);
  const tookSeconds = (performance.now() - begin) / 1000;
  const searchableMs = await probes;
  const events = batches * options.batchEvents + searchableMs.length;
  return { events, messageBytes, refused, acknowledgeMs, searchableMs, tookSeconds };
}

/** Sends one event a second, to another stream each time, and looks for each until it is found. */
async function sendProbes(options: RateOptions, streams: readonly Stream[]): Promise<number[]> {
  const found: Promise<number>[] = [];
  for (let number = 0; number < options.seconds; number++) {
    const stream = streams[(number * 977) % streams.length];
    if (stream === undefined) break;
    const probe = findProbe(options.target, `probe-${number}-${crypto.randomUUID()}`, stream);
    probe.catch(() => undefined); // awaited below
    found.push(probe);
    await sleep(PROBE_EVERY_MS);
  }
  return Promise.all(found);
}

async function findProbe(target: Target, text: string, stream: Stream): Promise<number> {
  const sentMs = Date.now();
  const message = JSON.stringify(`level=info status=200 ${text} sent`);
  await sendBatch(target, text, `{"time":"${sentMs}000000${stream.head}${message}}\n`);
  const begin = performance.now();
  for (let attempt = 0; performance.now() - begin < PROBE_GIVE_UP_MS; attempt++) {
    // Another begin each time makes another query: the same one would be answered from the service's memory.
    const snapshot = await runSearch(target.url, {
      type: "UNSORTED_RESULTS",
      limit: "1",
      regex: `.*${text}.*`,
      prefix0: stream.prefixes[0],
      beginTime: new Date(sentMs - 1000 - attempt).toISOString(),
      endTime: new Date(sentMs + 1000).toISOString(),
    });
    if (hitsOf(snapshot) > 0) return performance.now() - begin;
    await sleep(PROBE_POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}
