// From a protocol's events to encoded ones: defaults, limits, permissions and what is counted.
import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { ArrivalClock, encodeRequest } from "../../ingest/encode.ts";
import { Origin, withoutOrigin } from "../../ingest/origin.ts";
import { Partitions } from "../../ingest/partitions.ts";
import type { IncomingEvent, Mending } from "../../ingest/protocols/door.ts";
import type { Prefixes, Principal } from "../../ingest/tokens.ts";
import { decodeContainer, encodeContainer, type StoredEvent } from "../../schemas/event-codec.ts";
import { LogboomError } from "../../schemas/errors.ts";
import { partitionOf } from "../../schemas/partition.ts";
import { eventTimeRange } from "../../schemas/time.ts";

const day = 86_400_000_000_000n;
const maxEventBytes = 1000;

let clock: ArrivalClock;

beforeEach(() => {
  clock = new ArrivalClock();
});

function principal(prefixes: Prefixes = ["", "", "", ""]): Principal {
  return { tokenId: "t-1", kind: "write", customer: "acme", prefixes };
}

function encode(events: Iterable<IncomingEvent>, prefixes?: Prefixes) {
  return encodeRequest(events, {
    principal: principal(prefixes),
    partitions: new Partitions(4),
    clock,
    maxEventBytes,
  });
}

/** The events that would go into the log, by order of arrival. */
async function stored(events: Iterable<IncomingEvent>): Promise<StoredEvent[]> {
  const { pieces } = await encode(events);
  return pieces
    .flatMap((piece) => decodeContainer(encodeContainer(Buffer.alloc(16), [piece.events])))
    .toSorted((a, b) => (a.ingested < b.ingested ? -1 : 1));
}

async function refusalOf(
  events: Iterable<IncomingEvent>,
  prefixes?: Prefixes,
): Promise<LogboomError> {
  try {
    await encode(events, prefixes);
  } catch (error) {
    if (error instanceof LogboomError) return error;
    throw error;
  }
  throw new Error("the events were taken");
}

describe("an event", () => {
  test("without labels, time and attributes gets empty ones and the time of arrival", async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const [event] = await stored([{ message: "a" }]);
    expect(event).toMatchObject({
      customer: "acme",
      prefix0: "",
      prefix1: "",
      prefix2: "",
      prefix3: "",
      message: "a",
      attributes: {},
    });
    const time = event?.time ?? 0n;
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(BigInt(Date.now()) * 1_000_000n);
    expect(event?.ingested).toBeGreaterThan(time);
  });

  test("keeps what it says", async () => {
    const given = {
      time: 7n,
      prefix0: "é",
      prefix1: "1",
      prefix2: "2",
      prefix3: "3",
      message: "🙂",
      attributes: { a: "", b: "x" },
    };
    const [event] = await stored([given]);
    expect(event).toMatchObject(given);
  });

  test("is the same whether its message came as text or as bytes", async () => {
    const text = "é 🙂 \0 日本";
    const [a, b] = await stored([{ message: text }, { message: Buffer.from(text) }]);
    expect(b?.message).toBe(a?.message);
  });
});

