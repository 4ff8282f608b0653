// The endpoints of LEQL queries: by log, by logset, by saved query.
import type { Reply } from "../exchange/exchange.ts";
import {
  badParameter,
  textParameter,
  wholeParameter,
  wordParameter,
} from "../exchange/parameters.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { notFound, type Asked } from "./access.ts";
import { findEvent } from "./context.ts";
import {
  DEFAULT_EVENTS,
  MAX_EVENTS,
  pollQuery,
  startQuery,
  type QueryContext,
  type QuerySpec,
} from "./query.ts";
import { duringOf, idsOf, readPosted } from "./query-input.ts";
import { findSavedQuery } from "./saved-queries.ts";
import { readDuring } from "./times.ts";

const MAX_LOGS = 500;
/** Of unsigned 64 bits. */
const MAX_TIE = "18446744073709551615";

export type QueryRequestContext = QueryContext & Pick<VendorOptions, "records">;

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

async function start(
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
  const span = { from: during.from, to: during.to };
  let after: QuerySpec["after"];
  if (sequence !== undefined) {
    const timestamp = newestFirst ? during.to : during.from;
    const known = await context.catalog.find(principal, logs);
    const event = await findEvent(
      context.engine,
      principal,
      known,
      { timestamp, sequence },
      exchange,
    );
    if (event === undefined) throw notFound("event", sequence);
    const { time, ingested } = event;
    // Just before the event in the order of the answer.
    after = newestFirst
      ? { time: String(time), ingested: String(ingested + 1n), tie: "0" }
      : { time: String(time), ingested: String(ingested - 1n), tie: MAX_TIE };
    // The end is not within the time asked for, but the event there is.
    if (newestFirst) span.to += 1;
  }
  const asked: Omit<QuerySpec, "salt" | "perPage"> = {
    logs: [...logs],
    statement,
    ...during,
    ...span,
    newestFirst,
    ...(after !== undefined && { after }),
  };
  return startQuery(context, principal, exchange, {
    ...asked,
    perPage: hasPages ? perPage : undefined,
  });
}

function isTrue(word: string): boolean {
  return word.toLowerCase() === "true";
}
