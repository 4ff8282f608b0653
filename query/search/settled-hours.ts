// Which hours' statistics tell no more than the events do: an insert reaches the one and the other in turn.
import { setTimeout as sleep } from "node:timers/promises";
import type { StoreClient } from "../../consumers/store/client.ts";
import type { HourRow } from "./plan.ts";
import type { Prefixes } from "./request.ts";
import { joinPrefixes, scopeCondition } from "./scope.ts";

/**
 * Hours in which something arrived that may be on its way are compared with the events before they are planned
 * with. An edge tries for up to two minutes to bring what arrived into the log; from there on the log says what
 * has not been stored.
 */
const ARRIVAL_MS = 180_000;
/** How often they are compared again, as an insert under way ends within moments. */
const COMPARISONS = 10;
const COMPARE_AGAIN_MS = 20;
/** What was compared once is not compared again until something comes in: about 200 bytes each. */
const MAX_REMEMBERED = 20_000;

/** Of each store, hours by customer and labels, with the statistics they were compared under; oldest first. */
const settled = new WeakMap<StoreClient, Map<string, string>>();

/**
 * Hours of which an insert under way has reached the statistics and not yet the events.
 *
 * @param searchableUntil ms since the epoch: everything that the log was given before is stored
 * @throws the store's error
 */
export async function findUnsettled(
  store: StoreClient,
  customer: string,
  prefixes: Prefixes,
  rows: readonly HourRow[],
  searchableUntil: number,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<number>> {
  const youngest = BigInt(Math.floor(searchableUntil) - ARRIVAL_MS) * 1_000_000n;
  const known = settled.get(store) ?? new Map<string, string>();
  settled.set(store, known);
  const scopeName = JSON.stringify([customer, joinPrefixes(prefixes)]);
  const nameOf = ({ hour }: HourRow): string => `${scopeName}/${hour}`;
  let missing = rows.filter(
    (row) => BigInt(row.newestIngested) > youngest && known.get(nameOf(row)) !== stateOf(row),
  );
  const scope = scopeCondition(customer, prefixes);
  for (let times = 0; missing.length > 0 && times < COMPARISONS; times++) {
    if (times > 0) await sleep(COMPARE_AGAIN_MS, undefined, { signal });
    const result = await store.query({
      query: `
        SELECT tb AS hour, count() AS rows
        FROM events
        PREWHERE ${scope.text} AND tb IN {hours:Array(Int32)}
        GROUP BY hour`,
      query_params: { ...scope.params, hours: missing.map(({ hour }) => hour) },
      format: "JSONEachRow",
      ...(signal && { abort_signal: signal }),
    });
    const counted = await result.json<{ hour: number; rows: string }>();
    const stored = new Map(counted.map(({ hour, rows: count }) => [hour, Number(count)]));
    const isStored = ({ hour, rows: count }: HourRow): boolean =>
      (stored.get(hour) ?? 0) >= Number(count);
    for (const row of missing) if (isStored(row)) remember(known, nameOf(row), stateOf(row));
    missing = missing.filter((row) => !isStored(row));
  }
  return new Set(missing.map(({ hour }) => hour));
}

function stateOf({ rows, newestIngested }: HourRow): string {
  return `${rows}:${newestIngested}`;
}

function remember(known: Map<string, string>, name: string, state: string): void {
  known.delete(name);
  known.set(name, state);
  for (const oldest of known.keys()) {
    if (known.size <= MAX_REMEMBERED) break;
    known.delete(oldest);
  }
}