describe("times of arrival", () => {
  test("increase strictly, within a request and over requests that are encoded at once", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ message: String(index) }));
    // Each of these gives other requests a turn.
    const requests = await Promise.all([stored(many(5000)), stored(many(5000)), stored(many(3))]);
    for (const events of requests) {
      expect(events.map(({ message }) => Number(message))).toEqual([...events.keys()]);
    }
    const all = requests.flat().map(({ ingested }) => ingested);
    expect(new Set(all).size).toBe(10_003);
  });

  test("increase though the machine's clock stands still or goes back", () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 5000 });
    try {
      const stopped = new ArrivalClock();
      expect(stopped.now()).toBe(5_000_000_000n);
      expect([stopped.next(), stopped.next()]).toEqual([5_000_000_001n, 5_000_000_002n]);
      vi.setSystemTime(1000);
      expect(stopped.now()).toBe(1_000_000_000n);
      expect(stopped.next()).toBe(5_000_000_003n);
      vi.setSystemTime(6000);
      expect(stopped.now()).toBe(6_000_000_000n);
      expect(stopped.next()).toBe(6_000_000_001n);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("events and pieces", () => {
  test("an event goes to the partition of its customer and prefix0, in order", async () => {
    const events = Array.from({ length: 400 }, (_, index) => ({
      prefix0: `host-${index % 9}`,
      message: String(index),
    }));
    const { pieces, accepted } = await encode(events);
    expect(accepted).toBe(400);
    const seen = new Set<number>();
    for (const { partition, events: encoded } of pieces) {
      seen.add(partition);
      const decoded = decodeContainer(encodeContainer(Buffer.alloc(16), [encoded]));
      expect(decoded).toHaveLength(encoded.count);
      expect(decoded.map(({ prefix0 }) => partitionOf("acme", prefix0, 4))).toEqual(
        decoded.map(() => partition),
      );
      const numbers = decoded.map(({ message }) => Number(message));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(seen.size).toBe(4);
  });

  test("a piece is cut soon after 128 KiB, and the size told is that of all", async () => {
    const events = Array.from({ length: 2000 }, () => ({ message: "x".repeat(900) }));
    const { pieces, sizeBytes } = await encode(events);
    const sizes = pieces.map((piece) => piece.events.bytes.length);
    expect(sizes.length).toBeGreaterThan(10);
    for (const size of sizes) expect(size).toBeLessThan(129 * 1024 + 1000);
    expect(sizeBytes).toBe(sizes.reduce((sum, size) => sum + size));
  });

  test("no events are no pieces", async () => {
    expect(await encode([])).toEqual({
      pieces: [],
      accepted: 0,
      invalidUtf8: 0,
      mended: 0,
      sizeBytes: 0,
    });
  });
});

describe("invalid text", () => {
  test("is replaced by U+FFFD, and the events are counted", async () => {
    const events: IncomingEvent[] = [
      { message: "valid \uFFFD" },
      { message: Buffer.from("valid é") },
      { message: Buffer.from([0x61, 0xff, 0x62]) },
      { message: Buffer.from([0xc3]) },
      { message: "half \ud83d of a pair" },
      { message: "replaced before", hadInvalidUtf8: true },
    ];
    expect((await encode(events)).invalidUtf8).toBe(4);
    expect((await stored(events)).map(({ message }) => message)).toEqual([
      "valid \uFFFD",
      "valid é",
      "a\uFFFDb",
      "\uFFFD",
      "half \uFFFD of a pair",
      "replaced before",
    ]);
  });

  test("whatever the bytes, what is stored is valid and is what a lenient reader would see", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        const message = Buffer.from(bytes);
        const [event] = await stored([{ message }]);
        expect(event?.message).toBe(message.toString("utf8"));
        expect(event?.message.isWellFormed()).toBe(true);
      }),
    );
  });
});

describe("limits", () => {
  test.each([
    ["text", "é".repeat(500), "é".repeat(500) + "x"],
    ["bytes", Buffer.alloc(1000, "x"), Buffer.alloc(1001, "x")],
    // The limit holds for what is stored: a replacement takes three bytes.
    ["invalid bytes", Buffer.alloc(333, 0xff), Buffer.alloc(334, 0xff)],
  ])("a message of %s may have the limit's bytes and no more", async (_, largest, tooLarge) => {
    expect((await encode([{ message: largest }])).accepted).toBe(1);
    const refusal = await refusalOf([{ message: "a" }, { message: tooLarge }]);
    expect(refusal).toMatchObject({
      code: "TOO_LARGE",
      details: { event: 1, field: "message", limit: maxEventBytes },
    });
    expect(refusal.message).toMatch(
      /^event 1: the message of \d+ bytes exceeds the limit of 1000 bytes$/,
    );
  });

  test("times are those that can be found: from 1970 to before 2254-07-22T01:34:33Z", async () => {
    const edges = [
      { time: eventTimeRange.first, message: "" },
      { time: eventTimeRange.end - 1n, message: "" },
    ];
    expect((await encode(edges)).accepted).toBe(2);
    for (const time of [-1n, eventTimeRange.end, 2n ** 63n, 9_999_999_999_999_999_999n]) {
      const refusal = await refusalOf([{ message: "a" }, { time, message: "b" }]);
      expect(refusal).toMatchObject({ code: "BAD_REQUEST", details: { event: 1, field: "time" } });
      expect(refusal.message).toContain(String(time));
      expect(refusal.message).toContain(
        "expected 1970-01-01T00:00:00Z to before 2254-07-22T01:34:33Z",
      );
    }
  });

  test("a request may touch 1,000 days and no more, however they are ordered", async () => {
    const days = (count: number) =>
      Array.from({ length: 3 * count }, (_, index) => ({
        time: BigInt(index % count) * day + BigInt(index),
        message: "",
      }));
    expect((await encode(days(1000))).accepted).toBe(3000);
    const refusal = await refusalOf(days(1001));
    expect(refusal).toMatchObject({
      code: "TOO_LARGE",
      message: "more than 1000 days of event times in one request",
    });
  });

  test("a request may have 1,000,000 events and no more", async () => {
    function* events(count: number): Generator<IncomingEvent> {
      const event = { time: 1n, message: "" };
      for (let index = 0; index < count; index++) yield event;
    }
    expect((await encode(events(1_000_000))).accepted).toBe(1_000_000);
    expect(await refusalOf(events(1_000_001))).toMatchObject({
      code: "TOO_LARGE",
      message: "more than 1000000 events in one request",
    });
  });

  test.each([
    [
      "too many",
      Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, ""])),
      "65 attributes exceed the limit of 64",
    ],
    ["an empty name", { "": "x" }, 'the attribute name "" has 0 bytes; expected 1 to 255'],
    [
      "a long name",
      { ["é".repeat(128)]: "x" },
      `the attribute name "${"é".repeat(40)}" has 256 bytes; expected 1 to 255`,
    ],
    [
      "a reserved name",
      JSON.parse('{"__proto__":"x"}') as Record<string, string>,
      'the attribute name "__proto__" is reserved',
    ],
    [
      "a long value",
      { a: "é".repeat(16_385) },
      'the value of attribute "a" has 32770 bytes; the limit is 32768',
    ],
    ["a number", { a: 7 as unknown as string }, 'attribute "a" is not a string'],
    ["null", { a: null as unknown as string }, 'attribute "a" is not a string'],
    ["a list", { a: [{}] as unknown as string }, 'attribute "a" is not a string'],
  ])("attributes with %s are refused", async (_, attributes, message) => {
    const refusal = await refusalOf([{ message: "a" }, { message: "b", attributes }]);
    expect(refusal).toMatchObject({
      code: "BAD_REQUEST",
      message: `event 1: ${message}`,
      details: { event: 1, field: "attributes" },
    });
  });

  test("an attribute that no number could make right is refused without a limit", async () => {
    const attributes = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const { details } = await refusalOf([{ message: "a", attributes }]);
    expect(details).toEqual({ event: 0, field: "attributes" });
  });

  test("64 attributes with names and values of the largest size are taken", async () => {
    const attributes = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [
        String(index).padEnd(255, "n"),
        "v".repeat(32_768),
      ]),
    );
    const [event] = await stored([{ message: "a", attributes }]);
    expect(event?.attributes).toEqual(attributes);
  });
});

