// The SQL of one slice. Everything that comes from a request is a bound parameter or a validated number.
import type { CompiledSearch } from "../language/search.ts";
import type { CellLayout } from "./cells.ts";
import { cutKeySql } from "./key31.ts";
import { clampToInt64 } from "./plan.ts";
import type { Prefixes, SearchRequest } from "./request.ts";
import { scopeCondition } from "./scope.ts";
import type { Slice } from "./slices.ts";

export interface Statement {
  readonly query: string;
  readonly params: Record<string, unknown>;
}

const EVENT_COLUMNS =
  "toString(toUnixTimestamp64Nano(time)), toString(ingested), prefix0, prefix1, prefix2, prefix3, message";

/** Rows `[time, ingested, prefix0..3, message]` of the newest, or any, `limit` events that match. */
export function eventsStatement(
  request: SearchRequest,
  { where }: CompiledSearch,
  prefixes: Prefixes,
  slice: Slice,
  limit: number,
): Statement {
  const source = sourceOf(request, where, prefixes, slice);
  const order =
    request.type === "UNSORTED_RESULTS"
      ? ""
      : // Two edges may have given the same time of arrival: the same list every time all the same.
        "ORDER BY time DESC, ingested DESC, prefix0, prefix1, prefix2, prefix3, message";
  return {
    query: `SELECT ${EVENT_COLUMNS} FROM events ${source.text} ${order} LIMIT {limit:UInt32}`,
    params: { ...source.params, limit },
  };
}

/** Rows `[time, ingested, prefix0..3, message, key]` of the newest event of each key. */
export function keysStatement(
  request: SearchRequest,
  { captureWhere, captures }: CompiledSearch,
  prefixes: Prefixes,
  slice: Slice,
  limit: number,
): Statement {
  const source = sourceOf(request, captureWhere, prefixes, slice);
  const key = captures.key;
  if (key === undefined) throw new TypeError("a search for keys needs the capture key");
  return {
    query: `
      SELECT toString(newest.1), toString(newest.2), newest.3, newest.4, newest.5, newest.6, newest.7, key
      FROM (
        SELECT
          ${cutKeySql("capturedKey")} AS key,
          argMax(tuple(at, ingested, prefix0, prefix1, prefix2, prefix3, message), place) AS newest,
          max(place) AS newestPlace
        FROM (
          SELECT * EXCEPT captured, assumeNotNull(captured) AS capturedKey,
            toUnixTimestamp64Nano(time) AS at,
            -- compared as one number, which costs a third of comparing tuples; equal times are told apart by content
            bitShiftLeft(bitShiftLeft(toInt256(at), 64) + ingested, 64) + xxh3(message) AS place
          FROM (
            SELECT time, ingested, prefix0, prefix1, prefix2, prefix3, message,
              ${key.text} AS captured
            FROM events ${source.text}
          )
          WHERE captured IS NOT NULL
        )
        GROUP BY key
      )
      ORDER BY newest.1 DESC, newest.2 DESC, newest
      LIMIT {limit:UInt32}`,
    params: { ...source.params, ...key.params, limit },
  };
}

/**
 * Rows `[1, cell, "", "", "", "", count]` of each cell and `[0, 0, prefix0..3, count]` of each context
 * that hold something.
 */
