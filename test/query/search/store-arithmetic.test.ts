// What the store computes of cells, keys and ties, where that is hardest: fractions, wide ranges, long characters.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cellOf, cellSql } from "../../../query/search/cells.ts";
import { cutKey, cutKeySql } from "../../../query/search/key31.ts";
import { readSearchRequest, type SearchRequest } from "../../../query/search/request.ts";
import { eventsStatement, keysStatement } from "../../../query/search/statement.ts";
import { compileSearch } from "../../../query/language/search.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  insertEvents,
  openTestStore,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";
import { sliceOf } from "./slice-fixture.ts";

let opened: TestStore;

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

function requestOf(given: Readonly<Record<string, string>>): SearchRequest {
  return readSearchRequest(new URLSearchParams({ customer: "acme", regex: ".*", ...given }));
}

interface Sample {
  readonly time: bigint;
  readonly x: number;
  readonly y: number;
}

/** The cells of many events by one statement; numbers go as their bits, so that none is rounded on the way. */
async function cellsInStore(request: SearchRequest, samples: readonly Sample[]): Promise<number[]> {
  const bits = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return String(bytes.readBigUInt64LE());
  };
  const result = await opened.writer.query({
    query: `
      SELECT toUInt32(${cellSql(request, "x", "y")}) AS cell
      FROM (
        SELECT fromUnixTimestamp64Nano(sample.1) AS time,
          reinterpretAsFloat64(sample.2) AS x, reinterpretAsFloat64(sample.3) AS y
        FROM (SELECT arrayJoin(arrayZip(
          arrayMap(text -> toInt64(text), {times:Array(String)}),
          arrayMap(text -> toUInt64(text), {xs:Array(String)}),
          arrayMap(text -> toUInt64(text), {ys:Array(String)}))) AS sample)
      )`,
    query_params: {
      times: samples.map(({ time }) => String(time)),
      xs: samples.map(({ x }) => bits(x)),
      ys: samples.map(({ y }) => bits(y)),
    },
    format: "JSONCompactEachRow",
  });
  return (await result.json<[number]>()).map(([cell]) => cell);
}

/** The definition, by exact integers and plain comparisons. */
function cellByDefinition(
  { begin, end, timeBins, xSplits, ySplits }: SearchRequest,
  { time, x, y }: Sample,
): number {
  const bin = Number(((time - begin) * BigInt(timeBins)) / (end - begin));
  const ix = xSplits.filter((split) => split <= x).length;
  const iy = ySplits.filter((split) => split <= y).length;
  return (bin * (xSplits.length + 1) + ix) * (ySplits.length + 1) + iy;
}

/** The neighbour of a number among those that a double can say. */
function neighbour(value: number, step: 1n | -1n): number {
  const bytes = Buffer.alloc(8);
  // Of the two zeros, the one whose neighbours are next to it in the order of bits.
  bytes.writeDoubleLE(value === 0 ? (step < 0n ? -0 : 0) : value);
  bytes.writeBigInt64LE(
    bytes.readBigInt64LE() + (value < 0 || (value === 0 && step < 0n) ? -step : step),
  );
  return bytes.readDoubleLE();
}

/** Times of a range, often where a bin begins or ends. */
function timesOf({ begin, end, timeBins }: SearchRequest): fc.Arbitrary<bigint> {
  const within = (time: bigint) => (time < begin ? begin : time >= end ? end - 1n : time);
  return fc.oneof(
    fc.bigInt(begin, end - 1n),
    fc
      .tuple(fc.integer({ min: 0, max: timeBins }), fc.constantFrom(-1n, 0n, 1n))
      .map(([bin, step]) =>
        within(begin + ((end - begin) * BigInt(bin)) / BigInt(timeBins) + step),
      ),
  );
}

