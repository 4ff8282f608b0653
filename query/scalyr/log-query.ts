// Scalyr's log queries: matching events, oldest first, with the sessions they belong to.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Engine } from "../ask/engine.ts";
import { openId, sealId, writtenBigint } from "../ask/opaque.ts";
import type { FoundEvent, Order } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField } from "../exchange/json-body.ts";
import { EventReader } from "../language/event-reader.ts";
import { scalyrField } from "../language/scalyr-filter.ts";
import { questionOf, readText, readWhole, requireType, type ScalyrRequest } from "./request.ts";

const DEFAULT_MATCHES = 100;
const MAX_MATCHES = 5_000;
const MAX_COLUMNS = 100;
const DEFAULT_SEVERITY = 3;

const continuation = z.object({
  order: z.enum(["newest", "oldest"]),
  begin: writtenBigint,
  end: writtenBigint,
  time: writtenBigint,
  ingested: writtenBigint,
  tie: writtenBigint,
});

/** `/api/query` */
export async function queryLogs(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const startedAt = performance.now();
  requireType(fields, "log");
  const scope = { customer: principal.customer, use: "scalyr-query" };
  const limit = readWhole(fields, "maxCount", { fallback: DEFAULT_MATCHES, max: MAX_MATCHES });
  const token = readText(fields, "continuationToken");
  const after = token === undefined ? undefined : openId(scope, token, continuation);
  if (token !== undefined && after === undefined) {
    throw badField("continuationToken", token, "the one of an answer");
  }
  const asked = questionOf(principal, fields, "day");
  // "Now" of the first page, else events would move from page to page.
  const question = after === undefined ? asked : { ...asked, begin: after.begin, end: after.end };
  const order = after?.order ?? readOrder(fields);
  const found = await engine.find(question, { order, limit: limit + 1, after }, exchange);
  const events = found.slice(0, limit);
  const last = events.at(-1);
  const ascending = order === "oldest" ? events : events.toReversed();
  const columns = readText(fields, "columns")
    ?.split(",")
    .map((name) => name.trim());
  if (columns !== undefined && columns.length > MAX_COLUMNS) {
    throw badField("columns", columns.length, `at most ${MAX_COLUMNS} names`);
  }
  const sessions: Record<string, Record<string, string>> = {};
  const matches = ascending.map((event) => {
    const { id, attributes } = sessionOf(event);
    const shared = (sessions[id] ??= attributes);
    // An event may have another server's fields than its session: it shows them itself.
    const own = Object.entries(attributes).filter(([name, value]) => shared[name] !== value);
    return toMatch(event, id, columns, Object.fromEntries(own));
  });
  return {
    json: {
      status: "success",
      matches,
      sessions,
      executionTime: Math.round(performance.now() - startedAt),
      ...(found.length > limit &&
        last !== undefined && {
          continuationToken: sealId(scope, {
            order,
            begin: String(question.begin),
            end: String(question.end),
            time: String(last.time),
            ingested: String(last.ingested),
            tie: String(last.tie),
          }),
        }),
    },
  };
}

/** From the beginning when only that is named, else from the end. */
function readOrder(fields: ScalyrRequest["fields"]): Order {
  const mode = readText(fields, "pageMode");
  if (mode === "head") return "oldest";
  if (mode === "tail") return "newest";
  if (mode !== undefined) throw badField("pageMode", mode, "head or tail");
  return fields["startTime"] !== undefined && fields["endTime"] === undefined ? "oldest" : "newest";
}

/** @param own fields of the server that are not those of the session */
function toMatch(
  event: FoundEvent,
  session: string,
  columns: readonly string[] | undefined,
  own: Readonly<Record<string, string>>,
) {
  const { time, message, prefixes, attributes } = event;
  const { severity, session: _, thread = "", ...others } = attributes;
  const [, logfile, parser] = prefixes;
  const all: Record<string, string> = {
    ...(logfile !== "" && { logfile }),
    ...(parser !== "" && { parser }),
    ...own,
    ...Object.fromEntries(Object.entries(others).filter(([name]) => !isOfServer(name))),
  };
  const shown = columns === undefined ? all : pick(event, columns);
  return {
    timestamp: String(time),
    message,
    severity: severityOf(severity),
    session,
    thread,
    // The vendor's documents say fields, its clients read attributes.
    attributes: shown,
    fields: shown,
  };
}

/** One of the vendor's, finest to fatal: its clients look the number up in a list of seven. */
function severityOf(text: string | undefined): number {
  return text !== undefined && /^[0-6]$/.test(text) ? Number(text) : DEFAULT_SEVERITY;
}

/** What every match has beside its fields. */
const ofEveryMatch = new Set(["timestamp", "message", "severity", "session", "thread"]);

/** Any field that filters know, of a JSON message, too. */
function pick(event: FoundEvent, columns: readonly string[]): Record<string, string> {
  const reader = new EventReader({ ...event, message: Buffer.from(event.message) });
  return Object.fromEntries(
    columns.flatMap((name) => {
      if (name === "" || ofEveryMatch.has(name)) return [];
      const [value] = reader.texts(scalyrField(name));
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The server's fields; events that came without a session share one with those of an equal server. */
function sessionOf({ prefixes, attributes }: FoundEvent): {
  id: string;
  attributes: Record<string, string>;
} {
  const server = Object.fromEntries(
    Object.entries(attributes)
      .filter(([name]) => isOfServer(name))
      .map(([name, value]) => [name.replace(/^(?:\$|server-)/, ""), value]),
  );
  const [serverHost] = prefixes;
  const all = { ...(serverHost !== "" && { serverHost }), ...server };
  const hash = () => createHash("sha256").update(JSON.stringify(all)).digest("base64url");
  return { id: attributes["session"] ?? hash().slice(0, 22), attributes: all };
}

function isOfServer(name: string): boolean {
  return name.startsWith("$") || name.startsWith("server-");
}