export function countsStatement(
  request: SearchRequest,
  { where, captureWhere, captures }: CompiledSearch,
  prefixes: Prefixes,
  slice: Slice,
  layout: CellLayout,
): Statement {
  const isHistogram = request.type === "EXACT_XY_HISTOGRAM_BINNED";
  const x = isHistogram && request.xSplits.length > 0 ? captures.x : undefined;
  const y = isHistogram && request.ySplits.length > 0 ? captures.y : undefined;
  const isOfCaptured = x !== undefined || y !== undefined;
  const source = sourceOf(request, isOfCaptured ? captureWhere : where, prefixes, slice);
  const captured = [
    ...(x === undefined ? [] : [`${x.text} AS x`]),
    ...(y === undefined ? [] : [`${y.text} AS y`]),
  ];
  const tookPart = [
    ...(x === undefined ? [] : ["x IS NOT NULL"]),
    ...(y === undefined ? [] : ["y IS NOT NULL"]),
  ];
  const events = `
    SELECT time, prefix0, prefix1, prefix2, prefix3 ${captured.map((column) => `, ${column}`).join("")}
    FROM events ${source.text}`;
  return {
    query: `
      SELECT grouping(prefix0) AS isCell, cell, prefix0, prefix1, prefix2, prefix3, count()
      FROM (
        SELECT toUInt32(${layout.sql("assumeNotNull(x)", "assumeNotNull(y)")}) AS cell,
          prefix0, prefix1, prefix2, prefix3
        FROM (${events})
        ${tookPart.length === 0 ? "" : `WHERE ${tookPart.join(" AND ")}`}
      )
      GROUP BY GROUPING SETS ((cell), (prefix0, prefix1, prefix2, prefix3))`,
    params: { ...source.params, ...x?.params, ...y?.params },
  };
}

/**
 * Rows `[1, oldest, newest, "", "", "", "", count]` of each hour, times in ns, and
 * `[0, oldest, newest, prefix0..3, count]` of each context: of all events of a slice, from the statistics.
 * Where all hours are of one cell, those of contexts alone.
 */
export function statisticsStatement(
  request: SearchRequest,
  prefixes: Prefixes,
  slice: Slice,
  isOneCell: boolean,
): Statement {
  const scope = scopeCondition(request.customer, prefixes);
  const byHour = isOneCell ? "" : "(tb), ";
  return {
    query: `
      SELECT grouping(prefix0) AS isCell,
        toString(toUnixTimestamp64Nano(min(min_time))), toString(toUnixTimestamp64Nano(max(max_time))),
        prefix0, prefix1, prefix2, prefix3, sum(rows)
      FROM streams
      PREWHERE ${scope.text} AND tb BETWEEN {firstHour:Int32} AND {lastHour:Int32}
      GROUP BY GROUPING SETS (${byHour}(prefix0, prefix1, prefix2, prefix3))`,
    params: { ...scope.params, firstHour: slice.firstHour, lastHour: slice.lastHour },
  };
}

/** Rows `[time, ingested, prefix0..3, message]` of every candidate, for searches that are decided here. */
export function candidatesStatement(
  request: SearchRequest,
  { where }: CompiledSearch,
  prefixes: Prefixes,
  slice: Slice,
): Statement {
  const source = sourceOf(request, where, prefixes, slice);
  return { query: `SELECT ${EVENT_COLUMNS} FROM events ${source.text}`, params: source.params };
}

/**
 * Explicit PREWHERE, cheapest condition first: the store would evaluate the pattern before the labels. Read is
 * only what lies between the oldest and the newest event that the plan knows of: the slice's bins and
 * what is kept of it hold for these, and not for an event that came in since and lies beyond them.
 */
function sourceOf(
  request: SearchRequest,
  where: CompiledSearch["where"],
  prefixes: Prefixes,
  slice: Slice,
): { text: string; params: Record<string, unknown> } {
  const scope = scopeCondition(request.customer, prefixes);
  const begin = request.begin > slice.oldest ? request.begin : slice.oldest;
  const end = request.end <= slice.newest ? request.end : slice.newest + 1n;
  const conditions = [
    scope.text,
    "tb BETWEEN {firstHour:Int32} AND {lastHour:Int32}",
    "time >= fromUnixTimestamp64Nano({begin:Int64})",
    "time < fromUnixTimestamp64Nano({end:Int64})",
    ...(where === undefined ? [] : [where.text]),
  ];
  return {
    text: `PREWHERE ${conditions.join(" AND ")}`,
    params: {
      ...scope.params,
      ...where?.params,
      firstHour: slice.firstHour,
      lastHour: slice.lastHour,
      begin: String(clampToInt64(begin)),
      end: String(clampToInt64(end)),
    },
  };
}