async function compareCells(request: SearchRequest, samples: readonly Sample[]): Promise<void> {
  const expected = samples.map((sample) => cellByDefinition(request, sample));
  expect(samples.map(({ time, x, y }) => cellOf(request, time, { x, y }))).toEqual(expected);
  expect(await cellsInStore(request, samples)).toEqual(expected);
}

describe("time bins", () => {
  const ranges: [begin: string, end: string][] = [
    ["1970-01-01 01:00:00", "2254-07-22 01:34:33"],
    ["1970-01-01 00:00:00", "1970-01-01 00:00:00.000000001"],
    ["2026-05-01 00:00:00", "2026-05-01 00:00:00.000004096"],
    ["2026-05-01 00:00:00.000000007", "2026-05-01 00:00:00.000004095"],
    ["2026-05-01 00:00:00", "2026-05-02 00:00:00"],
    ["2026-05-01 00:00:00", "2026-05-01 00:00:10"],
    // Before what is stored, and beyond 64 bits: such a range may be asked for.
    ["1600-01-01 00:00:00", "2254-07-22 01:34:33"],
    ["1969-12-31 23:59:59", "2026-05-01 00:00:00"],
    ["2026-05-01 00:00:00", "9999-12-31 23:59:59"],
    ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999999"],
  ];

  test.each(ranges)(
    "of %s to %s are the definition's, here and in the store",
    async (beginTime, endTime) => {
      for (const timeBins of [1, 2, 3, 7, 60, 1000, 4095, 4096]) {
        const request = requestOf({
          type: "EXACT_COUNTS_BINNED",
          timeBins: String(timeBins),
          beginTime,
          endTime,
        });
        const stored = {
          ...request,
          begin: request.begin < 0n ? 0n : request.begin,
          end: request.end > 2n ** 63n ? 2n ** 63n : request.end,
        };
        const times = fc.sample(
          fc.oneof(
            timesOf(request).filter((time) => time >= stored.begin && time < stored.end),
            fc.bigInt(stored.begin, stored.end - 1n),
          ),
          60,
        );
        await compareCells(
          request,
          times.map((time) => ({ time, x: 0, y: 0 })),
        );
      }
    },
  );
});

