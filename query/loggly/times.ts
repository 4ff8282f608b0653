// Loggly's times: now, -10m, -24h, ISO 8601 in several forms, or ms since the epoch.
import { badParameter, textParameter } from "../exchange/parameters.ts";
import { eventTimeRange, parseTimestamp } from "../../schemas/time.ts";

const NS_PER_MS = 1_000_000n;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** ns since the epoch; undefined when the text is no time. */
export function parseLogglyTime(text: string, nowMs: number): bigint | undefined {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === "now") return BigInt(nowMs) * NS_PER_MS;
  const [, amount, unit = ""] = /^-(\d{1,9})([smhdw])$/.exec(trimmed) ?? [];
  if (amount !== undefined) {
    return clamp(BigInt(nowMs - Number(amount) * (unitMs[unit] ?? 0)) * NS_PER_MS);
  }
  if (/^\d{12,14}$/.test(trimmed)) return BigInt(trimmed) * NS_PER_MS;
  // A blank in an address may be the plus of an offset that was not encoded.
  const iso = trimmed.replace(/ (\d\d:?\d\d)$/, "+$1");
  return (
    parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(iso) ? `${iso}T00:00:00` : iso) ??
    parseTimestamp(trimmed)
  );
}

/** From 24 hours ago until now, unless told. @throws LogboomError BAD_REQUEST */
export function readSpan(
  query: URLSearchParams,
  nowMs = Date.now(),
): { begin: bigint; end: bigint } {
  const read = (name: string, fallback: string): bigint => {
    const text = textParameter(query, name) ?? fallback;
    const time = parseLogglyTime(text, nowMs);
    if (time === undefined) {
      throw badParameter(name, text, "now, -10m, -24h, -7d, ISO 8601 or ms since the epoch");
    }
    return time;
  };
  const begin = read("from", "-24h");
  const end = read("until", "now");
  if (begin > end) {
    throw badParameter("from", textParameter(query, "from") ?? "-24h", 'a time before "until"');
  }
  return { begin, end };
}

function clamp(time: bigint): bigint {
  return time < eventTimeRange.first ? eventTimeRange.first : time;
}
