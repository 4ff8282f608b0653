// Elasticsearch's date math: "+1d", "-2h" and "/M" one after another, in UTC, on a span of time.
import type { TimeSpan } from "./time-span.ts";

const nsPerMs = 1_000_000n;
const unitMs: Readonly<Record<string, bigint>> = {
  s: 1_000n,
  m: 60_000n,
  h: 3_600_000n,
  H: 3_600_000n,
  d: 86_400_000n,
  w: 604_800_000n,
};
/** 1970 began on a Thursday, and weeks begin on Mondays. */
const mondayMs = 4n * 86_400_000n;
/** A longer way leads out of every calendar; in ms. */
const farthestMs = 8_640_000_000_000_000n;

const steps = /([+-])(\d{0,6})([yMwdhHms])|\/([yMwdhHms])/g;

/** Units are y, M (months), w, d, h or H, m (minutes), s. */
export function isDateMath(text: string): boolean {
  return text.replaceAll(steps, "") === "";
}

/**
 * What the steps make of a span: `/d` is the whole of its days, `+1d` moves it. Undefined beyond the calendar.
 * A bound that has to be after `now/d` is after the whole day, as in Elasticsearch.
 */
export function moveSpan(span: TimeSpan, math: string): TimeSpan | undefined {
  let from: bigint | undefined = span.from;
  // The last moment: a month after January 31st, too, ends with February.
  let last: bigint | undefined = span.end - 1n;
  for (const [, sign, amount = "", unit, rounded] of math.matchAll(steps)) {
    if (from === undefined || last === undefined) return undefined;
    if (rounded === undefined) {
      const count = BigInt(amount === "" ? 1 : amount) * (sign === "-" ? -1n : 1n);
      from = move(from, count, unit ?? "");
      last = move(last, count, unit ?? "");
    } else {
      from = floor(from, rounded);
      const next = move(floor(last, rounded), 1n, rounded);
      last = next && next - 1n;
    }
  }
  return from === undefined || last === undefined ? undefined : { from, end: last + 1n };
}

function move(time: bigint, count: bigint, unit: string): bigint | undefined {
  const ms = unitMs[unit];
  if (ms !== undefined) return within(time + count * ms * nsPerMs);
  const months = Number(count) * (unit === "y" ? 12 : 1);
  const msOfDay = modulo(time, 86_400_000n * nsPerMs);
  const date = new Date(Number((time - msOfDay) / nsPerMs));
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const lastDay = new Date(date.getTime());
  lastDay.setUTCMonth(lastDay.getUTCMonth() + 1, 0);
  date.setUTCDate(Math.min(day, lastDay.getUTCDate()));
  const moved = date.getTime();
  return Number.isNaN(moved) ? undefined : within(BigInt(moved) * nsPerMs + msOfDay);
}

function floor(time: bigint, unit: string): bigint {
  const ms = unitMs[unit];
  if (ms !== undefined) {
    const shift = unit === "w" ? mondayMs * nsPerMs : 0n;
    return time - modulo(time - shift, ms * nsPerMs);
  }
  const date = new Date(Number((time - modulo(time, nsPerMs)) / nsPerMs));
  return BigInt(Date.UTC(date.getUTCFullYear(), unit === "M" ? date.getUTCMonth() : 0)) * nsPerMs;
}

function within(time: bigint): bigint | undefined {
  const ms = time / nsPerMs;
  return ms < -farthestMs || ms > farthestMs ? undefined : time;
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}
