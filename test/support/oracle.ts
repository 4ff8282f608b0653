// The brute-force oracle: all five search types over an array of events, written from the search
// specification alone.
import type { SearchType } from "./api.ts";
import { toBytes, type Captures, type Pattern } from "./patterns.ts";

export type Labels = readonly [string, string, string, string];

export interface StoredEvent {
  readonly time: bigint;
  readonly labels: Labels;
  readonly message: string;
  /** The UTF-8 bytes of the message as latin1. */
  readonly bytes: string;
  /** Grows in the order of ingest. */
  readonly order: number;
}

export interface OracleQuery {
  readonly type: SearchType;
  readonly pattern: Pattern;
  readonly prefixes: Labels;
  readonly begin: bigint;
  readonly end: bigint;
  readonly timeBins: number;
  readonly limit: number;
  readonly xSplits: readonly number[];
  readonly ySplits: readonly number[];
}

interface Match {
  readonly event: StoredEvent;
  readonly captures: Captures;
}

/** An event as an answer shows it; two that look the same are the same. */
interface ShownEvent {
  readonly time: string;
  readonly labels: Labels;
  readonly message: string;
  readonly key?: string;
}

export interface OracleAnswer {
  /** In the order of the answer; for UNSORTED_RESULTS all events of which `limit` may be chosen. */
  readonly events: readonly ShownEvent[];
  readonly counts: readonly number[];
  /** Counted events by the JSON text of the four labels. */
  readonly contextCounts: ReadonlyMap<string, number>;
}

export function isInScope(labels: Labels, prefixes: Labels): boolean {
  return labels.every((label, index) => label.startsWith(prefixes[index] ?? ""));
}

function findMatches(events: readonly StoredEvent[], query: OracleQuery): Match[] {
  const { begin, end, prefixes, pattern } = query;
  const matches: Match[] = [];
  for (const event of events) {
    if (event.time < begin || event.time >= end || !isInScope(event.labels, prefixes)) continue;
    const captures = pattern.match(event.bytes);
    if (captures !== undefined) matches.push({ event, captures });
  }
  return matches;
}

/** Newest first; of equal times what was ingested later comes first. */
function sortBackward(matches: readonly Match[]): Match[] {
  return matches.toSorted(({ event: a }, { event: b }) =>
    a.time === b.time ? b.order - a.order : a.time < b.time ? 1 : -1,
  );
}

function showEvent({ time, labels, message }: StoredEvent, key?: string): ShownEvent {
  return { time: String(time), labels, message, ...(key === undefined ? {} : { key }) };
}

/** The first 31 bytes, less what is left of a character that they cut; as text. */
export function cutKey(bytes: string): string {
  let length = Math.min(31, bytes.length);
  if (bytes.length > 31) {
    while (length > 0 && (bytes.charCodeAt(length) & 0xc0) === 0x80) length -= 1;
  }
  return Buffer.from(bytes.slice(0, length), "latin1").toString("utf8");
}

function newestPerKey(matches: readonly Match[], limit: number): ShownEvent[] {
  const byKey = new Map<string, ShownEvent>();
  for (const { event, captures } of sortBackward(matches)) {
    if (captures.key === undefined) continue;
    const key = cutKey(captures.key);
    if (!byKey.has(key)) byKey.set(key, showEvent(event, key));
  }
  return [...byKey.values()].slice(0, limit);
}

function timeBin({ begin, end, timeBins }: OracleQuery, time: bigint): number {
  return Number(((time - begin) * BigInt(timeBins)) / (end - begin));
}

/** The bucket of a captured number; undefined = the event is left out. */
function bucketOf(splits: readonly number[], captured: string | undefined): number | undefined {
  if (splits.length === 0) return 0;
  if (captured === undefined || !/^[+-]?\d+(\.\d+)?$/.test(captured)) return undefined;
  const value = Number(captured);
  if (!Number.isFinite(value)) return undefined;
  return splits.filter((split) => split <= value).length;
}

function countInto(
  query: OracleQuery,
  matches: readonly Match[],
  cellOf: (match: Match) => number | undefined,
  cells: number,
): OracleAnswer {
  const counts = Array.from({ length: cells }, () => 0);
  const contextCounts = new Map<string, number>();
  for (const match of matches) {
    const cell = cellOf(match);
    if (cell === undefined) continue;
    counts[cell] = (counts[cell] ?? NaN) + 1;
    const context = JSON.stringify(match.event.labels);
    contextCounts.set(context, (contextCounts.get(context) ?? 0) + 1);
  }
  return { events: [], counts: query.begin < query.end ? counts : [], contextCounts };
}

function histogram(query: OracleQuery, matches: readonly Match[]): OracleAnswer {
  const xBuckets = query.xSplits.length + 1;
  const yBuckets = query.ySplits.length + 1;
  return countInto(
    query,
    matches,
    ({ event, captures }) => {
      const x = bucketOf(query.xSplits, captures.x);
      const y = bucketOf(query.ySplits, captures.y);
      if (x === undefined || y === undefined) return undefined;
      return (timeBin(query, event.time) * xBuckets + x) * yBuckets + y;
    },
    query.timeBins * xBuckets * yBuckets,
  );
}

/** The one right answer to a query over these events. */
export function answerOf(events: readonly StoredEvent[], query: OracleQuery): OracleAnswer {
  const matches = findMatches(events, query);
  const results = (shown: ShownEvent[]): OracleAnswer => ({
    events: shown,
    counts: [],
    contextCounts: new Map(),
  });
  switch (query.type) {
    case "UNSORTED_RESULTS":
      return results(matches.map(({ event }) => showEvent(event)));
    case "BACKWARD_RESULTS":
      return results(
        sortBackward(matches)
          .slice(0, query.limit)
          .map(({ event }) => showEvent(event)),
      );
    case "BACKWARD_RESULTS_ONE_PER_KEY31":
      return results(newestPerKey(matches, query.limit));
    case "EXACT_COUNTS_BINNED":
      return countInto(query, matches, ({ event }) => timeBin(query, event.time), query.timeBins);
    case "EXACT_XY_HISTOGRAM_BINNED":
      return histogram(query, matches);
  }
}

/** An event as the oracle keeps it. */
export function toStored(
  event: { readonly time: bigint; readonly labels: Labels; readonly message: string },
  order: number,
): StoredEvent {
  return { ...event, bytes: toBytes(event.message), order };
}
