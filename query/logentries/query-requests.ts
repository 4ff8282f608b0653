// The endpoints of LEQL queries: by log, by logset, by saved query, live, context and download.
import { z } from "zod";
import { LogboomError } from "../../schemas/errors.ts";
import { openId, sealId } from "../ask/opaque.ts";
import type { FoundEvent, Place, Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField, isFields, type Fields } from "../exchange/json-body.ts";
import {
  badParameter,
  textParameter,
  wholeParameter,
  wordParameter,
} from "../exchange/parameters.ts";
import { parseLeql } from "../language/leql.ts";
import { notFound, readFields, type Asked } from "./access.ts";
import { toLeqlEvent } from "./event.ts";
import {
  DEFAULT_EVENTS,
  MAX_EVENTS,
  pollQuery,
  questionOf,
  startQuery,
  type QueryContext,
  type QuerySpec,
} from "./query.ts";
import { calculateStatistics, isStatistical } from "./statistics.ts";
import { findSavedQuery } from "./saved-queries.ts";
import { readDuring, toSpan } from "./times.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";

const MAX_LOGS = 500;
const MAX_DOWNLOAD_LOGS = 10;
/** Events of a piece of a download. */
const DOWNLOAD_EVENTS = 2_000;
/** Events are stored within about this time: a live query looks so far back from now. */
const LIVE_LAG_MS = 3_000;

export interface QueryRequestContext extends QueryContext, Pick<VendorOptions, "records"> {}

/** GET `/query/logs/ID[:ID…]` */
export function queryLogs(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const { query, params } = asked.exchange;
  return start(context, asked, idsOf(params["logs"]), query.get("query") ?? "", duringOf(query));
}

/** POST `/query/logs` */
export function queryPosted(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const { logs, statement, during } = readPosted(asked);
  return start(context, asked, logs, statement, readDuring(during));
}

/** GET `/query/logsets/ID`, or `?logset_name=` */
export async function queryLogset(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const { query, params } = asked.exchange;
  const id = params["logset"];
  const name = textParameter(query, "logset_name");
  if (id === undefined && name === undefined) throw badParameter("logset_name", "", "a name");
  const sets = await context.catalog.logsets(asked.principal);
  const set = sets.find((one) => (id === undefined ? one.name === name : one.id === id));
  if (set === undefined) throw notFound("logset", id ?? name ?? "");
  const ids = set.logs.map((log) => log.id);
  return start(context, asked, ids, query.get("query") ?? "", duringOf(query));
}

/** GET `/query/saved_query/ID`, `/query/logs/IDS/SAVEDQUERYID`: what the request says goes before what is saved. */
export function querySaved(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const { query, params } = asked.exchange;
  const saved = findSavedQuery(context.records, asked.principal, params["saved"] ?? "");
  const hasTime = ["from", "to", "time_range"].some(
    (name) => textParameter(query, name) !== undefined,
  );
  const logs = params["logs"] === undefined ? saved.logs : idsOf(params["logs"]);
  const during = hasTime ? duringOf(query) : readDuring(saved.leql.during ?? {});
  return start(context, asked, logs, saved.leql.statement, during);
}

/** GET `/query/ID` */
export function pollStarted(
  context: QueryRequestContext,
  { principal, exchange }: Asked,
): Promise<Reply> {
  return pollQuery(context, principal, exchange, exchange.params["query"] ?? "");
}

