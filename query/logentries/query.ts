// LEQL queries: each is an id that holds all it asks; a short one is answered at once, a long one polled for.
import { randomInt } from "node:crypto";
import { z } from "zod";
import type { Principal } from "../../ingest/keys/permission.ts";
import { LogboomError } from "../../schemas/errors.ts";
import { openId, sealId } from "../ask/opaque.ts";
import {
  makeQuestion,
  type Asking,
  type FoundEvent,
  type Page,
  type Question,
} from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { parseLeql, type LeqlQuery } from "../language/leql.ts";
import { and } from "../language/predicate.ts";
import { notFound, PAGED_STATISTICS } from "./access.ts";
import { inLogs, scopeOf, type Catalog, type KnownLog } from "./catalog.ts";
import { toLeqlEvent } from "./event.ts";
import { calculateStatistics, isStatistical } from "./statistics.ts";
import { toSpan } from "./times.ts";

/** How long the first request waits for its answer: one client takes no other than a finished one. */
const FIRST_WAIT_MS = 5_000;
const POLL_WAIT_MS = 1_000;
export const DEFAULT_EVENTS = 50;
export const MAX_EVENTS = 500;

const digits = z.string().regex(/^\d{1,20}$/);

/** All that a query asks; an id holds it. */
const querySpec = z.object({
  logs: z.array(z.string()),
  statement: z.string(),
  /** ms since the epoch */
  from: z.int(),
  to: z.int(),
  time_range: z.string().optional(),
  perPage: z.int().min(1).max(MAX_EVENTS),
  newestFirst: z.boolean(),
  after: z.object({ time: digits, ingested: digits, tie: digits }).optional(),
  /** Events that limit() still lets through. */
  left: z.int().optional(),
  /** So that the same query twice is asked twice. */
  salt: z.int(),
});
export type QuerySpec = z.infer<typeof querySpec>;

type QueryResult =
  | { readonly statistics: object }
  | {
      readonly events: readonly FoundEvent[];
      /** Those that hold the events. */
      readonly known: readonly KnownLog[];
      readonly next: QuerySpec | undefined;
    };

export interface QueryContext extends Pick<VendorOptions, "engine" | "jobs"> {
  readonly catalog: Catalog;
}

/** Starts a query. @param isPaged whether the request names a size of pages, which statistics do not have */
export async function startQuery(
  context: QueryContext,
  principal: Principal,
  exchange: Exchange,
  asked: Omit<QuerySpec, "salt" | "perPage"> & { readonly perPage: number | undefined },
): Promise<Reply> {
  const query = parseLeql(asked.statement);
  if (asked.perPage !== undefined && isStatistical(query)) {
    throw new LogboomError(
      "BAD_REQUEST",
      "per_page is for queries of events, not for calculate, groupby or timeslice",
      { details: { errorCode: PAGED_STATISTICS } },
    );
  }
  // A log that is not there is refused now, not when the query is polled for.
  await context.catalog.find(principal, asked.logs);
  const spec = { ...asked, perPage: asked.perPage ?? DEFAULT_EVENTS, salt: randomInt(2 ** 32) };
  const id = sealId({ customer: principal.customer, use: "leql" }, spec);
  return answerQuery(context, principal, exchange, spec, {
    id,
    waitMs: FIRST_WAIT_MS,
    isFirst: true,
  });
}

/** `/query/ID`: a query that runs, a further page, or one that was started before a restart. */
export function pollQuery(
  context: QueryContext,
  principal: Principal,
  exchange: Exchange,
  id: string,
): Promise<Reply> {
  const spec = openId({ customer: principal.customer, use: "leql" }, id, querySpec);
  if (spec === undefined) throw notFound("query", id);
  return answerQuery(context, principal, exchange, spec, {
    id,
    waitMs: POLL_WAIT_MS,
    isFirst: false,
  });
}

