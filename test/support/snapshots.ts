// What the search specification promises of every reply, and of a reply in view of the one before.
import { expect } from "vitest";

interface SearchEvent {
  readonly time: string;
  readonly context: number;
  readonly message: string;
  readonly key?: string;
}

export interface SearchContext {
  readonly customer: string;
  readonly prefix0: string;
  readonly prefix1: string;
  readonly prefix2: string;
  readonly prefix3: string;
  readonly count?: number;
}

export interface SearchReply {
  readonly fullHash: string;
  readonly events: readonly SearchEvent[];
  readonly contexts: readonly SearchContext[];
  readonly counts: readonly number[];
  readonly totalBlocks: number;
  readonly relevantBlocks: number;
  readonly scannedBlocks: number;
  readonly failedBlocks: number;
  readonly scannedBytes: number;
  readonly scanProgress: number;
  readonly complete: boolean;
  readonly stopped: boolean;
  readonly searchableUntil: string | null;
  readonly error: string | null;
  readonly errorCode: string | null;
}

const fullProgress = 2 ** 32;

export const replyKeys = [
  "complete",
  "contexts",
  "counts",
  "error",
  "errorCode",
  "events",
  "failedBlocks",
  "fullHash",
  "relevantBlocks",
  "scanProgress",
  "scannedBlocks",
  "scannedBytes",
  "searchableUntil",
  "stopped",
  "totalBlocks",
];

const counters = [
  "totalBlocks",
  "relevantBlocks",
  "scannedBlocks",
  "failedBlocks",
  "scannedBytes",
  "scanProgress",
] as const;

/** The snapshots of one scan, the last of them kept. */
export interface Watch {
  readonly type: string;
  last: SearchReply | undefined;
}

export function createWatch(type: string): Watch {
  return { type, last: undefined };
}

function isCountType(type: string): boolean {
  return type.startsWith("EXACT_");
}

function checkAlone(type: string, reply: SearchReply): void {
  expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
  expect(reply.fullHash).toMatch(/^[0-9A-F]{64}$/);
  for (const name of counters) {
    if (!Number.isSafeInteger(reply[name]) || reply[name] < 0) {
      throw new Error(`${name} is ${String(reply[name])}`);
    }
  }
  const done = reply.scannedBlocks + reply.failedBlocks;
  expect(reply.relevantBlocks).toBeLessThanOrEqual(reply.totalBlocks);
  expect(done).toBeLessThanOrEqual(reply.relevantBlocks);
  expect(reply.failedBlocks).toBe(0);
  expect(allowedProgress(reply, done)).toContain(reply.scanProgress);
  if (reply.complete && isCountType(type)) expect(reply.scanProgress).toBe(fullProgress);
  if (isCountType(type)) checkCounts(reply);
  else checkEvents(type, reply);
}

/** The one right progress; before the blocks are planned the reply cannot know it and may say 0. */
function allowedProgress(reply: SearchReply, done: number): number[] {
  const { relevantBlocks } = reply;
  if (relevantBlocks === 0) return reply.complete ? [fullProgress] : [0, fullProgress];
  return [Number((BigInt(fullProgress) * BigInt(done)) / BigInt(relevantBlocks))];
}

function checkCounts(reply: SearchReply): void {
  expect(reply.events).toEqual([]);
  if (!reply.counts.every((count) => Number.isSafeInteger(count) && count >= 0)) {
    throw new Error("a count is no whole number");
  }
  const total = reply.counts.reduce((sum, count) => sum + count, 0);
  expect(reply.contexts.reduce((sum, context) => sum + (context.count ?? NaN), 0)).toBe(total);
}

function checkEvents(type: string, reply: SearchReply): void {
  expect(reply.counts).toEqual([]);
  for (const event of reply.events) {
    if (!/^\d+$/.test(event.time)) throw new Error(`the time of an event is ${event.time}`);
    if (reply.contexts[event.context] === undefined) {
      throw new Error(`no context ${event.context} of ${reply.contexts.length}`);
    }
    if ((event.key !== undefined) !== (type === "BACKWARD_RESULTS_ONE_PER_KEY31")) {
      throw new Error(`the key of an event of ${type} is ${String(event.key)}`);
    }
  }
  if (!type.startsWith("BACKWARD")) return;
  const times = reply.events.map(({ time }) => BigInt(time));
  if (!times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0n))) {
    throw new Error("the events are not newest first");
  }
}

/** Throws when the reply breaks a promise, alone or in view of the one before it. */
export function checkSnapshot(watch: Watch, reply: SearchReply): void {
  checkAlone(watch.type, reply);
  const { last } = watch;
  watch.last = reply;
  if (last === undefined) return;
  expect(reply.fullHash).toBe(last.fullHash);
  for (const name of ["scannedBlocks", "failedBlocks", "scannedBytes", "scanProgress"] as const) {
    if (reply[name] < last[name]) throw new Error(`${name} fell: ${last[name]} to ${reply[name]}`);
  }
  if (last.relevantBlocks > reply.relevantBlocks) throw new Error("relevantBlocks fell");
  if (last.complete) expect(reply.complete).toBe(true);
  for (const [index, count] of last.counts.entries()) {
    const now = reply.counts[index] ?? NaN;
    if (!(now >= count)) throw new Error(`cell ${index} fell: ${count} to ${now}`);
  }
}
