// Cuts the hours of a plan into slices, each of one statement: aligned, so that another search's are the same.
import type { Hour } from "./plan.ts";

const MEBIBYTE = 1024 * 1024;
/**
 * Bytes of messages. The first slice is small, so that something can be shown soon; each next may be larger. The newest 100
 * of 64 MiB take the store a fifth longer than those of 16: it skips what is older than the hundredth so far.
 */
const FIRST_BYTES = 64 * MEBIBYTE;
const GROWTH = 4;
/** Of events that are sent to be decided here: they are held meanwhile. */
export const LARGEST_SENT_BYTES = 128 * MEBIBYTE;
/**
 * Of events that the store decides itself: half a second of reading. Large slices are cheaper: where two meet,
 * each form that lines have is a granule that both read.
 */
export const LARGEST_DECIDED_BYTES = 512 * MEBIBYTE;
/** Parts of a day, and whole days, as the partitions of the store are; no slice of sparse hours is longer than 256 days. */
const SPANS_HOURS = [2, 4, 8, ...Array.from({ length: 9 }, (_, n) => 24 * 2 ** n)];

export interface SliceOptions {
  /** of messages, of the first slice; default 64 MiB */
  readonly firstBytes?: number;
  /** of messages, of any slice that is longer than an hour; default 128 MiB */
  readonly largestBytes?: number;
  /** Hours that the statistics answer without any event being read. */
  readonly isCounted?: (hour: Hour) => boolean;
}

/** Whole hours, newest first; disjoint in time from the other slices of the plan. */
export interface Slice {
  /** What answers for it: events, or the statistics alone. */
  readonly source: "events" | "statistics";
  /** hours since 1970, both inclusive */
  readonly firstHour: number;
  readonly lastHour: number;
  readonly rows: number;
  /** of messages */
  readonly bytes: number;
  readonly blocks: number;
  /** ns since the epoch, of the oldest and of the newest event, both inclusive */
  readonly oldest: bigint;
  readonly newest: bigint;
  /** Changes whenever what it holds has changed. */
  readonly signature: string;
}

/**
 * Slices of hours that are newest first. One of events is a run of 2, 4 or 8 hours, or of 2^n days, that begins
 * at a multiple of its length: ranges that are shifted or zoomed have most of their slices in common.
 */
export function formSlices(hours: readonly Hour[], options: SliceOptions = {}): Slice[] {
  const {
    firstBytes = FIRST_BYTES,
    largestBytes = LARGEST_SENT_BYTES,
    isCounted = () => false,
  } = options;
  const slices: Slice[] = [];
  let limit = firstBytes;
  let from = 0;
  let lastFree = Number.POSITIVE_INFINITY;
  while (from < hours.length) {
    const to = isCounted(at(hours, from))
      ? endOfRun(hours, from, isCounted)
      : endOfAligned(hours, from, lastFree, limit, isCounted);
    const own = hours.slice(from, to);
    slices.push(toSlice(own, isCounted(at(hours, from)) ? "statistics" : "events"));
    lastFree = at(own, own.length - 1).hour - 1;
    limit = Math.min(limit * GROWTH, largestBytes);
    from = to;
  }
  return slices;
}

function endOfRun(
  hours: readonly Hour[],
  from: number,
  isCounted: (hour: Hour) => boolean,
): number {
  const end = hours.findIndex((hour, index) => index > from && !isCounted(hour));
  return end < 0 ? hours.length : end;
}

/** The end of the largest aligned span that begins at an hour, is free, and within the limit of bytes. */
function endOfAligned(
  hours: readonly Hour[],
  from: number,
  lastFree: number,
  limit: number,
  isCounted: (hour: Hour) => boolean,
): number {
  let best = from + 1;
  for (const span of SPANS_HOURS) {
    const first = Math.floor(at(hours, from).hour / span) * span;
    if (first + span - 1 > lastFree) break;
    let to = from;
    let bytes = 0;
    for (; to < hours.length && at(hours, to).hour >= first; to++) {
      if (isCounted(at(hours, to))) return best;
      bytes += at(hours, to).bytes;
    }
    if (bytes > limit) break;
    best = to;
  }
  return best;
}

function toSlice(hours: readonly Hour[], source: Slice["source"]): Slice {
  const sum = (of: (hour: Hour) => number): number =>
    hours.reduce((total, hour) => total + of(hour), 0);
  return {
    source,
    firstHour: at(hours, hours.length - 1).hour,
    lastHour: at(hours, 0).hour,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    blocks: sum(({ blocks }) => blocks),
    oldest: hours.reduce(
      (oldest, hour) => (hour.oldest < oldest ? hour.oldest : oldest),
      at(hours, 0).oldest,
    ),
    newest: hours.reduce(
      (newest, hour) => (hour.newest > newest ? hour.newest : newest),
      at(hours, 0).newest,
    ),
    signature: hours.map(({ hour, signature }) => `${hour}:${signature}`).join(),
  };
}

function at(hours: readonly Hour[], index: number): Hour {
  const hour = hours[index];
  if (hour === undefined) throw new RangeError(`no hour ${index} of ${hours.length}`);
  return hour;
}
