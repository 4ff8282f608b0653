// Timestamps as text: every form that is taken, and what is not a time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  eventTimeRange,
  formatTimestamp,
  parseEventTime,
  parseTimestamp,
} from "../../schemas/time.ts";

const second = 1_000_000_000n;

/** ns since the epoch of a UTC time. */
function utc(...parts: [year: number, month: number, day: number, ...clock: number[]]): bigint {
  const [year, month, day, hour = 0, minute = 0, seconds = 0] = parts;
  return BigInt(Date.UTC(year, month - 1, day, hour, minute, seconds)) * 1_000_000n;
}

const noon = utc(2026, 5, 1, 12, 34, 56);

describe("a timestamp", () => {
  test.each([
    ["2026-05-01 12:34:56", noon],
    ["2026-05-01T12:34:56", noon],
    ["2026-05-01T12:34:56Z", noon],
    ["2026-05-01 12:34:56Z", noon],
    ["2026-05-01T12:34:56.7Z", noon + 700_000_000n],
    ["2026-05-01T12:34:56.000000001", noon + 1n],
    ["2026-05-01T12:34:56.123456789+00:00", noon + 123_456_789n],
    // Offsets: the same instant written elsewhere.
    ["2026-05-01T14:34:56+02:00", noon],
    ["2026-05-01T14:34:56+0200", noon],
    ["2026-05-01T07:04:56-05:30", noon],
    ["2026-05-02T12:33:56+23:59", noon],
    ["2026-04-30T12:35:56-23:59", noon],
    ["2026-05-01T12:34:56-00:00", noon],
    // Digits of the fraction past the ninth are cut, not rounded.
    ["2026-05-01T12:34:56.1234567899", noon + 123_456_789n],
    ["2026-05-01T12:34:56.999999999999999999999Z", noon + 999_999_999n],
    // Edges of the calendar.
    ["2024-02-29 00:00:00", utc(2024, 2, 29)],
    ["2000-02-29 23:59:59", utc(2000, 2, 29, 23, 59, 59)],
    ["2026-12-31T23:59:59.999999999Z", utc(2027, 1, 1) - 1n],
    ["1970-01-01 00:00:00", 0n],
    ["1970-01-01 01:00:00", 3600n * second],
    ["1969-12-31T23:59:59Z", -second],
    ["1970-01-01T00:00:00+01:00", -3600n * second],
    ["2254-07-22 01:34:33", 8_979_644_073n * second],
    ["0099-01-01T00:00:00Z", BigInt(new Date("0099-01-01T00:00:00Z").getTime()) * 1_000_000n],
    ["9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59)],
  ])("%s is read", (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected);
  });

  test.each([
    "",
    " ",
    "now",
    "2026-05-01",
    "2026-05-01T12:34",
    "2026-05-01T12:34:56.",
    "2026-05-01T12:34:56,5",
    "2026-05-01T12:34:56z",
    "2026-05-01t12:34:56",
    "2026-05-01  12:34:56",
    " 2026-05-01T12:34:56",
    "2026-05-01T12:34:56 ",
    "2026-05-01T12:34:56\n",
    "2026-05-01T12:34:56 Z",
    "2026-05-01T12:34:56+2",
    "2026-05-01T12:34:56+02",
    "2026-05-01T12:34:56+02:0",
    "2026-05-01T12:34:56+24:00",
    "2026-05-01T12:34:56+00:60",
    "2026-05-01T12:34:56Z+01:00",
    "2026-5-1T12:34:56",
    "26-05-01T12:34:56",
    "02026-05-01T12:34:56",
    "-2026-05-01T12:34:56",
    "2026-05-01T24:00:00",
    "2026-05-01T23:60:00",
    "2026-05-01T23:59:60",
    "2026-00-01T00:00:00",
    "2026-13-01T00:00:00",
    "2026-01-00T00:00:00",
    "2026-01-32T00:00:00",
    "2026-04-31T00:00:00",
    "2026-02-29T00:00:00",
    "2100-02-29T00:00:00",
    "1795254011690123456",
    "٢٠٢٦-05-01T12:34:56",
  ])("%j is none", (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  test("is what the platform's own reader makes of it, to the millisecond", () => {
    const date = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(date, fc.integer({ min: -1439, max: 1439 }), (instant, offset) => {
        const sign = offset < 0 ? "-" : "+";
        const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
        const zone = `${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
        const text = instant.toISOString().replace("Z", zone);
        expect(parseTimestamp(text)).toBe(BigInt(new Date(text).getTime()) * 1_000_000n);
      }),
    );
  });

  test("that was formatted is read as the same instant", () => {
    const any = fc.bigInt(-60n * 365n * 86_400n * second, utc(9999, 12, 31));
    fc.assert(
      fc.property(any, (time) => {
        expect(parseTimestamp(formatTimestamp(time))).toBe(time);
      }),
    );
  });

  test.each([
    [0n, "1970-01-01T00:00:00Z"],
    [1n, "1970-01-01T00:00:00.000000001Z"],
    [-1n, "1969-12-31T23:59:59.999999999Z"],
    [noon + 700_000_000n, "2026-05-01T12:34:56.7Z"],
    [eventTimeRange.end, "2254-07-22T01:34:33Z"],
  ])("of %d ns is written %s", (time, text) => {
    expect(formatTimestamp(time)).toBe(text);
  });
});

describe("an event's time", () => {
  test.each([
    ["0", 0n],
    ["1795254011690123456", 1_795_254_011_690_123_456n],
    ["0000000000000000007", 7n],
    // Beyond the range of events and of 64 bits: the edge names the range, so it has to be read.
    ["9999999999999999999", 9_999_999_999_999_999_999n],
    ["2026-05-01 12:34:56.5", noon + second / 2n],
  ])("%s is read", (text, expected) => {
    expect(parseEventTime(text)).toBe(expected);
  });

  test.each([
    "",
    "-1",
    "+1",
    "1.5",
    "1e9",
    "0x10",
    " 1",
    "1 ",
    "1\n",
    "١",
    "10000000000000000000",
    "now",
  ])("%j is none", (text) => {
    expect(parseEventTime(text)).toBeUndefined();
  });
});

describe("the span of event times", () => {
  test("ends where a search without an end does, 2254-07-22T01:34:33Z", () => {
    expect(eventTimeRange.end).toBe(parseTimestamp("2254-07-22T01:34:33Z"));
    expect(eventTimeRange.end).toBe(BigInt(Date.UTC(2254, 6, 22, 1, 34, 33)) * 1_000_000n);
  });

  test("begins at the epoch and fits 64 bits", () => {
    expect(eventTimeRange.first).toBe(0n);
    expect(eventTimeRange.end).toBeLessThan(2n ** 63n);
  });
});

test("what nearly every program writes is read as any other form of the same instant", () => {
  const number = (max: number, length: number) =>
    fc.integer({ min: 0, max }).map((value) => String(value).padStart(length, "0"));
  const parts = fc.tuple(
    number(9999, 4),
    number(13, 2),
    number(32, 2),
    number(24, 2),
    number(60, 2),
    number(60, 2),
    fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 11 }),
    fc.string({ unit: fc.constantFrom(..."-:.TZ x"), maxLength: 1 }),
    fc.nat(30),
  );
  fc.assert(
    fc.property(parts, ([year, month, day, hour, minute, second, fraction, odd, place]) => {
      const decimals = fraction === "" ? "" : `.${fraction}`;
      const text = `${year}-${month}-${day}T${hour}:${minute}:${second}${decimals}`;
      // At times with one letter that does not belong there, or a break in its place.
      const spoilt = odd === "" ? text : text.slice(0, place) + odd + text.slice(place + 1);
      expect(parseTimestamp(`${spoilt}Z`)).toBe(parseTimestamp(`${spoilt}+00:00`));
    }),
    { numRuns: 3000 },
  );
});
