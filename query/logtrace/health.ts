// LogTrace's health and consumption: figures of what is stored and used, none invented.
import type { StoreClient } from "../../consumers/store/client.ts";
import { principalOf, requireEnvironment, type Principal } from "../../ingest/keys/permission.ts";
import { ruleOf } from "../../ingest/limits/rules.ts";
import { formatTimestamp } from "../../schemas/time.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badParameter, textParameter } from "../exchange/parameters.ts";
import { parseRelativeTime, relativeTimeForms } from "../exchange/relative-time.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { DOOR } from "./access.ts";

const RATE_SECONDS = 60;
const NS_PER_HOUR = 3_600_000_000_000n;
const NS_PER_MS = 1_000_000n;
const MAX_HOURS = 24 * 366;

/**
 * `/v1/health`: `workers` are the statements that queries may run at a time, `ingestion_rps` the customer's
 * events a second that arrived within the last minute, of the last two hours.
 */
export async function showHealth(
  { store, config }: Pick<VendorOptions, "store" | "config">,
  { customer }: Principal,
  { signal }: Exchange,
): Promise<Reply> {
  const facts = {
    workers: config.LOGBOOM_SEARCH_CONCURRENCY,
    uptime_seconds: Math.floor(process.uptime()),
  };
  try {
    const events = await countArrivals(store, customer, signal);
    return {
      json: {
        status: "healthy",
        ...facts,
        ingestion_rps: Math.round((10 * events) / RATE_SECONDS) / 10,
      },
    };
  } catch {
    return {
      status: 503,
      json: { status: "unhealthy", ...facts, ingestion_rps: 0, error: "the store does not answer" },
    };
  }
}

async function countArrivals(
  store: StoreClient,
  customer: string,
  signal: AbortSignal,
): Promise<number> {
  const now = BigInt(Date.now()) * NS_PER_MS;
  const result = await store.query({
    query: `
      SELECT count() AS events FROM events
      PREWHERE customer = {customer:String} AND tb >= {hour:Int32}
        AND prefix3 = {door:String} AND ingested >= {since:Int64}`,
    query_params: {
      customer,
      door: DOOR,
      hour: Number(now / NS_PER_HOUR) - 1,
      since: String(now - BigInt(RATE_SECONDS) * 1_000_000_000n),
    },
    format: "JSONEachRow",
    abort_signal: signal,
  });
  const [row] = await result.json<{ events: string | number }>();
  return Number(row?.events ?? 0);
}

interface HourRow {
  readonly environment: string;
  readonly hour: number;
  readonly events: string;
  readonly bytes: string;
}

/**
 * `/v1/analytics/consumption`: what is stored by environment and hour of the events' own time, and what each key
 * has used of its limits in the current hour.
 */
export async function showConsumption(
  { store, tokens, usage }: Pick<VendorOptions, "store" | "tokens" | "usage">,
  principal: Principal,
  { query, signal }: Exchange,
): Promise<Reply> {
  const { customer } = principal;
  const nowMs = Date.now();
  const read = (name: string, fallback: string): bigint => {
    const text = textParameter(query, name) ?? fallback;
    const time = parseRelativeTime(text, nowMs);
    if (time === undefined) throw badParameter(name, text, relativeTimeForms);
    return time;
  };
  const firstHour = read("from", "-24h") / NS_PER_HOUR;
  const lastHour = read("to", "now") / NS_PER_HOUR;
  if (lastHour < firstHour || lastHour - firstHour > MAX_HOURS) {
    const from = textParameter(query, "from") ?? "-24h";
    throw badParameter("from", from, `a time before "to", by ${MAX_HOURS} hours at most`);
  }
  const named = textParameter(query, "environment");
  if (named !== undefined && principal.environment !== undefined) {
    requireEnvironment(principal, named);
  }
  const environment = principal.environment ?? named;
  const result = await store.query({
    query: `
      SELECT prefix0 AS environment, tb AS hour, sum(rows) AS events, sum(bytes) AS bytes
      FROM streams
      WHERE customer = {customer:String} AND prefix3 = {door:String}
        AND tb BETWEEN {first:Int32} AND {last:Int32}
        ${environment === undefined ? "" : "AND prefix0 = {environment:String}"}
        ${principal.prefixes.map((_, index) => `AND startsWith(prefix${index}, {p${index}:String})`).join(" ")}
      GROUP BY environment, hour ORDER BY hour, environment`,
    query_params: {
      customer,
      door: DOOR,
      first: Number(firstHour),
      last: Number(lastHour),
      environment: environment ?? "",
      ...Object.fromEntries(principal.prefixes.map((prefix, index) => [`p${index}`, prefix])),
    },
    format: "JSONEachRow",
    abort_signal: signal,
  });
  const hours = await result.json<HourRow>();
  return {
    json: {
      from: formatTimestamp(firstHour * NS_PER_HOUR),
      to: formatTimestamp((lastHour + 1n) * NS_PER_HOUR),
      hours: hours.map((row) => ({
        hour: formatTimestamp(BigInt(row.hour) * NS_PER_HOUR),
        environment: row.environment,
        events: Number(row.events),
        bytes: Number(row.bytes),
      })),
      keys: keysOf({ tokens, usage }, customer, environment, nowMs),
    },
  };
}

function keysOf(
  { tokens, usage }: Pick<VendorOptions, "tokens" | "usage">,
  customer: string,
  environment: string | undefined,
  nowMs: number,
) {
  return tokens
    .list()
    .filter(
      (record) =>
        record.kind === "logtrace" &&
        record.customer === customer &&
        record.revokedAt === undefined &&
        (environment === undefined || record.environment === environment),
    )
    .map((record) => {
      const { id, tier = "standard" } = record;
      const requests = Object.fromEntries(
        (["ingest", "query"] as const).map((family) => {
          const rule = ruleOf(principalOf(record), family);
          const windowMs = rule?.windowMs ?? 0;
          const windowStart = windowMs === 0 ? nowMs : nowMs - (nowMs % windowMs);
          const used = usage.total({ tokenId: id, family, windowStart, windowMs });
          return [family, { used, limit: rule?.maxRequests ?? null }];
        }),
      );
      return { id, environment: record.environment, tier, requests_this_hour: requests };
    });
}
