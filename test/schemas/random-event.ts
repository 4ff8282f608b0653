// Generates events as they are once an edge has applied every limit.
import fc from "fast-check";
import {
  encodeContainer,
  type EncodedEvents,
  type StoredEvent,
} from "../../schemas/event-codec.ts";
import { EventWriter } from "../../schemas/event-writer.ts";

export const latestTime = 2n ** 63n - 1n;

/** Any code points but halves of surrogate pairs, which the edge replaces; short ones and empty ones often. */
export const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom(
    "",
    "a",
    "\0",
    "é",
    "\uffff",
    "🙂",
    "x".repeat(40),
    "x".repeat(41),
    "é".repeat(64),
  ),
);

/** Often where a varint grows by a byte, or the halves of a 64-bit number meet. */
export const time = fc.oneof(
  fc.bigInt(0n, latestTime),
  fc.tuple(fc.integer({ min: 0, max: 62 }), fc.constantFrom(-1n, 0n, 1n)).map(([bits, step]) => {
    const near = 2n ** BigInt(bits) + step;
    return near < 0n ? 0n : near;
  }),
  fc.constant(latestTime),
);

export const storedEvent: fc.Arbitrary<StoredEvent> = fc.record({
  customer: text,
  prefix0: text,
  prefix1: text,
  prefix2: text,
  prefix3: text,
  time,
  ingested: time,
  message: text,
  attributes: fc.dictionary(
    // A name of JavaScript's own has a test to itself.
    text.filter((name) => name !== "__proto__"),
    text,
    { maxKeys: 5, noNullPrototype: true },
  ),
});

export function anEvent(given: Partial<StoredEvent> = {}): StoredEvent {
  return {
    customer: "acme",
    prefix0: "web-1",
    prefix1: "nginx",
    prefix2: "",
    prefix3: "",
    time: 1_795_254_011_690_123_456n,
    ingested: 1_795_254_011_700_000_001n,
    message: "GET / 200",
    attributes: {},
    ...given,
  };
}

/** What an edge makes of events of one partition. */
export function encode(events: readonly StoredEvent[], asBytes = false): EncodedEvents {
  const writer = new EventWriter();
  for (const event of events) {
    const { message } = event;
    writer.write(asBytes ? { ...event, message: Buffer.from(message, "utf8") } : event);
  }
  return writer.take();
}

/** One log record of one block. */
export function recordOf(...events: readonly StoredEvent[]): Buffer {
  return encodeContainer(Buffer.alloc(16, 7), [encode(events)]);
}
