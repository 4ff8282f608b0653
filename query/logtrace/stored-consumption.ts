// Hours of consumption from the store.
import type { StoreClient } from "../../consumers/store/client.ts";
import { readRows } from "../ask/rows.ts";
import type { ConsumptionRequest } from "./consumption-request.ts";
import type { ConsumptionRow } from "./consumption-row.ts";

/** Each edge's row is the last that it wrote; the edges' rows are summed up. */
const figures = `
  sumIf(requests, family = 'ingest') AS ingestRequests,
  sumIf(refused, family = 'ingest') AS ingestRefused,
  maxIf(allowed, family = 'ingest') AS ingestLimit,
  sumIf(requests, family = 'query') AS queryRequests,
  sumIf(refused, family = 'query') AS queryRefused,
  maxIf(allowed, family = 'query') AS queryLimit,
  sum(events) AS allEvents,
  sum(bytes) AS allBytes
FROM consumption FINAL
WHERE customer = {customer:String} AND hour BETWEEN {first:Int32} AND {last:Int32}`;

type FigureRow = Readonly<
  Record<
    | "ingestRequests"
    | "ingestRefused"
    | "ingestLimit"
    | "queryRequests"
    | "queryRefused"
    | "queryLimit"
    | "allEvents"
    | "allBytes",
    string | number
  >
>;

interface PlacedRow extends FigureRow {
  readonly hour: number;
  readonly environment: string;
  readonly key: string;
}

/** @param last hour since 1970 that the store answers for */
export async function readStoredRows(
  store: StoreClient,
  request: ConsumptionRequest,
  last: number,
  limit: number,
  signal: AbortSignal,
): Promise<ConsumptionRow[]> {
  if (request.first > last) return [];
  const rows = await readRows<PlacedRow>(store, {
    query: `
      SELECT hour, environment, key, ${figures} ${conditions(request)}
        ${
          request.after === undefined
            ? ""
            : `AND hour <= {afterHour:Int32} AND (hour < {afterHour:Int32}
                OR (environment, key) > ({afterEnvironment:String}, {afterKey:String}))`
        }
      GROUP BY hour, environment, key
      ORDER BY hour DESC, environment, key
      LIMIT {limit:UInt32}`,
    parameters: { ...parameters(request, last), limit },
    settings: { optimize_aggregation_in_order: 1 },
    signal,
  });
  return rows.map(({ hour, environment, key, ...row }) => ({
    hour,
    environment,
    key,
    ...toFigures(row),
  }));
}

/** Of all rows, whatever the page. */
export async function sumStoredRows(
  store: StoreClient,
  request: ConsumptionRequest,
  last: number,
  signal: AbortSignal,
): Promise<Omit<ConsumptionRow, "hour" | "environment" | "key">> {
  const [row] = await readRows<FigureRow>(store, {
    query: `SELECT ${figures} ${conditions(request)}`,
    parameters: parameters(request, last),
    signal,
  });
  if (row === undefined) throw new TypeError("a sum without a row");
  return toFigures(row);
}

function conditions({ environment, key }: ConsumptionRequest): string {
  return [
    "AND startsWith(environment, {environmentPrefix:String})",
    ...(environment === undefined ? [] : ["AND environment = {environment:String}"]),
    ...(key === undefined ? [] : ["AND key = {key:String}"]),
  ].join(" ");
}

function parameters(
  { customer, first, last, environment, environmentPrefix, key, after }: ConsumptionRequest,
  lastStored: number,
): Record<string, string | number> {
  return {
    customer,
    first,
    last: Math.min(last, lastStored),
    environmentPrefix,
    ...(environment !== undefined && { environment }),
    ...(key !== undefined && { key }),
    ...(after !== undefined && {
      afterHour: after.hour,
      afterEnvironment: after.environment,
      afterKey: after.key,
    }),
  };
}

function toFigures(row: FigureRow): Omit<ConsumptionRow, "hour" | "environment" | "key"> {
  return {
    ingest: {
      requests: Number(row.ingestRequests),
      refused: Number(row.ingestRefused),
      limit: Number(row.ingestLimit) || null,
    },
    query: {
      requests: Number(row.queryRequests),
      refused: Number(row.queryRefused),
      limit: Number(row.queryLimit) || null,
    },
    events: Number(row.allEvents),
    bytes: Number(row.allBytes),
  };
}
