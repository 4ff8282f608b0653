// Timestamps as text: the forms that ingest and search accept, as bigint nanoseconds since the epoch (UTC).

/** The span of event times that can be stored and searched: [first, end) in ns since the epoch. */
export const eventTimeRange = {
  first: 0n,
  /** 2254-07-22T01:34:33Z, the default endTime of a search: a later event could never be found. */
  end: 8_979_644_073_000_000_000n,
} as const;

const NS_PER_SECOND = 1_000_000_000n;
const POWERS_OF_TEN = Array.from({ length: 10 }, (_, power) => 10 ** power);

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
  return parsePlain(text) ?? parseAny(text);
}

/** Of `YYYY-MM-DDTHH:MM:SS`. */
const DATE_TIME_LENGTH = 19;
const LONGEST_PLAIN = DATE_TIME_LENGTH + ".123456789Z".length;
const DASH = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** The minute that was asked for last, as its digits, and its beginning in s since the epoch. */
let plainMinute = { digits: -1, seconds: 0 };

/** `YYYY-MM-DDTHH:MM:SS[.f…]Z` as nearly every program writes it; undefined means to look at it closely. */
function parsePlain(text: string): bigint | undefined {
  const { length } = text;
  if (length <= DATE_TIME_LENGTH || length > LONGEST_PLAIN) return undefined;
  const isPlain =
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    text.charCodeAt(10) === LETTER_T &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON &&
    text.charCodeAt(length - 1) === LETTER_Z;
  if (!isPlain) return undefined;
  const day = (digits(text, 0, 4) * 100 + digits(text, 5, 7)) * 100 + digits(text, 8, 10);
  const minute = (day * 100 + digits(text, 11, 13)) * 100 + digits(text, 14, 16);
  const second = digits(text, 17, 19);
  if (Number.isNaN(minute) || !(second < 60)) return undefined;
  if (minute !== plainMinute.digits) {
    const ns = parseAny(`${text.slice(0, DATE_TIME_LENGTH - 2)}00Z`);
    if (ns === undefined) return undefined;
    plainMinute = { digits: minute, seconds: Number(ns / NS_PER_SECOND) };
  }
  let fraction = 0;
  if (length > DATE_TIME_LENGTH + 1) {
    const count = length - DATE_TIME_LENGTH - 2;
    if (text.charCodeAt(DATE_TIME_LENGTH) !== DOT || count === 0) return undefined;
    fraction = digits(text, DATE_TIME_LENGTH + 1, length - 1) * (POWERS_OF_TEN[9 - count] ?? 0);
    if (Number.isNaN(fraction)) return undefined;
  }
  return BigInt(plainMinute.seconds + second) * NS_PER_SECOND + BigInt(fraction);
}

/** NaN where something else stands there. */
function digits(text: string, from: number, end: number): number {
  let value = 0;
  for (let index = from; index < end; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function parseAny(text: string): bigint | undefined {
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
  return parsePlain(text) ?? (/^\d{1,19}$/.test(text) ? BigInt(text) : parseAny(text));
}
