// Times as people write them in queries: how exact a time is written says how long a span it means.
import { parseEventTime } from "../../schemas/time.ts";

export interface TimeSpan {
  /** ns since 1970 */
  readonly from: bigint;
  /** The first ns after it. */
  readonly end: bigint;
}

const secondNs = 1_000_000_000n;
const unitSeconds: Readonly<Record<string, bigint>> = {
  s: 1n,
  m: 60n,
  h: 3_600n,
  d: 86_400n,
  w: 604_800n,
};

/**
 * Reads a day, an hour, minute, second or less of it; ns since 1970; `now`, `now-15m`.
 * @param now ns since 1970
 */
export function readTimeSpan(text: string, now: bigint): TimeSpan | undefined {
  const [, sign, amount = "0", unit = "s"] = /^now(?:([+-])(\d{1,9})([smhdw]))?$/i.exec(text) ?? [];
  if (/^now/i.test(text)) {
    const offset = BigInt(amount) * (unitSeconds[unit.toLowerCase()] ?? 0n) * secondNs;
    const from = sign === "-" ? now - offset : now + offset;
    return sign === undefined && text.length > 3 ? undefined : { from, end: from + 1n };
  }
  const [, day, hour, minute] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d)(?::(\d\d))?)?Z?$/.exec(text) ?? [];
  if (day !== undefined) {
    const from = parseEventTime(`${day}T${hour ?? "00"}:${minute ?? "00"}:00Z`);
    const seconds = hour === undefined ? 86_400n : minute === undefined ? 3_600n : 60n;
    return from === undefined ? undefined : { from, end: from + seconds * secondNs };
  }
  const from = parseEventTime(text);
  if (from === undefined) return undefined;
  const [, decimals] = /:\d\d(?:\.(\d+))?(?:Z|[+-][\d:]+)?$/.exec(text) ?? [];
  if (!text.includes(":")) return { from, end: from + 1n };
  return { from, end: from + 10n ** BigInt(Math.max(0, 9 - (decimals?.length ?? 0))) };
}