describe("labels", () => {
  test("may have 255 bytes of any printable characters", async () => {
    const label = "é".repeat(127) + "x";
    const [event] = await stored([
      { prefix0: label, prefix1: " ", prefix2: "日本", prefix3: '"\\%_*', message: "" },
    ]);
    expect(event).toMatchObject({
      prefix0: label,
      prefix1: " ",
      prefix2: "日本",
      prefix3: '"\\%_*',
    });
  });

  test.each([
    [
      "prefix0",
      "x".repeat(256),
      `the label "${"x".repeat(40)}…" in "prefix0" has 256 bytes; the limit is 255`,
    ],
    [
      "prefix3",
      "é".repeat(128),
      `the label "${"é".repeat(40)}…" in "prefix3" has 256 bytes; the limit is 255`,
    ],
    ["prefix1", "a\nb", 'the label "a\\nb" in "prefix1" holds a control character at offset 1'],
    ["prefix1", "\0", 'the label "\\u0000" in "prefix1" holds a control character at offset 0'],
    ["prefix2", "ab\u007f", "holds a control character at offset 2"],
    ["prefix2", "é\u0085", "holds a control character at offset 1"],
    ["prefix0", "a\ud800", "holds an unpaired surrogate"],
  ])("%s of %j is refused", async (field, label, message) => {
    const refusal = await refusalOf([{ message: "a" }, { [field]: label, message: "b" }]);
    expect(refusal.code).toBe("BAD_REQUEST");
    expect(refusal.details).toMatchObject({ event: 1, field });
    expect(refusal.message).toMatch(/^event 1: the label /);
    expect(refusal.message).toContain(message);
  });

  test.each([
    [["web", "", "", ""], { prefix0: "web-1" }, { prefix0: "we" }, "prefix0"],
    [["web", "", "", ""], { prefix0: "web" }, {}, "prefix0"],
    [["", "", "", "x"], { prefix3: "xy", prefix0: "any" }, { prefix3: "yx" }, "prefix3"],
    [
      ["é", "a", "", ""],
      { prefix0: "éa", prefix1: "a" },
      { prefix0: "é", prefix1: "A" },
      "prefix1",
    ],
  ] as const)(
    "under a token for %j: %j may be written, %j may not",
    async (prefixes, allowed, forbidden, field) => {
      expect((await encode([{ ...allowed, message: "" }], [...prefixes])).accepted).toBe(1);
      const refusal = await refusalOf(
        [
          { ...allowed, message: "" },
          { ...forbidden, message: "" },
        ],
        [...prefixes],
      );
      expect(refusal).toMatchObject({
        code: "NO_PERMISSION",
        details: { event: 1, field, tokenId: "t-1" },
      });
    },
  );

  test("are checked for each token, whoever wrote them before", async () => {
    const partitions = new Partitions(4);
    const options = { partitions, clock, maxEventBytes };
    const event = { prefix0: "db", message: "" };
    await encodeRequest([event], { ...options, principal: principal() });
    await expect(
      encodeRequest([event], { ...options, principal: principal(["web", "", "", ""]) }),
    ).rejects.toThrow('the token may only write labels prefix0 that start with "web", not "db"');
  });
});