describe("buckets", () => {
  const splits = fc
    .uniqueArray(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(
          0.1,
          0.3,
          1e-7,
          5e-324,
          1e21,
          1.7976931348623157e308,
          9007199254740992,
          -0.001,
        ),
      ),
      { maxLength: 45, comparator: "SameValueZero" },
    )
    .map((numbers) => numbers.toSorted((a, b) => a - b));

  test("begin at their threshold, to the last bit of it, here and in the store", async () => {
    await fc.assert(
      fc.asyncProperty(
        splits,
        splits,
        fc.integer({ min: 1, max: 40 }),
        async (xs, ys, timeBins) => {
          const request = requestOf({
            type: "EXACT_XY_HISTOGRAM_BINNED",
            regex: "(?<x>(?int)) (?<y>(?int))",
            timeBins: String(timeBins),
            xSplits: xs.join(),
            ySplits: ys.join(),
          });
          const around = (numbers: readonly number[]) =>
            fc
              .oneof(
                fc.double({ noNaN: true, noDefaultInfinity: true }),
                ...(numbers.length === 0
                  ? []
                  : [
                      fc.constantFrom(...numbers),
                      fc.constantFrom(...numbers).map((value) => neighbour(value, 1n)),
                      fc.constantFrom(...numbers).map((value) => neighbour(value, -1n)),
                    ]),
              )
              .filter(Number.isFinite);
          const sample = fc.record({ time: timesOf(request), x: around(xs), y: around(ys) });
          await compareCells(request, fc.sample(sample, 40));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("keys", () => {
  test("are cut at the same byte in the store and here, wherever a character stands", async () => {
    const character = fc.constantFrom(
      "a",
      "é",
      "日",
      "🙂",
      "e\u0301",
      "\0",
      "\u07ff",
      "\u0800",
      "\uffff",
    );
    const around = fc
      .tuple(fc.integer({ min: 24, max: 33 }), fc.array(character, { maxLength: 8 }))
      .map(([length, rest]) => "x".repeat(length) + rest.join(""));
    const texts = [
      ...fc.sample(around, 1000),
      ...fc.sample(fc.string({ unit: character, maxLength: 16 }), 500),
      "",
      ...["é", "日", "🙂"].flatMap((wide) =>
        [28, 29, 30, 31, 32].map((length) => "x".repeat(length) + wide),
      ),
    ];
    const cut: Buffer[] = [];
    // A parameter may have 128 KiB.
    for (let at = 0; at < texts.length; at += 500) {
      const result = await opened.writer.query({
        query: `SELECT hex(${cutKeySql("text")}) AS key FROM (SELECT unhex(arrayJoin({texts:Array(String)})) AS text)`,
        query_params: {
          texts: texts.slice(at, at + 500).map((text) => Buffer.from(text).toString("hex")),
        },
        format: "JSONEachRow",
      });
      cut.push(...(await result.json<{ key: string }>()).map(({ key }) => Buffer.from(key, "hex")));
    }
    expect(cut).toHaveLength(texts.length);
    for (const [index, text] of texts.entries()) {
      const key = cutKey(Buffer.from(text));
      const whole = [...text];
      const longest = whole.findLast(
        (_, at) => Buffer.byteLength(whole.slice(0, at + 1).join("")) <= 31,
      );
      expect(cut[index]?.toString("utf8"), JSON.stringify(text)).toBe(key);
      expect(text.startsWith(key)).toBe(true);
      expect(Buffer.byteLength(key)).toBeLessThanOrEqual(31);
      // Not a byte less than it could be.
      if (longest !== undefined) {
        const next = whole[[...key].length];
        if (next !== undefined) expect(Buffer.byteLength(key + next)).toBeGreaterThan(31);
      }
    }
  });
});

// Two edges may give equal times of arrival; a search that is repeated has to list the same all the same.
describe("events that are equal in both times", () => {
  const time = 490_000n * hourNs;
  const slice = sliceOf({ firstHour: 490_000, lastHour: 490_000 });
  const names = ["a", "b", "c", "d", "e", "f"];

  /** What a search lists when these were stored one by one in this order. */
  async function listed(
    order: readonly string[],
    type: "BACKWARD_RESULTS" | "BACKWARD_RESULTS_ONE_PER_KEY31",
  ): Promise<unknown[]> {
    const customer = `ties-${order.join("")}-${type}`;
    for (const name of order) {
      const event = eventAt(time, { customer, message: `message ${name}`, ingested: 5n });
      await insertEvents(opened.writer, encodeEvents([event]), `${customer}/${name}`);
    }
    const regex = type === "BACKWARD_RESULTS" ? ".*" : "(?<key>(?txt([a-z]+))) .*";
    const request = requestOf({ customer, type, regex });
    const compiled = compileSearch(regex);
    const none = ["", "", "", ""] as const;
    const { query, params } =
      type === "BACKWARD_RESULTS"
        ? eventsStatement(request, compiled, none, slice, 3)
        : keysStatement(request, compiled, none, slice, 3);
    const result = await opened.reader.query({
      query,
      query_params: params,
      format: "JSONCompactEachRow",
    });
    return (await result.json<unknown[]>()).map((row) => row[6]);
  }

  test.each(["BACKWARD_RESULTS", "BACKWARD_RESULTS_ONE_PER_KEY31"] as const)(
    "are listed alike by %s, in whatever order they were stored",
    async (type) => {
      const forward = await listed(names, type);
      expect(forward.length).toBeGreaterThan(0);
      expect(await listed(names.toReversed(), type)).toEqual(forward);
      expect(await listed(["d", "a", "f", "c", "b", "e"], type)).toEqual(forward);
    },
  );
});