async function answerQuery(
  { engine, jobs, catalog }: QueryContext,
  principal: Principal,
  exchange: Exchange,
  spec: QuerySpec,
  {
    id,
    waitMs,
    isFirst,
  }: { readonly id: string; readonly waitMs: number; readonly isFirst: boolean },
): Promise<Reply> {
  const { logs, statement } = spec;
  const during = { from: spec.from, to: spec.to, time_range: spec.time_range ?? null };
  const query = parseLeql(statement);
  const poll = await jobs.poll(
    JSON.stringify([principal.customer, principal.prefixes, id]),
    async (asking): Promise<QueryResult> => {
      const known = await catalog.find(principal, logs);
      const question = questionOf(principal, known, query, spec);
      return isStatistical(query)
        ? statisticsOf(engine, question, query, spec, asking)
        : { ...(await eventsOf(engine, question, query, spec, asking)), known };
    },
    waitMs,
  );
  const base = baseOf(exchange);
  if (!poll.isDone) {
    return {
      status: isFirst ? 202 : 200,
      json: {
        logs,
        id,
        progress: poll.percent,
        ...(!isFirst && { events: [] }),
        query: { statement, during },
        links: [{ rel: "Self", href: `${base}/query/${id}` }],
      },
    };
  }
  const leql = { statement, during };
  if ("statistics" in poll.result)
    return { json: { logs, statistics: poll.result.statistics, leql } };
  const { events, known, next } = poll.result;
  const nextId =
    next === undefined
      ? undefined
      : sealId(
          { customer: principal.customer, use: "leql" },
          { ...next, salt: randomInt(2 ** 32) },
        );
  return {
    json: {
      logs,
      events: events.map((event) => toLeqlEvent(event, known, query.select, base)),
      leql,
      // Several clients follow the first link, whatever it is, so a last page has none.
      ...(nextId !== undefined && { links: [{ rel: "Next", href: `${base}/query/${nextId}` }] }),
    },
  };
}

export function questionOf(
  { customer, prefixes }: Principal,
  logs: readonly KnownLog[],
  query: Pick<LeqlQuery, "where">,
  during: Pick<QuerySpec, "from" | "to">,
): Question {
  return makeQuestion({
    customer,
    prefixes: scopeOf(logs, prefixes),
    ...toSpan(during),
    predicate: and(inLogs(logs), query.where),
  });
}

/** What links begin with: the same API stands below another path on the vendor's newer hosts. */
export function baseOf({ origin, path }: Exchange): string {
  return path.startsWith("/log_search/") ? `${origin}/log_search` : origin;
}

async function statisticsOf(
  engine: QueryContext["engine"],
  question: Question,
  query: LeqlQuery,
  spec: QuerySpec,
  asking: Asking,
) {
  return { statistics: await calculateStatistics(engine, question, query, spec, asking) };
}

async function eventsOf(
  engine: QueryContext["engine"],
  question: Question,
  { limit, sort }: LeqlQuery,
  spec: QuerySpec,
  asking: Asking,
) {
  const left = spec.left ?? limit[0] ?? Infinity;
  const size = Math.min(spec.perPage, left);
  const isNewest = sort === undefined ? spec.newestFirst : sort.order === "desc";
  const page: Page = {
    order: isNewest ? "newest" : "oldest",
    limit: size + 1,
    after:
      spec.after === undefined
        ? undefined
        : {
            time: BigInt(spec.after.time),
            ingested: BigInt(spec.after.ingested),
            tie: BigInt(spec.after.tie),
          },
  };
  const found = await engine.find(question, page, asking);
  const events = found.slice(0, size);
  const last = events.at(-1);
  if (last === undefined || found.length <= size || left <= size)
    return { events, next: undefined };
  const next: QuerySpec = {
    ...spec,
    after: { time: String(last.time), ingested: String(last.ingested), tie: String(last.tie) },
    ...(Number.isFinite(left) && { left: left - size }),
  };
  return { events, next };
}
