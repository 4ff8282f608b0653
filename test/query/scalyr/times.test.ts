// Scalyr's times.
import { expect, test } from "vitest";
import { parseScalyrTime, readSpan } from "../../../query/scalyr/times.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const ms = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;

const times: readonly (readonly [text: string, time: bigint | undefined])[] = [
  ["NOW", ms("2026-11-21T12:00:00Z")],
  ["0m", ms("2026-11-21T12:00:00Z")],
  ["4h", ms("2026-11-21T08:00:00Z")],
  ["30 minutes", ms("2026-11-21T11:30:00Z")],
  ["1d", ms("2026-11-20T12:00:00Z")],
  ["11:30", ms("2026-11-21T11:30:00Z")],
  ["13:30:10", ms("2026-11-20T13:30:10Z")],
  ["2026-11-20", ms("2026-11-20T00:00:00Z")],
  ["2026/11/20 10:15", ms("2026-11-20T10:15:00Z")],
  ["2026-11-20T10:15:30.5Z", ms("2026-11-20T10:15:30.500Z")],
  [String(now / 1000), ms("2026-11-21T12:00:00Z")],
  [String(now), ms("2026-11-21T12:00:00Z")],
  [`${now}000001`, ms("2026-11-21T12:00:00Z") + 1n],
  ["1 day ago", ms("2026-11-20T12:00:00Z")],
  ["2 weeks", ms("2026-11-07T12:00:00Z")],
  ["11:30 AM", ms("2026-11-21T11:30:00Z")],
  ["12:05am", ms("2026-11-21T00:05:00Z")],
  ["9:00 pm", ms("2026-11-20T21:00:00Z")],
  ["11:00+02:00", ms("2026-11-21T09:00:00Z")],
  ["11/20", ms("2026-11-20T00:00:00Z")],
  ["12/1", ms("2025-12-01T00:00:00Z")],
  ["2/1/2026 4:30 PM", ms("2026-02-01T16:30:00Z")],
  ["2026-11-20 10:15 +0100", ms("2026-11-20T09:15:00Z")],
  // As a plus in an address comes that was not encoded.
  ["2026-11-20T10:15:30.5 01:00", ms("2026-11-20T09:15:30.500Z")],
  ["2026-11-20 10:15 0100", ms("2026-11-20T09:15:00Z")],
  ["2026-11-20 13:15 PM", undefined],
  ["13/1", undefined],
  ["2/30", undefined],
  ["24:30", undefined],
  ["", undefined],
  ["noon", undefined],
  ["4 fortnights", undefined],
  ["12345678901234567890", undefined],
  ["2026-02-30", undefined],
];

test.each(times)("%j", (text, time) => {
  expect(parseScalyrTime(text, now)).toBe(time);
});

test("a text of two million blanks is no time", () => {
  expect(parseScalyrTime(`1:00${" ".repeat(2_000_000)}x`, now)).toBeUndefined();
});

test("a side that is not given is a day from the other, or now", () => {
  const hour = 3_600_000_000_000n;
  const at = ms("2026-11-21T12:00:00Z");
  const none = { startTime: undefined, endTime: undefined };
  expect(readSpan(none, "day", now)).toEqual({ begin: at - 24n * hour, end: at });
  expect(readSpan({ ...none, startTime: "48h" }, "day", now)).toEqual({
    begin: at - 48n * hour,
    end: at - 24n * hour,
  });
  expect(readSpan({ ...none, endTime: "1h" }, "day", now)).toEqual({
    begin: at - 25n * hour,
    end: at - hour,
  });
  expect(readSpan({ ...none, startTime: "48h" }, "startToNow", now)).toEqual({
    begin: at - 48n * hour,
    end: at,
  });
  expect(readSpan({ ...none, startTime: "48h" }, "dayToNow", now)).toEqual({
    begin: at - 48n * hour,
    end: at,
  });
  expect(readSpan({ ...none, endTime: "1h" }, "dayToNow", now)).toEqual({
    begin: at - 25n * hour,
    end: at - hour,
  });
  expect(() => readSpan(none, "startToNow", now)).toThrow(/startTime/);
  expect(() => readSpan({ startTime: "1h", endTime: "2h" }, "day", now)).toThrow(/before endTime/);
});
