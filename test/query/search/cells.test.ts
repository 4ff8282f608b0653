// The arithmetic of cells and keys is the same in the store and here.
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cellOf, cellSql } from "../../../query/search/cells.ts";
import { cutKey, cutKeySql } from "../../../query/search/key31.ts";
import { readSearchRequest, type SearchRequest } from "../../../query/search/request.ts";
import { eventTimeRange, formatTimestamp } from "../../../schemas/time.ts";
import { openTestStore, type TestStore } from "../../consumers/store/store-fixture.ts";

let opened: TestStore;

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

const time = fc.bigInt({ min: eventTimeRange.first, max: eventTimeRange.end - 1n });
const splits = fc
  .uniqueArray(fc.integer({ min: -50, max: 50 }), { maxLength: 40 })
  .map((numbers) => numbers.toSorted((a, b) => a - b).join());

/** A histogram over a random range, and an event within it. */
const search = fc
  .tuple(
    time,
    time,
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer({ min: 1, max: 4096 }),
    splits,
    splits,
  )
  .filter(([a, b]) => a !== b)
  .map(([a, b, where, timeBins, xSplits, ySplits]) => {
    const [begin, end] = a < b ? [a, b] : [b, a];
    const request = readSearchRequest(
      new URLSearchParams({
        customer: "acme",
        regex: "(?<x>(?int)) (?<y>(?int))",
        type: "EXACT_XY_HISTOGRAM_BINNED",
        beginTime: formatTimestamp(begin),
        endTime: formatTimestamp(end),
        timeBins: String(timeBins > 2 ? Math.ceil(timeBins / 8) : timeBins),
        xSplits,
        ySplits,
      }),
    );
    const offset = (BigInt(Math.floor(where * 1e9)) * (end - begin)) / 1_000_000_000n;
    const at = begin + offset < end ? begin + offset : end - 1n;
    return { request, at };
  });

async function evaluate(request: SearchRequest, at: bigint, x: number, y: number): Promise<number> {
  const result = await opened.reader.query({
    query: `SELECT toUInt32(${cellSql(request, "x", "y")}) AS cell
      FROM (SELECT fromUnixTimestamp64Nano({at:Int64}) AS time, {x:Float64} AS x, {y:Float64} AS y)`,
    query_params: { at: String(at), x, y },
    format: "JSONEachRow",
  });
  const [row] = await result.json<{ cell: number }>();
  return row?.cell ?? -1;
}

test("a cell is the same in the store, here, and by the formula", async () => {
  const number = fc.integer({ min: -60, max: 60 });
  await fc.assert(
    fc.asyncProperty(search, number, number, async ({ request, at }, x, y) => {
      const bin = Number(
        ((at - request.begin) * BigInt(request.timeBins)) / (request.end - request.begin),
      );
      const bucket = (thresholds: readonly number[], value: number) =>
        thresholds.filter((threshold) => threshold <= value).length;
      const expected =
        (bin * (request.xSplits.length + 1) + bucket(request.xSplits, x)) *
          (request.ySplits.length + 1) +
        bucket(request.ySplits, y);
      expect(cellOf(request, at, { x, y })).toBe(expected);
      expect(await evaluate(request, at, x, y)).toBe(expected);
    }),
    { numRuns: 150 },
  );
});

test("the last nanosecond of the default range falls into the last of 4096 bins", async () => {
  const request = readSearchRequest(
    new URLSearchParams({
      customer: "acme",
      regex: ".*",
      type: "EXACT_COUNTS_BINNED",
      timeBins: "4096",
    }),
  );
  const last = request.end - 1n;
  expect(cellOf(request, last, {})).toBe(4095);
  expect(await evaluate(request, last, 0, 0)).toBe(4095);
});

test("a key is cut at the same byte in the store and here", async () => {
  const character = fc.constantFrom("a", "é", "€", "🙂", "-");
  const texts = fc.sample(fc.string({ unit: character, minLength: 5, maxLength: 36 }), 500);
  const result = await opened.reader.query({
    query: `SELECT ${cutKeySql("text")} AS key FROM (SELECT arrayJoin({texts:Array(String)}) AS text)`,
    query_params: { texts },
    format: "JSONEachRow",
  });
  const rows = await result.json<{ key: string }>();
  const cut = texts.map((text) => cutKey(Buffer.from(text)));
  expect(rows.map(({ key }) => key)).toEqual(cut);
  expect(cut.some((key, index) => key !== texts[index])).toBe(true);
  for (const key of cut) expect(Buffer.byteLength(key)).toBeLessThanOrEqual(31);
});
