// Times as people write them in queries: how exact a time is written says how long a span it means.
import { parseEventTime } from "../../schemas/time.ts";
import { isDateMath, moveSpan } from "./date-math.ts";

export interface TimeSpan {
  /** ns since 1970 */
  readonly from: bigint;
  /** The first ns after it. */
  readonly end: bigint;
}

const secondNs = 1_000_000_000n;
const millisecondNs = 1_000_000n;

/**
 * Reads a year, a month, a day, an hour, minute, second or less of it; s, ms or ns since 1970, told apart by
 * their digits; and Elasticsearch's date math upon `now` or such a time and `||`: `now-1d/d`,
 * `2024-03-15||+1M/M`.
 *
 * @param now ns since 1970
 */
export function readTimeSpan(text: string, now: bigint): TimeSpan | undefined {
  const bars = text.indexOf("||");
  const anchored = bars === -1 ? /^now/.exec(text)?.[0].length : bars + 2;
  if (anchored === undefined) return readTime(text);
  const math = text.slice(anchored);
  if (!isDateMath(math)) return undefined;
  const anchor = bars === -1 ? { from: now, end: now + 1n } : readTime(text.slice(0, bars));
  return anchor && moveSpan(anchor, math);
}

function readTime(text: string): TimeSpan | undefined {
  if (/^\d{5,}$/.test(text)) return readNumber(text);
  const [, year = "", month, day, hour, minute] =
    /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d))?)?)?)?Z?$/.exec(text) ?? [];
  if (year !== "") {
    const from = parseEventTime(
      `${year}-${month ?? "01"}-${day ?? "01"}T${hour ?? "00"}:${minute ?? "00"}:00Z`,
    );
    const unit =
      month === undefined ? "y" : day === undefined ? "M" : hour === undefined ? "d" : undefined;
    if (from === undefined) return undefined;
    if (unit !== undefined) return moveSpan({ from, end: from + 1n }, `/${unit}`);
    return { from, end: from + (minute === undefined ? 3_600n : 60n) * secondNs };
  }
  const from = parseEventTime(text);
  if (from === undefined) return undefined;
  const [, decimals] = /:\d\d(?:\.(\d+))?(?:Z|[+-][\d:]+)?$/.exec(text) ?? [];
  return { from, end: from + 10n ** BigInt(Math.max(0, 9 - (decimals?.length ?? 0))) };
}

/** As many digits as LogTrace's events have: fewer than 12 count seconds, up to 14 ms, more ns. */
function readNumber(text: string): TimeSpan | undefined {
  if (text.length > 19) return undefined;
  const unit = text.length < 12 ? secondNs : text.length < 15 ? millisecondNs : 1n;
  const from = BigInt(text) * unit;
  return { from, end: from + unit };
}
