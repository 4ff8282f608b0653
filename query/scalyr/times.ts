// Scalyr's times: 24h, 30 minutes, NOW, a time of day, a date, or a number of s, ms or ns since the epoch.
import { eventTimeRange, parseTimestamp } from "../../schemas/time.ts";
import { badField } from "../exchange/json-body.ts";

/** Longer texts are no times, and blanks within them would be looked at again and again. */
const MAX_CHARACTERS = 100;
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
  if (trimmed.length > MAX_CHARACTERS) return undefined;
  const now = BigInt(nowMs) * NS_PER_MS;
  if (/^now$/i.test(trimmed)) return now;
  const [, amount, unit] = ago.exec(trimmed) ?? [];
  if (amount !== undefined) {
    const ms = nowMs - Number(amount) * (unitMs[unit?.charAt(0).toLowerCase() ?? ""] ?? 0);
    return ms < 0 ? eventTimeRange.first : BigInt(ms) * NS_PER_MS;
  }
  if (/^\d+$/.test(trimmed)) return sinceEpoch(trimmed);
  // A blank in an address may be the plus of an offset that was not encoded.
  const date = trimmed.replace(/(?<=[T ]\d\d:\d\d(?::[\d.]+)?) (\d\d:?\d\d)$/, "+$1");
  return parseDate(date, nowMs);
}

/** Seconds have up to 10 digits, ms up to 13, µs up to 16, ns up to 19. */
function sinceEpoch(digits: string): bigint | undefined {
  if (digits.length > 19) return undefined;
  const scale = digits.length <= 10 ? 9 : digits.length <= 13 ? 6 : digits.length <= 16 ? 3 : 0;
  return BigInt(digits) * 10n ** BigInt(scale);
}

const isoDate = String.raw`(?<year>\d{4})[-/](?<month>\d\d)[-/](?<day>\d\d)`;
const shortDate = String.raw`(?<month>\d{1,2})/(?<day>\d{1,2})(?:/(?<year>\d{4}))?`;
const clock = String.raw`(?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d(?:\.\d+)?))?\s*(?<half>[ap]m)?`;
const zone = String.raw`\s*(?<zone>Z|[+-]\d\d:?\d\d)?`;
const forms = [
  new RegExp(`^${isoDate}(?:[T ]+${clock})?${zone}$`, "i"),
  new RegExp(`^${shortDate}(?:,?\\s+${clock})?${zone}$`, "i"),
  new RegExp(`^${clock}${zone}$`, "i"),
];

/** A date, a day of the year, a time of day: of those without a year or day the last one that is not to come. */
function parseDate(text: string, nowMs: number): bigint | undefined {
  const groups = forms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined);
  if (groups === undefined) return undefined;
  const { year, month, day, hour = "0", minute = "00", second = "00", half, zone = "Z" } = groups;
  const hours = hourOf(Number(hour), half?.toLowerCase());
  if (hours === undefined) return undefined;
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const on = (whole: string | undefined): bigint | undefined => {
    const date =
      month === undefined
        ? today
        : `${whole ?? ""}-${month.padStart(2, "0")}-${day?.padStart(2, "0") ?? ""}`;
    return parseTimestamp(`${date}T${String(hours).padStart(2, "0")}:${minute}:${second}${zone}`);
  };
  const time = on(year ?? today.slice(0, 4));
  if (year !== undefined || time === undefined || time <= BigInt(nowMs) * NS_PER_MS) return time;
  return month === undefined ? time - DAY_NS : on(String(Number(today.slice(0, 4)) - 1));
}

function hourOf(hour: number, half: string | undefined): number | undefined {
  if (half === undefined) return hour;
  if (hour < 1 || hour > 12) return undefined;
  return (hour % 12) + (half === "pm" ? 12 : 0);
}

/**
 * What the span is of which an end is not given: "day", a day from the other; "startToNow", the start is needed;
 * "dayToNow", up to now, from the start or for a day.
 */
export type SpanDefaults = "day" | "startToNow" | "dayToNow";

/** The span that a request names. @throws LogboomError BAD_REQUEST */
export function readSpan(
  given: Readonly<Record<"startTime" | "endTime", string | undefined>>,
  defaults: SpanDefaults,
  nowMs = Date.now(),
): { begin: bigint; end: bigint } {
  const read = (name: "startTime" | "endTime"): bigint | undefined => {
    const text = given[name];
    if (text === undefined) return undefined;
    const time = parseScalyrTime(text, nowMs);
    if (time === undefined) {
      const expected = "24h, 30 minutes, NOW, HH:MM, a date, or a number of s, ms or ns";
      throw badField(name, text, expected);
    }
    return time;
  };
  const now = BigInt(nowMs) * NS_PER_MS;
  const start = read("startTime");
  const stop = read("endTime");
  if (defaults === "startToNow" && start === undefined) {
    throw badField("startTime", undefined, "a time");
  }
  const end = stop ?? (start === undefined || defaults !== "day" ? now : start + DAY_NS);
  const begin = start ?? end - DAY_NS;
  if (begin > end) throw badField("startTime", given.startTime, "a time before endTime");
  return { begin: begin < 0n ? 0n : begin, end };
}
