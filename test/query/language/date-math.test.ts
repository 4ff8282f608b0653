// Date math as Elasticsearch has it: what is before and what after a rounded time.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readTimeSpan } from "../../../query/language/time-span.ts";
import { formatTimestamp, parseTimestamp } from "../../../schemas/time.ts";

const now = parseTimestamp("2024-03-15T12:34:56.789Z") ?? 0n;

function spanOf(text: string, at = now): readonly [string, string] | undefined {
  const span = readTimeSpan(text, at);
  return span && [formatTimestamp(span.from), formatTimestamp(span.end)];
}

// [2024-03-15 is a Friday]
test.each([
  ["now", "2024-03-15T12:34:56.789Z", "2024-03-15T12:34:56.789000001Z"],
  ["now-15m", "2024-03-15T12:19:56.789Z", "2024-03-15T12:19:56.789000001Z"],
  ["now-h", "2024-03-15T11:34:56.789Z", "2024-03-15T11:34:56.789000001Z"],
  ["now/s", "2024-03-15T12:34:56Z", "2024-03-15T12:34:57Z"],
  ["now/m", "2024-03-15T12:34:00Z", "2024-03-15T12:35:00Z"],
  ["now/h", "2024-03-15T12:00:00Z", "2024-03-15T13:00:00Z"],
  ["now/H", "2024-03-15T12:00:00Z", "2024-03-15T13:00:00Z"],
  ["now/d", "2024-03-15T00:00:00Z", "2024-03-16T00:00:00Z"],
  ["now/w", "2024-03-11T00:00:00Z", "2024-03-18T00:00:00Z"],
  ["now/M", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"],
  ["now/y", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"],
  ["now-1M/M", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"],
  ["now-1d/d+8h", "2024-03-14T08:00:00Z", "2024-03-15T08:00:00Z"],
  ["now/d-1d+1h-1m", "2024-03-14T00:59:00Z", "2024-03-15T00:59:00Z"],
  ["now/d/M", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"],
  ["2024-01-31||+1M", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"],
  ["2024-02-29||+1y", "2025-02-28T00:00:00Z", "2025-03-01T00:00:00Z"],
  ["2024-12-31||+1d/d", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"],
  ["2024-03-15T10:22:01Z||/h", "2024-03-15T10:00:00Z", "2024-03-15T11:00:00Z"],
  ["2024||/M", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"],
  ["2024-03", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"],
  ["2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"],
  ["1710498121", "2024-03-15T10:22:01Z", "2024-03-15T10:22:02Z"],
  ["1710498121500", "2024-03-15T10:22:01.5Z", "2024-03-15T10:22:01.501Z"],
  ["1710498121500000001", "2024-03-15T10:22:01.500000001Z", "2024-03-15T10:22:01.500000002Z"],
])("%s is from %s to %s", (text, from, end) => {
  expect(spanOf(text)).toEqual([from, end]);
});

test.each(["nowhere", "now+1", "now/", "now/dd", "now+1d/", "now 1d", "NOW", "now+9999999d"])(
  "%s is no time",
  (text) => {
    expect(spanOf(text)).toBeUndefined();
  },
);

test.each(["2024-02-30", "2024-13", "||/d", "x||/d", "2024-03-15|/d", "now+999999y", "20240315T"])(
  "%s is no time either",
  (text) => {
    expect(spanOf(text)).toBeUndefined();
  },
);

test("a rounded time holds the time itself, begins where its unit begins, and the next one touches it", () => {
  const at = fc
    .bigInt({ min: 0n, max: 8_979_644_073_000_000_000n })
    .filter((time) => time > 100_000_000_000_000_000n);
  fc.assert(
    fc.property(at, fc.constantFrom("s", "m", "h", "d", "w", "M", "y"), (time, unit) => {
      const span = readTimeSpan(`now/${unit}`, time);
      expect(span).toBeDefined();
      const { from, end } = span ?? { from: 0n, end: 0n };
      expect(from <= time && time < end).toBe(true);
      expect(readTimeSpan(`now/${unit}`, from)).toEqual(span);
      expect(readTimeSpan(`now/${unit}`, end - 1n)).toEqual(span);
      expect(readTimeSpan(`now/${unit}`, end)?.from).toBe(end);
      expect(readTimeSpan(`now/${unit}+1${unit}`, time)?.from).toBe(end);
      const text = new Date(Number(from / 1_000_000n)).toISOString();
      const ends = { s: ".000Z", m: ":00.000Z", h: ":00:00.000Z", M: "-01T00:00:00.000Z" };
      expect(text).toContain({ ...ends, d: "T00:00", w: "T00:00", y: "-01-01T00:00" }[unit]);
      if (unit === "w") expect(new Date(text).getUTCDay()).toBe(1);
    }),
  );
});
