// Live queries: each answer shows what came since the one before, and its link goes on.
import { z } from "zod";
import { openId, sealId } from "../ask/opaque.ts";
import type { Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { parseLeql } from "../language/leql.ts";
import { notFound, type Asked } from "./access.ts";
import { toLeqlEvent } from "./event.ts";
import { baseOf, MAX_EVENTS, questionOf, type QueryContext } from "./query.ts";
import { idsOf, readPosted } from "./query-input.ts";
import { findSavedQuery } from "./saved-queries.ts";
import { calculateStatistics, isStatistical } from "./statistics.ts";

/** Between an event's arrival, which is its time, and its acknowledgement; no answer looks closer than that. */
const ON_ITS_WAY_MS = 1_000;

type LiveContext = QueryContext & Pick<VendorOptions, "records" | "freshness">;

const digits = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);
const liveSpec = z.object({
  logs: z.array(z.string()),
  statement: z.string(),
  from: z.int(),
  /** The last event shown, when there were more than one answer holds. */
  after: z.object({ time: digits, ingested: digits, tie: digits }).optional(),
});

/** POST `/query/live/logs`, GET by a saved query: begins to watch; each answer's link goes on. */
export async function startLive(context: LiveContext, asked: Asked): Promise<Reply> {
  const { params, method } = asked.exchange;
  const given = method === "POST" ? readPosted(asked) : liveOfSaved(context, asked);
  const logs = params["logs"] === undefined ? given.logs : idsOf(params["logs"]);
  await context.catalog.find(asked.principal, logs);
  parseLeql(given.statement);
  return goOnLive(context, asked, {
    logs: [...logs],
    statement: given.statement,
    from: Date.now() - ON_ITS_WAY_MS,
  });
}

function liveOfSaved({ records }: LiveContext, { principal, exchange }: Asked) {
  const saved = findSavedQuery(records, principal, exchange.params["saved"] ?? "");
  return { logs: saved.logs, statement: saved.leql.statement };
}

/** GET `/query/live/ID`: what came since the answer that named the id. */
export function pollLive(context: LiveContext, asked: Asked): Promise<Reply> {
  const id = asked.exchange.params["live"] ?? "";
  const spec = openId({ customer: asked.principal.customer, use: "live" }, id, liveSpec);
  if (spec === undefined) throw notFound("live query", id);
  return goOnLive(context, asked, spec);
}

async function goOnLive(
  { engine, catalog, freshness }: LiveContext,
  { principal, exchange }: Asked,
  { logs, statement, from, after }: z.output<typeof liveSpec>,
): Promise<Reply> {
  const known = await catalog.find(principal, logs);
  const query = parseLeql(statement);
  const to = Math.max(from, (await freshness.searchableUntil()) - ON_ITS_WAY_MS);
  const during = { from, to };
  const question = questionOf(principal, known, query, during);
  const base = baseOf(exchange);
  const isFigure = isStatistical(query);
  const events = isFigure
    ? []
    : await engine.find(question, { order: "oldest", limit: MAX_EVENTS, after }, exchange);
  const last = events.length === MAX_EVENTS ? events.at(-1) : undefined;
  const next = {
    logs,
    statement,
    // Statistics grow from the beginning.
    from: isFigure || last !== undefined ? from : to,
    ...(last !== undefined && {
      after: { time: String(last.time), ingested: String(last.ingested), tie: String(last.tie) },
    }),
  };
  const id = sealId({ customer: principal.customer, use: "live" }, next);
  return {
    json: {
      logs,
      ...(isFigure
        ? { statistics: await calculateStatistics(engine, question, query, during, exchange) }
        : {
            events: events.map((event) => toLeqlEvent(event, known, query.select, base)),
          }),
      leql: { statement, during },
      links: [{ rel: "Self", href: `${base}/query/live/${id}` }],
    },
  };
}
