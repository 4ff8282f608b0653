// Timestamps as text: the forms that ingest and search accept, as bigint nanoseconds since the epoch (UTC).

/** The span of event times that can be stored and searched: [first, end) in ns since the epoch. */
export const eventTimeRange = {
  first: 0n,
  /** 2254-07-22T01:34:33Z, the default endTime of a search: a later event could never be found. */
  end: 8_979_644_073_000_000_000n,
} as const;

const NS_PER_SECOND = 1_000_000_000n;

const form =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):?(\d\d))?$/;

/** What to write, for error messages. */
export const timestampForms = "YYYY-MM-DD[T ]HH:MM:SS[.fraction][Z|+HH:MM]";

/**
 * Reads `YYYY-MM-DD[T ]HH:MM:SS[.f…][Z|±HH[:]MM]`; without an offset it is UTC; digits of the fraction
 * past the ninth are cut (search API, section 2).
 *
 * @returns ns since the epoch, or undefined when the text is not such a timestamp or not a real date.
 */
export function parseTimestamp(text: string): bigint | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const minutes = minutesSinceEpoch(match);
  const second = Number(match[6]);
  if (minutes === undefined || second > 59) return undefined;

  const [, , , , , , , fraction = "", sign, offsetHours = "0", offsetMinutes = "0"] = match;
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  const offset = (sign === "-" ? -1 : 1) * (Number(offsetHours) * 60 + Number(offsetMinutes));
  const seconds = (minutes - offset) * 60 + second;
  return BigInt(seconds) * NS_PER_SECOND + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

/** The minute that was asked for last: logs run through them one by one. */
let lastMinute = { text: "", minutes: undefined as number | undefined };

function minutesSinceEpoch(match: RegExpExecArray): number | undefined {
  const text = match[0].slice(0, "YYYY-MM-DDTHH:MM".length);
  if (text !== lastMinute.text) lastMinute = { text, minutes: readMinutes(match) };
  return lastMinute.minutes;
}

function readMinutes(match: RegExpExecArray): number | undefined {
  const [year, month, day, hour, minute] = match.slice(1, 6).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A date such as 2024-02-30 rolls over to another one.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.getTime() / 60_000 + hour * 60 + minute;
}

/** The other way round: `1970-01-01T00:00:00Z`, with as many decimals as there are. */
export function formatTimestamp(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = (nanoseconds - fraction) / NS_PER_SECOND;
  const decimals = String(fraction).padStart(9, "0").replace(/0+$/, "");
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, -".000Z".length);
  return `${date}${decimals === "" ? "" : `.${decimals}`}Z`;
}

/** An event's time: a decimal count of ns since the epoch, or any form of {@link parseTimestamp}. */
export function parseEventTime(text: string): bigint | undefined {
  return /^\d{1,19}$/.test(text) ? BigInt(text) : parseTimestamp(text);
}
