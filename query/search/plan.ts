// Plans a search into slices of whole hours, newest first, from the statistics kept at ingest.
import type { StoreClient } from "../../consumers/store/client.ts";
import type { SearchRequest } from "./request.ts";
import type { Prefixes } from "./request.ts";
import { scopeCondition } from "./scope.ts";

/** The store's unit of reading: rows of a granule. What the counters call a block. */
const ROWS_PER_BLOCK = 2_048;
/** The first slice is small, so that something can be shown soon; each next is twice as large. */
const FIRST_SLICE_BYTES = 16 * 1024 * 1024;
const LARGEST_SLICE_BYTES = 128 * 1024 * 1024;

/** DateTime64(9) ends here. */
const MAX_INT64 = 2n ** 63n - 1n;

/** Whole hours, newest first; disjoint in time from the other slices of the plan. */
export interface Slice {
  /** hours since 1970, both inclusive */
  readonly firstHour: number;
  readonly lastHour: number;
  readonly rows: number;
  /** of messages */
  readonly bytes: number;
  readonly blocks: number;
}

export interface Plan {
  readonly slices: readonly Slice[];
  /** of the customer */
  readonly totalBlocks: number;
  readonly relevantBlocks: number;
  /** Changes whenever what the plan covers has changed. */
  readonly signature: string;
}

interface HourRow {
  readonly hour: number;
  readonly allRows: string;
  readonly relevantRows: string;
  readonly relevantBytes: string;
  readonly newestIngested: string;
}

/**
 * @param prefixes undefined when the token and the query exclude each other
 * @throws the store's error
 */
export async function planSearch(
  store: StoreClient,
  request: SearchRequest,
  prefixes: Prefixes | undefined,
  signal?: AbortSignal,
): Promise<Plan> {
  const scope = scopeCondition(request.customer, ["", "", "", ""]);
  const matching = scopeCondition(request.customer, prefixes ?? ["", "", "", ""]);
  const result = await store.query({
    query: `
      SELECT
        tb AS hour,
        sum(rows) AS allRows,
        sumIf(rows, isRelevant) AS relevantRows,
        sumIf(bytes, isRelevant) AS relevantBytes,
        maxIf(newest_ingested, isRelevant) AS newestIngested
      FROM (
        SELECT *, ${matching.text}
          AND max_time >= fromUnixTimestamp64Nano({begin:Int64})
          AND min_time < fromUnixTimestamp64Nano({end:Int64}) AS isRelevant
        FROM streams
        WHERE ${scope.text}
      )
      GROUP BY hour
      ORDER BY hour DESC`,
    query_params: {
      ...scope.params,
      ...matching.params,
      begin: String(clampToInt64(request.begin)),
      end: String(clampToInt64(request.end)),
    },
    format: "JSONEachRow",
    ...(signal && { abort_signal: signal }),
  });
  const hours = await result.json<HourRow>();
  const isEmpty = prefixes === undefined || request.begin >= request.end;
  const relevant = isEmpty ? [] : hours.filter(({ relevantRows }) => relevantRows !== "0");
  const slices = formSlices(relevant);
  return {
    slices,
    totalBlocks: hours.reduce((sum, hour) => sum + blocksOf(Number(hour.allRows)), 0),
    relevantBlocks: slices.reduce((sum, slice) => sum + slice.blocks, 0),
    signature: relevant
      .map(({ hour, relevantRows, newestIngested }) => `${hour}:${relevantRows}:${newestIngested}`)
      .join(),
  };
}

export function clampToInt64(time: bigint): bigint {
  return time > MAX_INT64 ? MAX_INT64 : time < 0n ? 0n : time;
}

function formSlices(hours: readonly HourRow[]): Slice[] {
  const slices: Slice[] = [];
  let target = FIRST_SLICE_BYTES;
  let open: Slice | undefined;
  for (const row of hours) {
    const rows = Number(row.relevantRows);
    const hour = {
      firstHour: row.hour,
      lastHour: row.hour,
      rows,
      bytes: Number(row.relevantBytes),
      blocks: blocksOf(rows),
    };
    if (open !== undefined && open.bytes + hour.bytes > target) {
      slices.push(open);
      open = undefined;
      target = Math.min(target * 2, LARGEST_SLICE_BYTES);
    }
    open =
      open === undefined
        ? hour
        : {
            firstHour: hour.firstHour,
            lastHour: open.lastHour,
            rows: open.rows + hour.rows,
            bytes: open.bytes + hour.bytes,
            blocks: open.blocks + hour.blocks,
          };
  }
  if (open !== undefined) slices.push(open);
  return slices;
}

function blocksOf(rows: number): number {
  return Math.ceil(rows / ROWS_PER_BLOCK);
}
