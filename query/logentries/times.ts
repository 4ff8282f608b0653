// The span of time that a LEQL query names: from and to in ms, or a range in words.
import { LogboomError } from "../../schemas/errors.ts";
import { badField } from "../exchange/json-body.ts";

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;
/** ms since the epoch; the store's times end in 2262, and what is later means as late as can be. */
const MAX_MS = 9_223_372_036_854;
const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  mi: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
  mo: 30 * DAY_MS,
  y: 365 * DAY_MS,
};
const last =
  /^last\s+(?:(\d{1,6})\s+)?(s)(?:ec(?:ond)?)?s?$|^last\s+(?:(\d{1,6})\s+)?(mi|h|d|w|mo|y)(?:n(?:ute)?|(?:ou)?r|ay|eek|nth|ear)?s?$/i;

/** As the vendor writes it. */
export interface During {
  /** ms since the epoch */
  readonly from: number;
  readonly to: number;
  readonly time_range?: string | undefined;
}

/**
 * @param names what the request calls them
 * @throws LogboomError BAD_REQUEST when neither is given, or cannot be read.
 */
export function readDuring(
  given: { readonly from?: unknown; readonly to?: unknown; readonly time_range?: unknown },
  nowMs = Date.now(),
  names = { from: "from", to: "to" },
): During {
  const { from, to, time_range: range } = given;
  if (isGiven(range)) {
    const span = typeof range === "string" ? spanOf(range, nowMs) : undefined;
    if (span === undefined)
      throw badField("time_range", range, "today, yesterday or last 10 minutes");
    return { ...span, time_range: range as string };
  }
  if (!isGiven(from) && !isGiven(to)) {
    throw new LogboomError(
      "BAD_REQUEST",
      'no time is named: give "from" and "to", or "time_range"',
      {
        details: { field: "from" },
      },
    );
  }
  const begin = isGiven(from) ? readMs(names.from, from) : 0;
  const end = isGiven(to) ? readMs(names.to, to) : nowMs;
  if (begin > end) throw badField(names.from, from, `a time before "${names.to}"`);
  return { from: begin, to: end };
}

export function toSpan({ from, to }: During): { begin: bigint; end: bigint } {
  return { begin: BigInt(from) * NS_PER_MS, end: BigInt(to) * NS_PER_MS };
}

function spanOf(text: string, nowMs: number): During | undefined {
  const words = text.trim().replaceAll("+", " ").toLowerCase();
  const midnight = nowMs - (nowMs % DAY_MS);
  if (words === "today") return { from: midnight, to: nowMs };
  if (words === "yesterday") return { from: midnight - DAY_MS, to: midnight };
  const match = last.exec(words);
  if (match === null) return undefined;
  const ms = unitMs[match[2] ?? match[4] ?? ""];
  const amount = Number(match[1] ?? match[3] ?? 1);
  return ms === undefined ? undefined : { from: Math.max(0, nowMs - amount * ms), to: nowMs };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function readMs(name: string, value: unknown): number {
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) {
    return Math.min(number, MAX_MS);
  }
  throw badField(name, value, "ms since the epoch");
}
