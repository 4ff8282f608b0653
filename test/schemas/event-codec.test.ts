// The writer's bytes, the containers around them, and how they are read and refused.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  containerBlocks,
  countEvents,
  decodeContainer,
  encodeContainer,
  eventType,
  isCurrentContainer,
  joinedHeader,
  type StoredEvent,
} from "../../schemas/event-codec.ts";
import { EventWriter } from "../../schemas/event-writer.ts";
import { readWithAvsc, writeWithAvsc } from "./avro-files.ts";
import type { DamagedDecoding } from "./decode-damaged.ts";
import { anEvent, encode, latestTime, recordOf, storedEvent } from "./random-event.ts";

/** Of avsc's records, what was in them. */
function plain(events: readonly unknown[]): StoredEvent[] {
  return events.map((event) => ({ ...(event as StoredEvent) }));
}

describe("the writer", () => {
  test("writes what avsc writes, whatever the event", () => {
    fc.assert(
      fc.property(storedEvent, fc.boolean(), (event, asBytes) => {
        expect(encode([event], asBytes).bytes).toEqual(eventType.toBuffer(event));
      }),
      { numRuns: 500 },
    );
  });

  test("keeps events in order over its own growth", () => {
    const lengths = [0, 1, 63, 64, 8191, 8192, 65_535, 65_536, 1_048_575, 1_048_576];
    const events = lengths.map((length) =>
      anEvent({ message: "é".repeat(length / 2).padEnd(length / 2 + (length % 2), "x") }),
    );
    const { count, bytes } = encode(events);
    expect(count).toBe(lengths.length);
    expect(plain(decodeContainer(encodeContainer(randomBytes(16), [{ count, bytes }])))).toEqual(
      events,
    );
  });

  test("starts anew after its events are taken, and does not change those taken", () => {
    const writer = new EventWriter();
    writer.write({ ...anEvent({ message: "first" }), attributes: undefined });
    expect(writer.sizeBytes).toBeGreaterThan(0);
    const first = writer.take();
    expect(writer.sizeBytes).toBe(0);
    writer.write(anEvent({ message: "other" }));
    const [decoded] = decodeContainer(encodeContainer(Buffer.alloc(16), [first]));
    expect(decoded).toEqual(anEvent({ message: "first" }));
    expect(writer.take().count).toBe(1);
    expect(writer.take()).toEqual({ count: 0, bytes: Buffer.alloc(0) });
  });
});

