// Puts an oracle's query on the wire and compares the service's answer with the oracle's.
import { expect } from "vitest";
import type { SearchParameters } from "./api.ts";
import type { Labels, OracleAnswer, OracleQuery } from "./oracle.ts";
import type { SearchContext, SearchReply } from "./snapshots.ts";
import { formatTime } from "./time.ts";

export function toParameters(query: OracleQuery): SearchParameters {
  const [prefix0, prefix1, prefix2, prefix3] = query.prefixes;
  return {
    regex: query.pattern.text,
    type: query.type,
    prefix0,
    prefix1,
    prefix2,
    prefix3,
    limit: query.limit,
    beginTime: formatTime(query.begin),
    endTime: formatTime(query.end),
    timeBins: query.timeBins,
    xSplits: query.xSplits.join(","),
    ySplits: query.ySplits.join(","),
  };
}

function labelsOf({ prefix0, prefix1, prefix2, prefix3 }: SearchContext): Labels {
  return [prefix0, prefix1, prefix2, prefix3];
}

/** The events of a reply with their labels in place of the index of a context. */
export function showReplyEvents(reply: SearchReply): OracleAnswer["events"] {
  return reply.events.map(({ time, context, message, key }) => {
    const found = reply.contexts[context];
    if (found === undefined) throw new Error(`no context ${context}`);
    return { time, labels: labelsOf(found), message, ...(key === undefined ? {} : { key }) };
  });
}

function expectSubset(actual: readonly object[], allowed: readonly object[]): void {
  const left = new Map<string, number>();
  for (const event of allowed) {
    const text = JSON.stringify(event);
    left.set(text, (left.get(text) ?? 0) + 1);
  }
  for (const event of actual) {
    const text = JSON.stringify(event);
    const count = left.get(text) ?? 0;
    if (count === 0) throw new Error(`this event is not in the answer, or not so often: ${text}`);
    left.set(text, count - 1);
  }
}

function expectContexts(reply: SearchReply, contextCounts: ReadonlyMap<string, number>): void {
  const shown = new Map(
    reply.contexts
      .filter(({ count }) => count !== 0)
      .map((context) => [JSON.stringify(labelsOf(context)), context.count]),
  );
  expect(shown).toEqual(contextCounts);
}

/** Throws unless the reply is the oracle's answer. */
export function expectAnswer(reply: SearchReply, query: OracleQuery, answer: OracleAnswer): void {
  const distinct = new Set(reply.contexts.map((context) => JSON.stringify(labelsOf(context))));
  expect(distinct.size, "contexts are deduplicated").toBe(reply.contexts.length);
  expect(reply.contexts.every(({ customer }) => customer === "acme")).toBe(true);
  if (query.type.startsWith("EXACT_")) {
    expect(reply.counts).toEqual(answer.counts);
    expectContexts(reply, answer.contextCounts);
    return;
  }
  const shown = showReplyEvents(reply);
  if (query.type === "UNSORTED_RESULTS") {
    expect(shown.length).toBe(Math.min(query.limit, answer.events.length));
    expectSubset(shown, answer.events);
  } else {
    expect(shown).toEqual(answer.events);
  }
  expect(distinct).toEqual(new Set(shown.map(({ labels }) => JSON.stringify(labels))));
}
