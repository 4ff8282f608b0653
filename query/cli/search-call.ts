// Asks the search API as its documents say: the same request again and again until it is complete.
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import type { searchReply } from "../../schemas/api/search.ts";
import { LogboomError } from "../../schemas/errors.ts";
import { formatTimestamp } from "../../schemas/time.ts";
import type { Prefixes, SearchType } from "../search/request.ts";
import { prefixParameters } from "./client-options.ts";
import { callService, isRetriable, refusal, type Reply } from "./service-call.ts";

const POLL_MS = 1_000;
/** A quick search is answered at once; one that is nearly so need not wait for a second. */
const FIRST_POLL_MS = 200;
const BUSY_MS = 60_000;

export type SearchReply = z.infer<typeof searchReply>;

export interface SearchCall {
  readonly api: string;
  readonly token: string;
  readonly customer: string;
  readonly regex: string;
  readonly prefixes: Prefixes;
  readonly type: SearchType;
  readonly limit?: number;
  /** ns since the epoch, inclusive */
  readonly begin?: bigint | undefined;
  /** ns since the epoch, exclusive */
  readonly end?: bigint | undefined;
}

/**
 * Yields what is known so far, and the complete answer at last.
 *
 * @throws LogboomError when the search is refused or fails, or the service is busy for a minute
 */
export async function* search(call: SearchCall): AsyncGenerator<SearchReply> {
  const body = formOf(call);
  let busyUntil = Infinity;
  let pauseMs = FIRST_POLL_MS;
  for (;;) {
    const reply = await callService(`${call.api}/api/search/v1`, call.token, {
      body,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    if (reply.status === 200) {
      busyUntil = Infinity;
      const snapshot = readSnapshot(reply);
      yield snapshot;
      if (snapshot.complete) return;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, POLL_MS);
      continue;
    }
    if (!isRetriable(reply.status)) throw refusal(reply);
    busyUntil = Math.min(busyUntil, performance.now() + BUSY_MS);
    const waitMs = reply.retryAfterMs ?? POLL_MS;
    if (performance.now() + waitMs > busyUntil) throw refusal(reply);
    await sleep(waitMs);
  }
}

/** The complete answer. */
export async function searchAll(call: SearchCall): Promise<SearchReply> {
  let last: SearchReply | undefined;
  for await (const snapshot of search(call)) last = snapshot;
  if (last === undefined) throw new LogboomError("INTERNAL", "a search ended without an answer");
  return last;
}

/** @throws LogboomError UNAVAILABLE when blocks are missing in the answer */
export function requireAllBlocks(
  { failedBlocks, relevantBlocks }: SearchReply,
  consequence = "",
): void {
  if (failedBlocks === 0) return;
  throw new LogboomError(
    "UNAVAILABLE",
    `${failedBlocks} of ${relevantBlocks} blocks could not be read${consequence}`,
  );
}

function readSnapshot(reply: Reply): SearchReply {
  const snapshot = reply.body as Partial<SearchReply> | undefined;
  if (!Array.isArray(snapshot?.events) || typeof snapshot.complete !== "boolean") {
    throw new LogboomError("BAD_REQUEST", "what answers there is no search API");
  }
  if (typeof snapshot.error === "string") throw refusal(reply);
  return snapshot as SearchReply;
}

function formOf({ customer, regex, prefixes, type, limit, begin, end }: SearchCall): string {
  const form = new URLSearchParams({ customer, regex, type });
  for (const [name, value] of prefixParameters(prefixes)) form.set(name, value);
  if (limit !== undefined) form.set("limit", String(limit));
  if (begin !== undefined) form.set("beginTime", formatTimestamp(begin));
  if (end !== undefined) form.set("endTime", formatTimestamp(end));
  return form.toString();
}
