// Times as Loggly's and LogTrace's clients write them.
import { expect, test } from "vitest";
import { parseRelativeTime } from "../../../query/exchange/relative-time.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const ms = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;

const times: readonly (readonly [text: string, time: bigint | undefined])[] = [
  ["now", ms("2026-11-21T12:00:00Z")],
  ["NOW", ms("2026-11-21T12:00:00Z")],
  ["-10s", ms("2026-11-21T11:59:50Z")],
  ["-10m", ms("2026-11-21T11:50:00Z")],
  ["now-24h", ms("2026-11-20T12:00:00Z")],
  ["-7d", ms("2026-11-14T12:00:00Z")],
  ["-1w", ms("2026-11-14T12:00:00Z")],
  ["-999999999w", 0n],
  ["2026-11-20", ms("2026-11-20T00:00:00Z")],
  ["2026-11-20T10:00:00", ms("2026-11-20T10:00:00Z")],
  ["2026-11-20T10:00:00.123Z", ms("2026-11-20T10:00:00.123Z")],
  ["2026-11-20T10:00", ms("2026-11-20T10:00:00Z")],
  ["2026-11-20T10:00Z", ms("2026-11-20T10:00:00Z")],
  ["2026-11-20T10:00+01:00", ms("2026-11-20T09:00:00Z")],
  ["2026-11-20 10:00:00", ms("2026-11-20T10:00:00Z")],
  // The plus of an offset arrives as a blank where it was not encoded.
  ["2026-11-20T10:00:00 01:00", ms("2026-11-20T09:00:00Z")],
  [String(now), ms("2026-11-21T12:00:00Z")],
  ["", undefined],
  ["yesterday", undefined],
  ["-10", undefined],
  ["10m", undefined],
  ["-10y", undefined],
  ["2026-02-30", undefined],
];

test.each(times)("%j", (text, time) => {
  expect(parseRelativeTime(text, now)).toBe(time);
});
