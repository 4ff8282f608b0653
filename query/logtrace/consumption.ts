// LogTrace's consumption: what each key used of its limits, by hour and environment.
//
// The hours that run, or ended less than an hour ago, are answered from the usage stream, which has all counts
// of them; the others from the store.
import type { StoreClient } from "../../consumers/store/client.ts";
import { principalOf, type Principal } from "../../ingest/keys/permission.ts";
import { ruleOf } from "../../ingest/limits/rules.ts";
import type { Usage } from "../../ingest/limits/usage.ts";
import { KEPT_AFTER_MS } from "../../ingest/limits/usage-record.ts";
import { formatTimestamp } from "../../schemas/time.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import {
  readConsumptionRequest,
  sealPlace,
  type ConsumptionRequest,
} from "./consumption-request.ts";
import { readStoredRows, sumStoredRows } from "./stored-consumption.ts";
import { addRows, compareRows, emptyRow, type ConsumptionRow } from "./consumption-row.ts";

const HOUR_MS = 3_600_000;
const NS_PER_HOUR = 3_600_000_000_000n;

/** `/v1/analytics/consumption` */
export async function showConsumption(
  { store, tokens, usage }: Pick<VendorOptions, "store" | "tokens" | "usage">,
  principal: Principal,
  { query, signal }: Exchange,
): Promise<Reply> {
  const nowMs = Date.now();
  const request = readConsumptionRequest(principal, query, nowMs);
  const firstRecent = Math.floor((nowMs - KEPT_AFTER_MS) / HOUR_MS);
  const recent = recentRows(usage, request, firstRecent);
  const { rows, hasMore } = await readPage(store, request, recent, firstRecent, signal);
  const stored = await sumStoredRows(store, request, firstRecent - 1, signal);
  const last = rows.at(-1);
  return {
    json: {
      from: showHour(request.first),
      to: showHour(request.last + 1),
      environment: request.environment ?? null,
      data: rows.map(({ hour, ...row }) => ({ hour: showHour(hour), ...row })),
      totals: totalsOf([stored, ...recent]),
      keys: keysOf(tokens, principal, rows),
      limit: request.limit,
      next_cursor: hasMore && last !== undefined ? sealPlace(principal, last) : null,
    },
  };
}

function showHour(hour: number): string {
  return formatTimestamp(BigInt(hour) * NS_PER_HOUR);
}

/** In the order of the answer. */
function recentRows(usage: Usage, request: ConsumptionRequest, firstRecent: number) {
  const rows = new Map<string, ConsumptionRow>();
  for (const { account, tokenId, family, windowStart, ...figures } of usage.recent(
    request.customer,
  )) {
    if (family === "management") continue;
    const hour = Math.floor(windowStart / HOUR_MS);
    const place = { hour, environment: account.environment, key: tokenId };
    if (hour < firstRecent || !isAsked(request, place)) continue;
    const { requests, refused, events, bytes } = figures;
    const row = emptyRow(place);
    row[family] = { requests, refused, limit: account.limit };
    row.events = events;
    row.bytes = bytes;
    const name = JSON.stringify(place);
    const former = rows.get(name);
    rows.set(name, former === undefined ? row : addRows(former, row));
  }
  return [...rows.values()].sort(compareRows);
}

function isAsked(
  { first, last, environment, environmentPrefix, key }: ConsumptionRequest,
  row: { readonly hour: number; readonly environment: string; readonly key: string },
): boolean {
  return (
    row.hour >= first &&
    row.hour <= last &&
    (environment === undefined || row.environment === environment) &&
    row.environment.startsWith(environmentPrefix) &&
    (key === undefined || row.key === key)
  );
}

async function readPage(
  store: StoreClient,
  request: ConsumptionRequest,
  recent: readonly ConsumptionRow[],
  firstRecent: number,
  signal: AbortSignal,
): Promise<{ rows: readonly ConsumptionRow[]; hasMore: boolean }> {
  const { after, limit } = request;
  const newest = recent.filter((row) => after === undefined || compareRows(row, after) > 0);
  const missing = limit + 1 - newest.length;
  const older =
    missing > 0 ? await readStoredRows(store, request, firstRecent - 1, missing, signal) : [];
  const rows = [...newest, ...older];
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
}

function totalsOf(rows: readonly Omit<ConsumptionRow, "hour" | "environment" | "key">[]) {
  const total = (figure: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + figure(row), 0);
  return {
    ingest: {
      requests: total(({ ingest }) => ingest.requests),
      refused: total(({ ingest }) => ingest.refused),
    },
    query: {
      requests: total(({ query }) => query.requests),
      refused: total(({ query }) => query.refused),
    },
    events: total(({ events }) => events),
    bytes: total(({ bytes }) => bytes),
  };
}

/** The keys that rows name, and the one that asks, as they are now; those revoked are marked. */
function keysOf(
  tokens: VendorOptions["tokens"],
  { tokenId, customer }: Principal,
  rows: readonly ConsumptionRow[],
) {
  const wanted = new Set([tokenId, ...rows.map(({ key }) => key)]);
  return tokens
    .list()
    .filter(
      ({ id, kind, customer: own }) => wanted.has(id) && kind === "logtrace" && own === customer,
    )
    .map((record) => {
      const limitOf = (family: "ingest" | "query"): number | null =>
        ruleOf(principalOf(record), family)?.maxRequests ?? null;
      return {
        id: record.id,
        environment: record.environment ?? "",
        tier: record.tier ?? "standard",
        revoked: record.revokedAt !== undefined,
        limits: { ingest: limitOf("ingest"), query: limitOf("query") },
      };
    });
}
