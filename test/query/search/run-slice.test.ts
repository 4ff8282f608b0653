// What a slice finds is right for its plan, whatever came into the store since; real statements, real store.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { compileSearch } from "../../../query/language/search.ts";
import { Answer } from "../../../query/search/answer.ts";
import { layoutsOf } from "../../../query/search/cells.ts";
import { planSearch } from "../../../query/search/plan.ts";
import { readSearchRequest, type Prefixes } from "../../../query/search/request.ts";
import { runSlice } from "../../../query/search/run-slice.ts";
import { sliceOptions } from "../../../query/search/scan.ts";
import type { SearchReply } from "../../support/snapshots.ts";
import { formatTime } from "../../support/time.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  insertEvents,
  openTestStore,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";

const everyLabel: Prefixes = ["", "", "", ""];
const minuteNs = hourNs / 60n;
const base = 490_000n * hourNs;

let store: TestStore;
/** Every test has a customer of its own. */
let customer = "";
let tests = 0;
let inserts = 0;

beforeAll(async () => {
  store = await openTestStore();
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

beforeEach(() => {
  customer = `customer-${++tests}`;
});

const insert = (...minutes: number[]): Promise<void> => insertInto("web-1", ...minutes);

const insertInto = (prefix0: string, ...minutes: number[]): Promise<void> =>
  insertEvents(
    store.writer,
    encodeEvents(
      minutes.map((minute) =>
        eventAt(base + BigInt(minute) * minuteNs, {
          customer,
          prefix0,
          message: `at ${minute} ${minute}`,
        }),
      ),
    ),
    `insert-${++inserts}`,
  );

/** Plans a search, lets something happen, and scans as planned. */
async function searchAround(
  form: Readonly<Record<string, string>>,
  between: () => Promise<void>,
): Promise<Pick<SearchReply, "events" | "contexts" | "counts">> {
  const request = readSearchRequest(
    new URLSearchParams({ customer, type: "EXACT_COUNTS_BINNED", ...form }),
  );
  const compiled = compileSearch(request.regex);
  const options = sliceOptions(request, compiled);
  const plan = await planSearch(store.reader, request, everyLabel, undefined, options);
  await between();
  const answer = new Answer(request);
  for (const [index, slice] of plan.slices.entries()) {
    const layout = layoutsOf(request, slice)[0];
    const { finds } = await runSlice({
      store: store.reader,
      request,
      compiled,
      prefixes: everyLabel,
      slice,
      layout,
      limit: request.limit,
      threads: 1,
      queryId: `run-slice-${tests}-${index}`,
      signal: new AbortController().signal,
    });
    answer.add(index, finds, layout);
  }
  return JSON.parse(`{${Buffer.concat(answer.render()).toString()}}`) as SearchReply;
}

/** All from statistics; decided by the store; decided here. */
const patterns = [".*", "at .*", ".*at ([0-9]+~17) .*"];

test.each(
  patterns.flatMap((pattern) => ["web-1", "new"].map((stream) => [pattern, stream] as const)),
)(
  "an event that came into another bin of the hour is not in this one: %s, stream %s",
  async (regex, stream) => {
    await insert(1, 2, 5);
    const range = {
      beginTime: formatTime(base),
      endTime: formatTime(base + hourNs),
      timeBins: "2",
    };
    const { counts } = await searchAround({ regex, ...range }, async () => {
      await insert(3);
      await insertInto(stream, 45);
    });
    // What came since may be there or not, but nowhere else.
    expect(counts[0]).toBeGreaterThanOrEqual(3);
    expect(counts[0]).toBeLessThanOrEqual(4);
    expect(counts[1]).toBeLessThanOrEqual(1);
  },
);

test.each(patterns)("an event that came in beyond the range is not in it: %s", async (regex) => {
  await insert(10, 20);
  const range = {
    beginTime: formatTime(base + 5n * minuteNs),
    endTime: formatTime(base + 30n * minuteNs),
  };
  const { counts, contexts } = await searchAround({ regex, ...range }, () => insert(1, 15, 40));
  expect(counts[0]).toBeGreaterThanOrEqual(2);
  expect(counts[0]).toBeLessThanOrEqual(3);
  expect(contexts).toMatchObject([{ count: counts[0] }]);
});

test("statistics of streams that are behind those of hours are not counted by", async () => {
  await insert(1, 2);
  // An insert that has reached the events and the hours, and not yet the streams.
  const { counts } = await searchAround({ regex: ".*" }, async () => {
    await store.writer.command({
      query: `ALTER TABLE streams DELETE WHERE customer = '${customer}'`,
      clickhouse_settings: { mutations_sync: "1" },
    });
  });
  expect(counts).toEqual([2]);
});

test("an hour that an insert has not wholly reached is never taken for settled, however long the insert waited", async () => {
  const minuteMs = 60_000;
  const arrivedMs = Date.now() - 60 * minuteMs;
  await insert(1, 2);
  await store.writer.command({
    query: `
      INSERT INTO hours (customer, tb, bucket, rows, bytes, min_time, max_time, newest_ingested)
      SELECT customer, tb, bucket, 1, 5, min_time, max_time, ${arrivedMs}000000
      FROM hours WHERE customer = '${customer}'`,
  });
  const request = readSearchRequest(new URLSearchParams({ customer, regex: "at .*" }));
  const signatures = async (searchableUntil: number) => {
    const plan = () =>
      planSearch(store.reader, request, everyLabel, undefined, { searchableUntil });
    return new Set([(await plan()).signature, (await plan()).signature]);
  };
  // The log has events that arrived an hour ago and are not stored.
  expect((await signatures(arrivedMs + minuteMs)).size).toBe(2);
  // All that arrived then is stored: what is there is all there is.
  expect((await signatures(Date.now())).size).toBe(1);
});