function start(
  context: QueryRequestContext,
  { principal, exchange }: Asked,
  logs: readonly string[],
  statement: string,
  during: ReturnType<typeof readDuring>,
): Promise<Reply> {
  const { query } = exchange;
  if (logs.length > MAX_LOGS) {
    throw badParameter("logs", String(logs.length), `at most ${MAX_LOGS} logs`);
  }
  const hasPages = textParameter(query, "per_page") !== undefined;
  const perPage = wholeParameter(query, "per_page", {
    fallback: DEFAULT_EVENTS,
    min: 1,
    max: MAX_EVENTS,
  });
  const newestFirst = isTrue(
    wordParameter(query, "most_recent_first", ["false", "true", "False", "True"]),
  );
  const sequence = textParameter(query, "sequence_number");
  if (sequence !== undefined && !/^\d{1,19}$/.test(sequence)) {
    throw badParameter("sequence_number", sequence, "the one of an event");
  }
  const { begin, end } = toSpan(during);
  // From an event on: the one of this number, at the very time where the request begins.
  const after =
    sequence === undefined
      ? undefined
      : { time: String(newestFirst ? end : begin), ingested: sequence, tie: "0" };
  const asked: Omit<QuerySpec, "salt" | "perPage"> = {
    logs: [...logs],
    statement,
    ...during,
    newestFirst,
    ...(after !== undefined && { after }),
  };
  return startQuery(context, principal, exchange, {
    ...asked,
    perPage: hasPages ? perPage : undefined,
  });
}

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
export async function startLive(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const { params, method } = asked.exchange;
  const given = method === "POST" ? readPosted(asked) : liveOfSaved(context, asked);
  const logs = params["logs"] === undefined ? given.logs : idsOf(params["logs"]);
  await context.catalog.find(asked.principal, logs);
  parseLeql(given.statement);
  return goOnLive(context, asked, {
    logs: [...logs],
    statement: given.statement,
    from: Date.now() - LIVE_LAG_MS,
  });
}

function liveOfSaved({ records }: QueryRequestContext, { principal, exchange }: Asked) {
  const saved = findSavedQuery(records, principal, exchange.params["saved"] ?? "");
  return { logs: saved.logs, statement: saved.leql.statement };
}

/** GET `/query/live/ID`: what came since the answer that named the id. */
export function pollLive(context: QueryRequestContext, asked: Asked): Promise<Reply> {
  const id = asked.exchange.params["live"] ?? "";
  const spec = openId({ customer: asked.principal.customer, use: "live" }, id, liveSpec);
  if (spec === undefined) throw notFound("live query", id);
  return goOnLive(context, asked, spec);
}

async function goOnLive(
  { engine, catalog }: QueryRequestContext,
  { principal, exchange }: Asked,
  { logs, statement, from, after }: z.output<typeof liveSpec>,
): Promise<Reply> {
  const known = await catalog.find(principal, logs);
  const query = parseLeql(statement);
  const to = Math.max(from, Date.now() - LIVE_LAG_MS);
  const during = { from, to };
  const question = questionOf(principal, known, query, during);
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
            events: events.map((event) => toLeqlEvent(event, known, query.select, exchange.origin)),
          }),
      leql: { statement, during },
      links: [{ rel: "Self", href: `${exchange.origin}/query/live/${id}` }],
    },
  };
}

/** GET `/query/context/SEQ`: the events around one, oldest first. */
export async function showContext(
  { engine, catalog }: QueryRequestContext,
  { principal, exchange }: Asked,
): Promise<Reply> {
  const { query, params, origin } = exchange;
  const sequence = params["sequence"] ?? "";
  const timestamp = wholeParameter(query, "timestamp", {
    fallback: -1,
    min: 0,
    max: 9_223_372_036_853,
  });
  if (!/^\d{1,19}$/.test(sequence)) throw badParameter("sequence_number", sequence, "digits");
  if (timestamp < 0) throw badParameter("timestamp", "", "ms since the epoch");
  const type = wordParameter(query, "context_type", ["SURROUND", "BEFORE", "AFTER"]);
  const limit = wholeParameter(query, "per_page", {
    fallback: DEFAULT_EVENTS,
    min: 1,
    max: MAX_EVENTS,
  });
  const logs = await catalog.find(principal, idsOf(textParameter(query, "log_keys")));
  const everything = parseLeql("");
  const moment = { from: timestamp, to: timestamp + 1 };
  let place: FoundEvent | undefined;
  for await (const event of eventsOf(
    engine,
    questionOf(principal, logs, everything, moment),
    exchange,
  )) {
    if (String(event.ingested) === sequence) place = event;
  }
  if (place === undefined) throw notFound("event", sequence);
  const question = {
    ...questionOf(principal, logs, everything, moment),
    begin: 0n,
    end: 2n ** 63n - 1n,
  };
  const half = type === "SURROUND" ? Math.ceil(limit / 2) : limit;
  const side = (order: "newest" | "oldest") =>
    engine.find(question, { order, limit: half, after: place }, exchange);
  const before = type === "AFTER" ? [] : (await side("newest")).toReversed();
  const after = type === "BEFORE" ? [] : await side("oldest");
  const middle = type === "SURROUND" ? [place] : [];
  return {
    json: {
      events: [...before, ...middle, ...after].map((event) => toLeqlEvent(event, logs, [], origin)),
    },
  };
}

