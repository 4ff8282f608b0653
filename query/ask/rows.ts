// Short statements that a request waits for: rows, or soon the word that the store does not answer.
import type { ClickHouseSettings } from "@clickhouse/client";
import type { StoreClient } from "../../consumers/store/client.ts";
import { storeAway } from "../search/attempts.ts";
import { within } from "../search/deadline.ts";

const WAIT_MS = 15_000;

interface Statement {
  readonly query: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly settings?: ClickHouseSettings;
  readonly signal?: AbortSignal;
  /** How long the store may say nothing, ms; default 15 s. */
  readonly waitMs?: number;
}

/** @throws LogboomError UNAVAILABLE when the store does not answer (in time), or the signal's reason */
export async function readRows<Row>(
  store: StoreClient,
  {
    query,
    parameters,
    settings,
    signal = new AbortController().signal,
    waitMs = WAIT_MS,
  }: Statement,
): Promise<Row[]> {
  const task = async (stopped: AbortSignal): Promise<Row[]> => {
    const result = await store.query({
      query,
      query_params: { ...parameters },
      ...(settings !== undefined && { clickhouse_settings: settings }),
      format: "JSONEachRow",
      abort_signal: stopped,
    });
    return result.json<Row>();
  };
  try {
    const orElse = () => new Error(`no answer within ${waitMs} ms`);
    return await within(waitMs, signal, { task, orElse });
  } catch (error) {
    signal.throwIfAborted();
    throw storeAway(error);
  }
}
