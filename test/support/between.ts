// Compares an answer given while events come in with what it must hold and what it may hold.
import { expect } from "vitest";
import { showReplyEvents } from "./compare.ts";
import { answerOf, cutKey, type OracleQuery, type StoredEvent } from "./oracle.ts";
import { toBytes } from "./patterns.ts";
import type { SearchReply } from "./snapshots.ts";

/** What was acknowledged before the answer's `searchableUntil`; what was sent before the answer came. */
export interface Bounds {
  readonly must: readonly StoredEvent[];
  readonly may: readonly StoredEvent[];
}

interface Shown {
  readonly time: string;
  readonly labels: readonly string[];
  readonly message: string;
  readonly key?: string;
}

/**
 * Throws unless the answer is exact for some set of events between the two. Events of the same time may come
 * in any order, since that in which several senders' events arrive is not known here.
 */
export function expectBetween(reply: SearchReply, query: OracleQuery, bounds: Bounds): void {
  expect(reply.error).toBe(null);
  if (query.type.startsWith("EXACT_")) {
    expectCounts(reply, query, bounds);
    return;
  }
  const shown = showReplyEvents(reply);
  expect(shown.length).toBeLessThanOrEqual(query.limit);
  const matching = (events: readonly StoredEvent[]) =>
    answerOf(events, { ...query, type: "UNSORTED_RESULTS", limit: Infinity }).events;
  const allowed = multiset(matching(bounds.may));
  for (const event of shown) take(allowed, withoutKey(event), "is not in the answer");
  if (query.type !== "UNSORTED_RESULTS") {
    const times = shown.map(({ time }) => BigInt(time));
    expect(times).toEqual(times.toSorted((a, b) => (a > b ? -1 : a < b ? 1 : 0)));
  }
  if (query.type === "BACKWARD_RESULTS_ONE_PER_KEY31") expectKeys(shown, query, bounds.must);
  else expectEvents(shown, query, matching(bounds.must));
}

function expectEvents(shown: readonly Shown[], query: OracleQuery, must: readonly Shown[]): void {
  const isFull = shown.length === query.limit;
  if (isFull && query.type === "UNSORTED_RESULTS") return;
  // Of a full list of the newest, those of its last time may be any.
  const last = BigInt(shown.at(-1)?.time ?? 0);
  const left = multiset(shown);
  for (const event of must) {
    if (!isFull || BigInt(event.time) > last) take(left, event, "is missing in the answer");
  }
}

function expectKeys(
  shown: readonly Shown[],
  query: OracleQuery,
  must: readonly StoredEvent[],
): void {
  const times = new Map<string, bigint>();
  for (const { key = "", time, message } of shown) {
    const captured = query.pattern.match(toBytes(message))?.key;
    expect(captured === undefined ? undefined : cutKey(captured)).toBe(key);
    expect(times.has(key), `the key ${key} twice`).toBe(false);
    times.set(key, BigInt(time));
  }
  const oldest = shown.length < query.limit ? -1n : BigInt(shown.at(-1)?.time ?? 0);
  for (const { key = "", time } of answerOf(must, { ...query, limit: Infinity }).events) {
    const own = times.get(key);
    if (own === undefined ? BigInt(time) > oldest : BigInt(time) > own) {
      throw new Error(`the key ${key} has an event at ${time}; shown is ${String(own)}`);
    }
  }
}

function expectCounts(reply: SearchReply, query: OracleQuery, { must, may }: Bounds): void {
  const [least, most] = [answerOf(must, query), answerOf(may, query)];
  expect(reply.counts.length).toBe(most.counts.length);
  for (const [cell, count] of reply.counts.entries()) {
    expectWithin(count, least.counts[cell], most.counts[cell], `cell ${cell}`);
  }
  const contexts = new Map(
    reply.contexts.map(({ prefix0, prefix1, prefix2, prefix3, count = NaN }) => [
      JSON.stringify([prefix0, prefix1, prefix2, prefix3]),
      count,
    ]),
  );
  for (const context of new Set([...contexts.keys(), ...least.contextCounts.keys()])) {
    const bounds = [least.contextCounts.get(context), most.contextCounts.get(context)] as const;
    expectWithin(contexts.get(context) ?? 0, ...bounds, context);
  }
}

function expectWithin(count: number, least = 0, most = 0, what: string): void {
  if (count >= least && count <= most) return;
  throw new Error(`${what} has ${count}, expected ${least} to ${most}`);
}

function withoutKey({ time, labels, message }: Shown): Shown {
  return { time, labels, message };
}

function multiset(events: readonly Shown[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of events) {
    const text = JSON.stringify(event);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

function take(left: Map<string, number>, event: Shown, otherwise: string): void {
  const text = JSON.stringify(event);
  const count = left.get(text) ?? 0;
  if (count === 0) throw new Error(`this event ${otherwise}, or not so often: ${text}`);
  left.set(text, count - 1);
}