/** GET `/download/logs/ID[:ID…]`: the lines, oldest first. */
export async function download(
  { engine, catalog }: QueryRequestContext,
  { principal, exchange }: Asked,
): Promise<Reply> {
  const { query, params } = exchange;
  const ids = idsOf(params["logs"]);
  if (ids.length > MAX_DOWNLOAD_LOGS) {
    throw badParameter("logs", String(ids.length), `at most ${MAX_DOWNLOAD_LOGS} logs`);
  }
  const logs = await catalog.find(principal, ids);
  const leql = parseLeql(query.get("query") ?? "");
  if (isStatistical(leql)) throw badParameter("query", "", "a query of events");
  const limit = wholeParameter(query, "limit", {
    fallback: leql.limit[0] ?? Number.MAX_SAFE_INTEGER,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  const question = questionOf(principal, logs, leql, duringOf(query));
  return { text: linesOf(eventsOf(engine, question, exchange, limit)) };
}

/** All events of a question, oldest first, a piece at a time. */
export async function* eventsOf(
  engine: QueryContext["engine"],
  question: Question,
  exchange: Exchange,
  limit = Infinity,
): AsyncGenerator<FoundEvent> {
  let left = limit;
  let size = DOWNLOAD_EVENTS;
  let after: Place | undefined;
  while (left > 0) {
    const wanted = Math.min(size, left);
    let events: FoundEvent[];
    try {
      events = await engine.find(question, { order: "oldest", limit: wanted, after }, exchange);
    } catch (error) {
      // So many long events do not fit one answer of the store.
      const isTooLarge = error instanceof LogboomError && error.code === "TOO_LARGE";
      if (!isTooLarge || wanted === 1) throw error;
      size = Math.ceil(wanted / 8);
      continue;
    }
    yield* events;
    after = events.at(-1);
    left -= events.length;
    if (events.length < wanted) return;
  }
}

export async function* linesOf(events: AsyncIterable<FoundEvent>): AsyncGenerator<string> {
  let lines = "";
  for await (const { message } of events) {
    lines += `${message}\n`;
    if (lines.length < 64 * 1024) continue;
    yield lines;
    lines = "";
  }
  yield lines;
}

function duringOf(query: URLSearchParams) {
  return readDuring({
    from: query.get("from"),
    to: query.get("to"),
    time_range: query.get("time_range"),
  });
}

function idsOf(text: string | undefined): string[] {
  const ids = (text ?? "").split(/[:,]/).filter((id) => id !== "");
  if (ids.length === 0) throw badParameter("logs", "", "the id of a log");
  return [...new Set(ids)];
}

function readPosted(asked: Asked): { logs: string[]; statement: string; during: Fields } {
  const { logs, leql } = readFields(asked);
  const isLogs =
    Array.isArray(logs) && logs.length > 0 && logs.every((id) => typeof id === "string");
  if (!isLogs) throw badField("logs", logs, "a list of ids of logs");
  if (!isFields(leql)) throw badField("leql", leql, "an object with a statement");
  const { statement = "", during = {} } = leql;
  if (typeof statement !== "string") throw badField("leql.statement", statement, "a text");
  if (!isFields(during)) throw badField("leql.during", during, "an object");
  return { logs: [...new Set(logs)], statement, during };
}

function isTrue(word: string): boolean {
  return word.toLowerCase() === "true";
}
