// LogTrace's health: figures of what is stored and used, none invented.
import type { StoreClient } from "../../consumers/store/client.ts";
import type { Principal } from "../../ingest/keys/permission.ts";
import { readRows } from "../ask/rows.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { DOOR } from "./access.ts";

const RATE_SECONDS = 60;
/** Whoever asks how it is does not wait for long. */
const WAIT_MS = 3_000;
const NS_PER_HOUR = 3_600_000_000_000n;
const NS_PER_MS = 1_000_000n;

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
  const [row] = await readRows<{ events: string | number }>(store, {
    query: `
      SELECT count() AS events FROM events
      PREWHERE customer = {customer:String} AND tb >= {hour:Int32}
        AND prefix3 = {door:String} AND ingested >= {since:Int64}`,
    parameters: {
      customer,
      door: DOOR,
      hour: Number(now / NS_PER_HOUR) - 1,
      since: String(now - BigInt(RATE_SECONDS) * 1_000_000_000n),
    },
    signal,
    waitMs: WAIT_MS,
  });
  return Number(row?.events ?? 0);
}