test("partitions are those of the hash, also once more streams were seen than are remembered", () => {
  const partitions = new Partitions(4);
  for (let round = 0; round < 2; round++) {
    for (let host = 0; host < 20_500; host++) {
      const prefix0 = `host-${host}`;
      if (partitions.of("acme", prefix0) !== partitionOf("acme", prefix0, 4))
        throw new Error(prefix0);
    }
  }
  expect(partitions.of("other", "host-1")).toBe(partitionOf("other", "host-1", 4));
});

describe("an origin", () => {
  const label = fc.option(
    fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.constant("é".repeat(200))),
    { nil: undefined },
  );
  const attributes = fc.oneof(
    fc.dictionary(
      fc.constantFrom("a", "b", "c", "", "é".repeat(200)),
      fc.string({ unit: "binary" }),
    ),
    fc.constantFrom(
      Object.fromEntries(Array.from({ length: 63 }, (_, number) => [`n${number}`, "v"])),
      Object.fromEntries(Array.from({ length: 65 }, (_, number) => [`n${number}`, "v"])),
    ),
  );
  const own = fc.record(
    {
      time: fc.constantFrom(0n, day, 2n * day, -1n, eventTimeRange.end),
      message: fc.oneof(
        fc.string(),
        fc.uint8Array().map(Buffer.from),
        fc.constant("x".repeat(1001)),
      ),
      attributes,
    },
    { requiredKeys: ["message"] },
  );

  /** What is stored but for the times of arrival, and what is counted; or why it is refused. */
  async function outcomeOf(events: Iterable<IncomingEvent>, mending: Mending, prefixes: Prefixes) {
    const encoded = await encodeRequest(events, {
      principal: principal(prefixes),
      partitions: new Partitions(4),
      clock,
      maxEventBytes,
      mending,
    }).catch((error: unknown) => (error as LogboomError).message);
    if (typeof encoded === "string") return encoded;
    const { accepted, invalidUtf8, mended, pieces } = encoded;
    const stored = pieces.map(({ partition, events: piece }) => ({
      partition,
      events: decodeContainer(encodeContainer(Buffer.alloc(16), [piece])).map((event) => ({
        ...event,
        ingested: 0n,
      })),
    }));
    return { accepted, invalidUtf8, mended, stored };
  }

  test("stands for labels and attributes of each event, whatever the limits make of them", async () => {
    const origins = fc.array(fc.tuple(label, label, attributes), { minLength: 1, maxLength: 3 });
    const events = fc.array(fc.tuple(fc.nat(2), own), { maxLength: 12 });
    const mendings = fc.constantFrom<Mending>("refuse", "labels", "all");
    const allowed = fc.constantFrom<Prefixes>(
      ["", "", "", ""],
      ["", "", "", ""],
      ["a", "", "", ""],
    );
    vi.setSystemTime(new Date("2026-11-21T12:00:00Z"));
    onTestFinished(() => void vi.useRealTimers());
    await fc.assert(
      fc.asyncProperty(
        origins,
        events,
        mendings,
        allowed,
        async (shared, given, mending, prefixes) => {
          const made = shared.map(
            ([prefix0, prefix1, common]) => new Origin({ prefix0, prefix1, prefix3: "p" }, common),
          );
          const whole = given.map(([number, event]): IncomingEvent => ({
            ...event,
            origin: made[number % made.length],
          }));
          clock = new ArrivalClock();
          const fast = await outcomeOf(whole, mending, prefixes);
          clock = new ArrivalClock();
          expect(fast).toEqual(await outcomeOf(whole.map(withoutOrigin), mending, prefixes));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("of events of several keys is checked and written for each", async () => {
    const origin = new Origin({ prefix0: "web" }, { a: "b" });
    const encodeFor = (customer: string, prefix0: string) =>
      encodeRequest([{ origin, message: "m" }], {
        principal: { ...principal([prefix0, "", "", ""]), customer },
        partitions: new Partitions(4),
        clock,
        maxEventBytes,
        mending: "all",
      });
    for (const customer of ["acme", "other"]) {
      const [piece] = (await encodeFor(customer, "we")).pieces;
      expect(piece?.partition).toBe(partitionOf(customer, "web", 4));
      const container = encodeContainer(
        Buffer.alloc(16),
        piece === undefined ? [] : [piece.events],
      );
      expect(decodeContainer(container)).toMatchObject([
        { customer, prefix0: "web", attributes: { a: "b" } },
      ]);
    }
    await expect(encodeFor("acme", "db")).rejects.toMatchObject({ code: "NO_PERMISSION" });
  });
});
