// Plans a search from the statistics kept at ingest: which hours it concerns, and what they hold.
import type { StoreClient } from "../../consumers/store/client.ts";
import type { SearchRequest } from "./request.ts";
import type { Prefixes } from "./request.ts";
import { scopeCondition } from "./scope.ts";
import { findUnsettled } from "./settled-hours.ts";
import { formSlices, type Slice, type SliceOptions } from "./slices.ts";

/** The store's unit of reading: rows of a granule. What the counters call a block. */
const ROWS_PER_BLOCK = 2_048;

/** DateTime64(9) ends here. */
const MAX_INT64 = 2n ** 63n - 1n;

/** What is searched; undefined prefixes: token and query exclude each other. */
export type PlanRequest = Pick<SearchRequest, "customer" | "begin" | "end">;

/** An hour of what is searched: rows and bytes of the streams whose labels match. */
export interface Hour {
  /** hours since 1970 */
  readonly hour: number;
  readonly rows: number;
  /** of messages */
  readonly bytes: number;
  readonly blocks: number;
  /** ns since the epoch, of the oldest and of the newest event, both inclusive */
  readonly oldest: bigint;
  readonly newest: bigint;
  /** Changes whenever the hour has changed. */
  readonly signature: string;
  /** Whether the events are known to be as many as the statistics say. */
  readonly isSettled: boolean;
}

export interface Plan {
  readonly slices: readonly Slice[];
  /** of the customer */
  readonly totalBlocks: number;
  readonly relevantBlocks: number;
  /** of the messages in the relevant blocks */
  readonly relevantBytes: number;
  /** Changes whenever what the plan covers has changed. */
  readonly signature: string;
}

interface PlanOptions extends SliceOptions {
  /** ms since the epoch: everything that the log was given before is stored; now, when unknown */
  readonly searchableUntil?: number;
}

/** What the statistics tell of an hour. */
export interface HourRow {
  readonly hour: number;
  readonly rows: string;
  readonly bytes: string;
  readonly oldest: string;
  readonly newest: string;
  readonly newestIngested: string;
}

/**
 * @param prefixes undefined when the token and the query exclude each other
 * @throws the store's error
 */
export async function planSearch(
  store: StoreClient,
  request: PlanRequest,
  prefixes: Prefixes | undefined,
  signal?: AbortSignal,
  options: PlanOptions = {},
): Promise<Plan> {
  const isNarrowed = prefixes?.some((prefix) => prefix !== "") ?? false;
  const [all, narrowed] = await Promise.all([
    readHours(store, request.customer, undefined, signal),
    isNarrowed ? readHours(store, request.customer, prefixes, signal) : undefined,
  ]);
  const isEmpty = prefixes === undefined || request.begin >= request.end;
  const candidates = isEmpty
    ? []
    : (narrowed ?? all).filter((row) => isOverlapping(row, request.begin, request.end));
  const unsettled = await findUnsettled(
    store,
    request.customer,
    prefixes ?? ["", "", "", ""],
    candidates,
    options.searchableUntil ?? Date.now(),
    signal,
  );
  const hours = candidates.map((row) => toHour(row, unsettled.has(row.hour)));
  const slices = formSlices(hours, options);
  return {
    slices,
    totalBlocks: countBlocks(all, narrowed ?? []),
    relevantBlocks: hours.reduce((sum, { blocks }) => sum + blocks, 0),
    relevantBytes: hours.reduce((sum, { bytes }) => sum + bytes, 0),
    signature: hours.map(({ hour, signature }) => `${hour}:${signature}`).join(),
  };
}

export function clampToInt64(time: bigint): bigint {
  return time > MAX_INT64 ? MAX_INT64 : time < 0n ? 0n : time;
}

/** The hours of a customer, or of its streams of some labels; newest first. */
async function readHours(
  store: StoreClient,
  customer: string,
  prefixes: Prefixes | undefined,
  signal: AbortSignal | undefined,
): Promise<HourRow[]> {
  const scope = scopeCondition(customer, prefixes ?? ["", "", "", ""]);
  const result = await store.query({
    query: `
      SELECT
        tb AS hour,
        sum(rows) AS rows,
        sum(bytes) AS bytes,
        toString(toUnixTimestamp64Nano(min(min_time))) AS oldest,
        toString(toUnixTimestamp64Nano(max(max_time))) AS newest,
        toString(max(newest_ingested)) AS newestIngested
      FROM ${prefixes === undefined ? "hours" : "streams"}
      PREWHERE ${scope.text}
      GROUP BY hour
      ORDER BY hour DESC`,
    query_params: scope.params,
    format: "JSONEachRow",
    ...(signal && { abort_signal: signal }),
  });
  return result.json<HourRow>();
}

function isOverlapping({ oldest, newest }: HourRow, begin: bigint, end: bigint): boolean {
  return BigInt(newest) >= begin && BigInt(oldest) < end;
}

/** Blocks of all hours; an insert under way may have reached the streams, and not the hours yet. */
function countBlocks(all: readonly HourRow[], narrowed: readonly HourRow[]): number {
  const rowsByHour = new Map(all.map(({ hour, rows }) => [hour, Number(rows)]));
  for (const { hour, rows } of narrowed) {
    rowsByHour.set(hour, Math.max(Number(rows), rowsByHour.get(hour) ?? 0));
  }
  return [...rowsByHour.values()].reduce((sum, rows) => sum + blocksOf(rows), 0);
}

let unsettledHours = 0;

function toHour(row: HourRow, isUnsettled: boolean): Hour {
  // What may not be complete is never the same as anything else.
  const distinction = isUnsettled ? `:${++unsettledHours}` : "";
  return {
    hour: row.hour,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    blocks: blocksOf(Number(row.rows)),
    oldest: BigInt(row.oldest),
    newest: BigInt(row.newest),
    signature: `${row.rows}:${row.newestIngested}${distinction}`,
    isSettled: !isUnsettled,
  };
}

function blocksOf(rows: number): number {
  return Math.ceil(rows / ROWS_PER_BLOCK);
}
