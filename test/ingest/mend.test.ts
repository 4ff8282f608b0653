// Events beyond the limits, brought within them for agents that cannot correct what they send.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArrivalClock, encodeRequest } from "../../ingest/encode.ts";
import { mendEvent } from "../../ingest/mend.ts";
import { Partitions } from "../../ingest/partitions.ts";
import type { IncomingEvent, Mending } from "../../ingest/protocols/door.ts";
import { eventTimeRange } from "../../schemas/time.ts";
import { principalOf } from "./protocols/door-fixture.ts";

const mend = (event: Partial<IncomingEvent>, mending: "labels" | "all" = "all") =>
  mendEvent({ message: "m", ...event }, mending, 100);

describe("an event within the limits", () => {
  test.each<Partial<IncomingEvent>>([
    {},
    { prefix0: "é", attributes: { a: "x".repeat(32_768), ["é".repeat(127)]: "" } },
    { message: "x".repeat(100), time: 0n },
    { message: "é".repeat(50) },
    { message: Buffer.alloc(100), time: eventTimeRange.end - 1n },
  ])("is the same: %#", (facts) => {
    const event = { message: "m", ...facts };
    expect(mendEvent(event, "all", 100)).toBe(event);
  });
});

describe("a label", () => {
  test.each([
    ["a\tb\u0000c\u0085", "a b c "],
    ["x".repeat(300), "x".repeat(255)],
    ["é".repeat(200), "é".repeat(127)],
    ["a\ud800", "a\ufffd"],
  ])("%j becomes %j", (label, expected) => {
    for (const name of ["prefix0", "prefix1", "prefix2", "prefix3"] as const) {
      expect(mend({ [name]: label }, "labels")[name]).toBe(expected);
    }
  });
});

test("attributes are as many as allowed, cut, and without names that cannot be", () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`n${index}`, "v"]));
  const { attributes } = mend({
    attributes: { "": "x", [`${"é".repeat(128)}a`]: "kept", long: "é".repeat(20_000), ...many },
  });
  expect(Object.keys(attributes ?? {})).toHaveLength(64);
  expect(attributes?.["é".repeat(127)]).toBe("kept");
  expect(attributes?.["long"]).toBe("é".repeat(16_384));
  expect(Object.keys(attributes ?? {})).not.toContain("");
});

test("a message and a time are mended where that is wanted, and left where not", () => {
  const event = { message: "é".repeat(60), time: -1n };
  expect(mend(event)).toMatchObject({ message: "é".repeat(50), time: undefined });
  expect(mend(event, "labels")).toMatchObject(event);
  expect(mend({ message: Buffer.from(`a${"é".repeat(60)}`) }).message.toString()).toBe(
    `a${"é".repeat(49)}`,
  );
});

function encode(events: Iterable<IncomingEvent>, mending: Mending) {
  return encodeRequest(events, {
    principal: principalOf(),
    partitions: new Partitions(4),
    clock: new ArrivalClock(),
    maxEventBytes: 100,
    mending,
  });
}

test("whatever an event is, mended it can be encoded", async () => {
  const text = fc.string({ unit: "binary", maxLength: 400 });
  const event = fc.record({
    message: fc.oneof(
      text,
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    ),
    time: fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    prefix0: text,
    prefix1: text,
    prefix2: text,
    prefix3: text,
    attributes: fc.dictionary(text, text, { maxKeys: 80 }),
  });
  await fc.assert(
    fc.asyncProperty(event, async (one) => {
      expect(await encode([one], "all")).toMatchObject({ accepted: 1 });
    }),
    { numRuns: 300 },
  );
});

test("events of more days than allowed get the time of arrival", async () => {
  const days = Array.from({ length: 1005 }, (_, day) => ({
    message: "m",
    time: BigInt(day) * 86_400_000_000_000n,
  }));
  expect(await encode(days, "all")).toMatchObject({ accepted: 1005, mended: 5 });
  await expect(encode(days, "labels")).rejects.toThrow("more than 1000 days");
});
