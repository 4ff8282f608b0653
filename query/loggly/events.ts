// Loggly's searches: an id and its pages of events, iteration by a cursor, counts.
import { randomInt } from "node:crypto";
import { z } from "zod";
import type { Principal } from "../../ingest/keys/permission.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import { openId, sealId } from "../ask/opaque.ts";
import type { FoundEvent, Order, Place } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import {
  badParameter,
  textParameter,
  wholeParameter,
  wordParameter,
} from "../exchange/parameters.ts";
import { questionOf, readQuestion } from "./access.ts";
import { columnOf, toLogglyEvent } from "./event.ts";
import { readSpan } from "./times.ts";

const NS_PER_MS = 1_000_000n;
/** What one search lets see; iteration has no such bound. */
const MAX_SEARCH_EVENTS = 5_000;
const MAX_ITERATE_EVENTS = 1_000;
const DEFAULT_EVENTS = 50;
const SEARCH_LIFE_MS = 3_600_000;
const CURSOR_LIFE_MS = 600_000;
const DEFAULT_COLUMNS = ["timestamp", "id", "tags", "logmsg"];

const nanoseconds = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);

const search = z.object({
  q: z.string(),
  begin: nanoseconds,
  end: nanoseconds,
  order: z.enum(["newest", "oldest"]),
  size: z.int().min(1).max(MAX_SEARCH_EVENTS),
  /** ms since the epoch */
  expires: z.int(),
  /** So that the same search twice has two ids, as the vendor's have. */
  salt: z.int(),
});
const cursor = search.extend({
  after: z.object({
    time: nanoseconds,
    ingested: nanoseconds,
    tie: z
      .string()
      .regex(/^\d{1,20}$/)
      .transform(BigInt),
  }),
});
type Search = z.output<typeof search>;

/** `/apiv2/search`: names the search; its events are asked for by the id. */
export function startSearch(principal: Principal, { query }: Exchange): Reply {
  const asked = readSearch(principal, query, MAX_SEARCH_EVENTS);
  return {
    json: {
      rsid: {
        id: sealId({ customer: principal.customer, use: "loggly-search" }, written(asked)),
        status: "SCHEDULED",
        date_from: Number(asked.begin / NS_PER_MS),
        date_to: Number(asked.end / NS_PER_MS),
        elapsed_time: 0,
      },
    },
  };
}

/** `/apiv2/events?rsid=`: one page, as JSON, CSV or lines. */
export async function showPage(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { query } = exchange;
  const asked = open(principal, "loggly-search", search, "rsid", query);
  const page = wholeParameter(query, "page", { fallback: 0, min: 0, max: 1_000_000 });
  const format = wordParameter(query, "format", ["json", "raw", "csv"]);
  const question = questionOf(principal, asked);
  const first = page * asked.size;
  const limit = Math.min(first + asked.size, MAX_SEARCH_EVENTS);
  const found =
    first >= limit ? [] : await engine.find(question, { order: asked.order, limit }, exchange);
  const events = found.slice(first);
  if (format === "raw") return { text: events.map(({ message }) => `${message}\n`).join("") };
  if (format === "csv") {
    const columns = textParameter(query, "columns")?.split(",") ?? DEFAULT_COLUMNS;
    return { text: toCsv(events, columns), contentType: "text/csv; charset=utf-8" };
  }
  const { count } = await engine.count(question, exchange);
  return { json: { total_events: count, page, events: events.map(toLogglyEvent) } };
}

/** `/apiv2/events/iterate`: a page, and the address of the next one while there are more. */
export async function iterate(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { query, origin } = exchange;
  // Some clients repeat the first request's parameters beside it: it says all.
  const isNext = textParameter(query, "next") !== undefined;
  const asked: Search & { readonly after?: Place } = isNext
    ? open(principal, "loggly-cursor", cursor, "next", query)
    : readSearch(principal, query, MAX_ITERATE_EVENTS);
  const { order, size } = asked;
  const { after } = asked;
  const question = questionOf(principal, asked);
  const found = await engine.find(question, { order, limit: size + 1, after }, exchange);
  const events = found.slice(0, size);
  const last = events.at(-1);
  if (found.length <= size || last === undefined)
    return { json: { events: events.map(toLogglyEvent) } };
  const next = sealId(
    { customer: principal.customer, use: "loggly-cursor" },
    {
      ...written({ ...asked, expires: Date.now() + CURSOR_LIFE_MS }),
      after: { time: String(last.time), ingested: String(last.ingested), tie: String(last.tie) },
    },
  );
  return {
    json: {
      events: events.map(toLogglyEvent),
      next: `${origin}/apiv2/events/iterate?next=${next}`,
    },
  };
}

/** `/apiv2/events/count` */
export async function countEvents(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { query } = exchange;
  const question = readQuestion(principal, query);
  const withVolume = wordParameter(query, "include_volume", [
    "false",
    "true",
    "False",
    "True",
    "0",
    "1",
  ]);
  const { count, bytes } = await engine.count(question, exchange);
  return {
    json: { count, ...(/^(?:true|1)$/i.test(withVolume) && { volume: bytes }) },
  };
}

function readSearch(principal: Principal, query: URLSearchParams, maxSize: number): Search {
  // Refuses a missing or wrong query now, not when its events are asked for.
  readQuestion(principal, query);
  const size = wholeParameter(query, "size", {
    fallback: DEFAULT_EVENTS,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  return {
    q: textParameter(query, "q") ?? "",
    ...readSpan(query),
    order: readOrder(query),
    // The vendor gives as many as it can where more are asked for; there are further pages.
    size: Math.min(size, maxSize),
    expires: Date.now() + SEARCH_LIFE_MS,
    salt: randomInt(2 ** 32),
  };
}

function readOrder(query: URLSearchParams): Order {
  return wordParameter(query, "order", ["desc", "asc"]) === "asc" ? "oldest" : "newest";
}

function written(asked: Search): Record<string, unknown> {
  return { ...asked, begin: String(asked.begin), end: String(asked.end) };
}

function open<Content extends Search>(
  { customer }: Principal,
  use: string,
  schema: z.ZodType<Content>,
  name: string,
  query: URLSearchParams,
): Content {
  const id = textParameter(query, name);
  if (id === undefined) throw badParameter(name, "", "the id of a search");
  const content = openId({ customer, use }, id, schema);
  if (content === undefined) {
    throw new LogboomError("NOT_FOUND", `there is no search with this ${name}`, {
      details: { field: name },
    });
  }
  if (content.expires < Date.now()) {
    throw new LogboomError("NOT_FOUND", `the search with this ${name} has expired; start it anew`, {
      details: { field: name, reason: "gone" },
    });
  }
  return content;
}

function toCsv(events: readonly FoundEvent[], columns: readonly string[]): string {
  const rows = [columns, ...events.map((event) => columns.map((name) => columnOf(event, name)))];
  return rows.map((row) => `${row.map(quoteCsv).join(",")}\r\n`).join("");
}

function quoteCsv(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
