// The spans of time of LEQL queries.
import { expect, test } from "vitest";
import { readDuring } from "../../../query/logentries/times.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const hours = (count: number) => now - count * 3_600_000;

const ranges: readonly (readonly [text: string, from: number, to: number])[] = [
  ["today", hours(12), now],
  ["yesterday", hours(36), hours(12)],
  ["last 10 min", hours(1 / 6), now],
  ["last 20 mins", hours(1 / 3), now],
  ["Last 20 Minutes", hours(1 / 3), now],
  ["last hour", hours(1), now],
  ["last 1 hour", hours(1), now],
  ["last 2 hrs", hours(2), now],
  ["Last 24 Hours", hours(24), now],
  ["last 3 days", hours(72), now],
  ["last 1 week", hours(168), now],
  ["last 2 months", hours(24 * 60), now],
];

test.each(ranges)("%s", (time_range, from, to) => {
  expect(readDuring({ time_range }, now)).toEqual({ from, to, time_range });
});

test("from and to are ms since the epoch, as numbers or texts", () => {
  expect(readDuring({ from: "1", to: 5 }, now)).toEqual({ from: 1, to: 5 });
  expect(readDuring({ from: 1, to: null }, now)).toEqual({ from: 1, to: now });
  // Later than any event can be.
  const end = { from: 0, to: 9_223_372_036_854 };
  expect(readDuring({ from: 0, to: 9_999_999_999_999 }, now)).toEqual(end);
  expect(readDuring({ from: "0", to: "99999999999999" }, now)).toEqual(end);
});

test.each([
  {},
  { time_range: "last ten minutes" },
  { time_range: 5 },
  { from: "noon" },
  { from: -1 },
  { from: 1.5 },
  { from: 2, to: 1 },
])("%j is refused", (given) => {
  expect(() => readDuring(given, now)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
});
