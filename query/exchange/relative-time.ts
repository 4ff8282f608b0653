// Times as several vendors write them: now, -10m, now-24h, ISO 8601 in several forms, or a number since the epoch.
import { eventTimeRange, parseTimestamp } from "../../schemas/time.ts";

const NS_PER_MS = 1_000_000n;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** What to write, for error messages. */
export const relativeTimeForms = "now, -10m, -24h, -7d, ISO 8601 or ms since the epoch";

/** ns since the epoch; undefined when the text is no time. */
export function parseRelativeTime(text: string, nowMs: number): bigint | undefined {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === "now") return BigInt(nowMs) * NS_PER_MS;
  const [, amount, unit = ""] = /^(?:now)?-(\d{1,9})([smhdw])$/i.exec(trimmed) ?? [];
  if (amount !== undefined) {
    const ms = nowMs - Number(amount) * (unitMs[unit.toLowerCase()] ?? 0);
    return ms < 0 ? eventTimeRange.first : BigInt(ms) * NS_PER_MS;
  }
  if (/^\d{12,14}$/.test(trimmed)) return BigInt(trimmed) * NS_PER_MS;
  // A blank in an address may be the plus of an offset that was not encoded.
  const iso = trimmed
    .replace(/(?<=T.*) (\d\d:?\d\d)$/, "+$1")
    // ISO 8601 lets leave out seconds.
    .replace(/^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(?=Z|[+-]|$)/i, "$1:00");
  return parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(iso) ? `${iso}T00:00:00` : iso);
}
