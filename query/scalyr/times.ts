// Scalyr's times: 24h, 30 minutes, NOW, a time of day, a date, or a number of s, ms or ns since the epoch.
import { eventTimeRange, parseTimestamp } from "../../schemas/time.ts";
import { badField } from "../exchange/json-body.ts";

const NS_PER_MS = 1_000_000n;
const DAY_NS = 86_400_000_000_000n;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const ago =
  /^-?\s*(\d{1,9})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?:\s+ago)?$/i;

/** ns since the epoch; undefined when the text is no time. */
export function parseScalyrTime(text: string, nowMs: number): bigint | undefined {
  const trimmed = text.trim();
  const now = BigInt(nowMs) * NS_PER_MS;
  if (/^now$/i.test(trimmed)) return now;
  const [, amount, unit] = ago.exec(trimmed) ?? [];
  if (amount !== undefined) {
    const ms = nowMs - Number(amount) * (unitMs[unit?.charAt(0).toLowerCase() ?? ""] ?? 0);
    return ms < 0 ? eventTimeRange.first : BigInt(ms) * NS_PER_MS;
  }
  if (/^\d+$/.test(trimmed)) return sinceEpoch(trimmed);
  if (/^\d{1,2}:\d\d(?::\d\d)?$/.test(trimmed)) {
    const today = new Date(nowMs).toISOString().slice(0, 10);
    const time = parseDate(`${today} ${trimmed}`);
    // A time of day that is still to come was yesterday's.
    return time === undefined || time <= now ? time : time - DAY_NS;
  }
  return parseDate(trimmed);
}

/** Seconds have up to 10 digits, ms up to 13, µs up to 16, ns up to 19. */
function sinceEpoch(digits: string): bigint | undefined {
  if (digits.length > 19) return undefined;
  const scale = digits.length <= 10 ? 9 : digits.length <= 13 ? 6 : digits.length <= 16 ? 3 : 0;
  return BigInt(digits) * 10n ** BigInt(scale);
}

function parseDate(text: string): bigint | undefined {
  const [, date, hour = "00", minute = "00", second = "00", rest = ""] =
    /^(\d{4}[-/]\d\d[-/]\d\d)(?:[T ]+(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?)?\s*(Z|[+-]\d\d:?\d\d)?$/.exec(
      text,
    ) ?? [];
  if (date === undefined) return undefined;
  const day = date.replaceAll("/", "-");
  return parseTimestamp(`${day}T${hour.padStart(2, "0")}:${minute}:${second}${rest}`);
}

/** The span that a request names. @throws LogboomError BAD_REQUEST */
export function readSpan(
  given: Readonly<Record<"startTime" | "endTime", string | undefined>>,
  defaults: "day" | "startToNow",
  nowMs = Date.now(),
): { begin: bigint; end: bigint } {
  const read = (name: "startTime" | "endTime"): bigint | undefined => {
    const text = given[name];
    if (text === undefined) return undefined;
    const time = parseScalyrTime(text, nowMs);
    if (time === undefined) {
      throw badField(name, text, "24h, 30 minutes, NOW, HH:MM, a date, or a number of s, ms or ns");
    }
    return time;
  };
  const now = BigInt(nowMs) * NS_PER_MS;
  const start = read("startTime");
  const stop = read("endTime");
  if (defaults === "startToNow" && start === undefined) {
    throw badField("startTime", undefined, "a time");
  }
  const end = stop ?? (start === undefined || defaults === "startToNow" ? now : start + DAY_NS);
  const begin = start ?? end - DAY_NS;
  if (begin > end) throw badField("startTime", given.startTime, "a time before endTime");
  return { begin: begin < 0n ? 0n : begin, end };
}
