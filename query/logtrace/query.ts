// LogTrace's queries: a filter in KQL, pages by number or cursor.
import { z } from "zod";
import type { Principal } from "../../ingest/keys/permission.ts";
import { formatTimestamp } from "../../schemas/time.ts";
import type { Engine } from "../ask/engine.ts";
import { openId, sealId, writtenBigint } from "../ask/opaque.ts";
import { makeQuestion, type FoundEvent, type Place } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField, readJsonObject, type Fields } from "../exchange/json-body.ts";
import { parseRelativeTime, relativeTimeForms } from "../exchange/relative-time.ts";
import { parseKql } from "../language/kql.ts";
import { effectivePrefixes } from "../search/scope.ts";
import { confine, DOOR } from "./access.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const NS_PER_MS = 1_000_000n;
/** A smaller number counts seconds: as ms it would be before 1973. */
const FIRST_MS = 100_000_000_000;

const cursorContent = z.object({
  /** The span of the first page: a later "now" would be another one. */
  begin: writtenBigint,
  end: writtenBigint,
  time: writtenBigint,
  ingested: writtenBigint,
  tie: writtenBigint,
});

/** `/v1/logs/query` */
export async function queryLogs(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const body =
    exchange.method === "POST"
      ? readJsonObject(await exchange.body())
      : fieldsOfAddress(exchange.query);
  const { customer, prefixes } = principal;
  const scope = { customer, use: "logtrace-query" };
  const nowMs = Date.now();
  const filter = readText(body, "filter");
  if (filter === undefined) throw badField("filter", body["filter"], 'a filter in KQL, "" for all');
  const limit = readWhole(body, "limit", DEFAULT_LIMIT, MAX_LIMIT);
  const cursor = readText(body, "cursor");
  const after = cursor === undefined ? undefined : openId(scope, cursor, cursorContent);
  if (cursor !== undefined && after === undefined) {
    throw badField("cursor", cursor, "the next_cursor of an answer");
  }
  const page = readWhole(body, "page", 1, MAX_LIMIT);
  if (page * limit > MAX_LIMIT) {
    throw badField("page", page, `pages of the first ${MAX_LIMIT} events; go on by the cursor`);
  }
  const begin = after?.begin ?? readTime(body, "from", "-24h", nowMs);
  const end = after?.end ?? readTime(body, "to", "now", nowMs);
  if (begin > end) throw badField("from", body["from"], 'a time before "to"');
  const question = makeQuestion({
    customer,
    prefixes: effectivePrefixes(["", "", "", DOOR], prefixes),
    begin,
    end,
    predicate: confine(
      principal,
      parseKql(filter, BigInt(nowMs) * NS_PER_MS),
      readText(body, "environment"),
    ),
  });
  const first = after === undefined ? (page - 1) * limit : 0;
  const [found, { count }] = await Promise.all([
    engine.find(question, { order: "newest", limit: first + limit + 1, after }, exchange),
    engine.count(question, exchange),
  ]);
  const events = found.slice(first, first + limit);
  const last = events.at(-1);
  const hasMore = found.length > first + limit && last !== undefined;
  return {
    json: {
      data: events.map(toLog),
      total: count,
      page: after === undefined ? page : null,
      limit,
      next_cursor: hasMore ? sealId(scope, cursorOf(last, begin, end)) : null,
    },
  };
}

/** The vendor speaks of GET, too: its parameters are the body's fields, numbers in digits. */
function fieldsOfAddress(query: URLSearchParams): Fields {
  return Object.fromEntries(
    [...query].map(([name, value]) => [
      name,
      !textFields.has(name) && /^\d{1,14}$/.test(value) ? Number(value) : value,
    ]),
  );
}

const textFields = new Set(["filter", "cursor", "environment"]);

function cursorOf({ time, ingested, tie }: Place, begin: bigint, end: bigint) {
  return Object.fromEntries(
    Object.entries({ begin, end, time, ingested, tie }).map(([name, value]) => [
      name,
      String(value),
    ]),
  );
}

function toLog({ time, prefixes, message, attributes }: FoundEvent) {
  const [environment, service, level] = prefixes;
  return {
    ...attributes,
    timestamp: formatTimestamp(time),
    level,
    message,
    ...(service !== "" && { service }),
    environment,
  };
}

function readText(body: Fields, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw badField(name, value, "a text");
}

function readWhole(body: Fields, name: string, fallback: number, max: number): number {
  const value = body[name];
  if (value === undefined || value === null) return fallback;
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
  throw badField(name, value, `a whole number from 1 to ${max}`);
}

function readTime(body: Fields, name: string, fallback: string, nowMs: number): bigint {
  const value = body[name] ?? fallback;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0 && value < 1e16) {
    return BigInt(Math.round(value < FIRST_MS ? value * 1000 : value)) * NS_PER_MS;
  }
  const time = typeof value === "string" ? parseRelativeTime(value, nowMs) : undefined;
  if (time === undefined) throw badField(name, value, relativeTimeForms);
  return time;
}