describe("a container", () => {
  test("gives back every event, by our reader and by avsc's own", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(storedEvent, { maxLength: 6 }), { maxLength: 4 }),
        async (pieces) => {
          const events = pieces.flat();
          const record = encodeContainer(
            randomBytes(16),
            pieces.map((piece) => encode(piece)),
          );
          expect(plain(decodeContainer(record))).toEqual(events);
          expect(plain(await readWithAvsc(record))).toEqual(events);
          expect(countEvents(record)).toBe(events.length);
          expect(isCurrentContainer(record)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("holds times from 0 to 2^63 - 1 and a message of 1 MiB", () => {
    const events = [
      anEvent({ time: 0n, ingested: 0n, message: "" }),
      anEvent({ time: latestTime, ingested: latestTime }),
      anEvent({ message: "日本🙂é".repeat(100_000).slice(0, 400_000) }),
      anEvent({ message: "x".repeat(1024 * 1024) }),
    ];
    expect(plain(decodeContainer(recordOf(...events)))).toEqual(events);
  });

  test("differs from another of the same events by its block id alone", () => {
    const piece = encode([anEvent()]);
    const a = encodeContainer(Buffer.alloc(16, 1), [piece]);
    const b = encodeContainer(Buffer.alloc(16, 2), [piece]);
    const differing = [...a.keys()].filter((index) => a[index] !== b[index]);
    expect(differing).toHaveLength(16);
    expect(containerBlocks(a)).toEqual(containerBlocks(b));
  });
});

describe("records joined behind one header", () => {
  test("are one container of all their events, by our reader and by avsc's own", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(storedEvent, { minLength: 1, maxLength: 5 }), {
          minLength: 1,
          maxLength: 8,
        }),
        async (records) => {
          const joined = Buffer.concat([
            joinedHeader(),
            ...records.map((events) => containerBlocks(recordOf(...events))),
          ]);
          expect(plain(decodeContainer(joined))).toEqual(records.flat());
          expect(plain(await readWithAvsc(joined))).toEqual(records.flat());
          expect(countEvents(joined)).toBe(records.flat().length);
          expect(isCurrentContainer(joined)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("a header alone is a container of nothing", () => {
    expect(decodeContainer(joinedHeader())).toEqual([]);
    expect(countEvents(joinedHeader())).toBe(0);
    expect(isCurrentContainer(joinedHeader())).toBe(true);
  });
});

describe("what is no current container", () => {
  const record = recordOf(anEvent());
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("no Avro at all, and longer than a header would be ".repeat(40))],
    ["a container cut within its header", record.subarray(0, joinedHeader().length - 1)],
    ["a container with another sync marker", withByte(record, joinedHeader().length - 1)],
    ["a container with another schema", withByte(record, 60)],
  ])("%s is told from one", (_, bytes) => {
    expect(isCurrentContainer(bytes)).toBe(false);
  });

  test("another writer's container of today's schema is told from ours, and is read", async () => {
    const foreign = await writeWithAvsc(eventType, [anEvent()]);
    expect(isCurrentContainer(foreign)).toBe(false);
    expect(plain(decodeContainer(foreign))).toEqual([anEvent()]);
  });
});

describe("a damaged container", () => {
  const events = [
    anEvent({ message: "first" }),
    anEvent({ message: "second" }),
    anEvent({ message: "third" }),
  ];
  const [first, second] = [recordOf(...events.slice(0, 2)), recordOf(...events.slice(2))];
  const record = Buffer.concat([first, containerBlocks(second)]);
  const wholeAt = new Set([joinedHeader().length, first.length, record.length]);
  const blocksAt = joinedHeader().length;

  test("is refused wherever it is cut but between two blocks", () => {
    for (let length = 0; length < record.length; length++) {
      if (wholeAt.has(length)) continue;
      expect(() => decodeContainer(record.subarray(0, length)), `cut at ${length}`).toThrow(/./);
    }
  });

  test("is refused when a sync marker is wrong", () => {
    for (const end of [first.length, record.length]) {
      for (let position = end - 16; position < end; position++) {
        expect(() => decodeContainer(withByte(record, position))).toThrow("wrong sync marker");
      }
    }
  });

  test.each([
    ["more events than the block holds", 3],
    // The reader takes the two that are counted and passes over the third in silence.
    ["fewer events than the block holds", 1],
    ["a negative number of events", -2],
  ])("is refused when it counts %s", (_, count) => {
    const damaged = Buffer.from(first);
    damaged[blocksAt] = count < 0 ? -count * 2 - 1 : count * 2;
    expect(() => decodeContainer(damaged)).toThrow(/./);
  });

  test("is refused when a text is longer than its block", () => {
    // The first event's customer, "acme", of four bytes.
    const lengthAt = record.indexOf("acme") - 1;
    expect(record[lengthAt]).toBe(8);
    const damaged = Buffer.from(record);
    damaged[lengthAt] = 126;
    expect(() => decodeContainer(damaged)).toThrow(/./);
  });

  // A reader that believes the count of a map reads beyond the end of the bytes, as good as for ever; in
  // the service that would be the end of everything, at every start anew.
  test("never makes the reader hang or invent events, whichever byte is wrong", async () => {
    const position = new SharedArrayBuffer(4);
    const values = [0, 1, 2, 6, 44, 50, 56, 68, 78, 92, 110, 116, 124, 127, 128, 194, 255];
    const thread = new Worker(new URL("decode-damaged.ts", import.meta.url), {
      workerData: { record, values, position } satisfies DamagedDecoding,
    });
    try {
      const [most] = (await once(thread, "message", { signal: AbortSignal.timeout(15_000) })) as [
        number,
      ];
      expect(most).toBeLessThanOrEqual(events.length);
    } catch (error) {
      const [stuckAt] = new Int32Array(position);
      throw new Error(`decoding hangs when byte ${stuckAt} of ${record.length} is wrong`, {
        cause: error,
      });
    } finally {
      await thread.terminate();
    }
  });

  test("is refused when its codec is unknown", async () => {
    const deflated = await writeWithAvsc(eventType, [anEvent()], { codec: "deflate" });
    expect(() => decodeContainer(deflated)).toThrow(
      'unknown Avro codec "deflate"; expected "null"',
    );
  });

  test.each([
    ["empty", Buffer.alloc(0)],
    ["text", Buffer.from("no Avro at all")],
    ["a foreign magic", Buffer.concat([Buffer.from("Obj\x02"), record.subarray(4)])],
  ])("is refused when it is %s", (_, bytes) => {
    expect(() => decodeContainer(bytes)).toThrow("not an Avro container file");
  });
});

/** The same bytes with one of them changed. */
function withByte(bytes: Buffer, position: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[position] = (changed[position] ?? 0) ^ 0x55;
  return changed;
}
