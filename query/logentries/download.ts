// Downloads: the lines of logs, oldest first, a piece at a time.
import { LogboomError } from "../../schemas/errors.ts";
import type { FoundEvent, Place, Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badParameter, wholeParameter } from "../exchange/parameters.ts";
import { parseLeql, type LeqlQuery } from "../language/leql.ts";
import type { Asked } from "./access.ts";
import { questionOf, type QueryContext } from "./query.ts";
import { duringOf, idsOf } from "./query-input.ts";
import { isStatistical } from "./statistics.ts";

const MAX_DOWNLOAD_LOGS = 10;
/** Events of a piece of a download. */
const DOWNLOAD_EVENTS = 2_000;

/** GET `/download/logs/ID[:ID…]`: the lines, oldest first. */
export async function download(
  { engine, catalog }: QueryContext,
  { principal, exchange }: Asked,
): Promise<Reply> {
  const { query, params } = exchange;
  const ids = idsOf(params["logs"]);
  if (ids.length > MAX_DOWNLOAD_LOGS) {
    throw badParameter("logs", String(ids.length), `at most ${MAX_DOWNLOAD_LOGS} logs`);
  }
  const logs = await catalog.find(principal, ids);
  const leql = readFilter(query, "query");
  const limit = wholeParameter(query, "limit", {
    fallback: leql.limit[0] ?? Number.MAX_SAFE_INTEGER,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  const question = questionOf(principal, logs, leql, duringOf(query));
  return { text: linesOf(eventsOf(engine, question, exchange, limit)) };
}

/** A statement that names events. @throws LogboomError BAD_REQUEST */
export function readFilter(query: URLSearchParams, name: string): LeqlQuery {
  const statement = query.get(name) ?? "";
  const leql = parseLeql(statement);
  if (isStatistical(leql)) throw badParameter(name, statement, "a query of events");
  return leql;
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

/** An event a line: a line break within one is U+2028, as the vendor's clients send it. */
export async function* linesOf(events: AsyncIterable<FoundEvent>): AsyncGenerator<string> {
  let lines = "";
  for await (const { message } of events) {
    lines += `${message.includes("\n") ? message.replaceAll(/\r?\n/g, "\u2028") : message}\n`;
    if (lines.length < 64 * 1024) continue;
    yield lines;
    lines = "";
  }
  yield lines;
}
