// The events around one, in the logs that the request names.
import type { FoundEvent } from "../ask/question.ts";
import type { Principal } from "../../ingest/keys/permission.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import {
  badParameter,
  textParameter,
  wholeParameter,
  wordParameter,
} from "../exchange/parameters.ts";
import { parseLeql } from "../language/leql.ts";
import { notFound, type Asked } from "./access.ts";
import type { KnownLog } from "./catalog.ts";
import { eventsOf } from "./download.ts";
import { toLeqlEvent } from "./event.ts";
import { baseOf, DEFAULT_EVENTS, MAX_EVENTS, questionOf, type QueryContext } from "./query.ts";
import { idsOf } from "./query-input.ts";

/** GET `/query/context/SEQ`: the events around one, oldest first. */
export async function showContext(
  { engine, catalog }: QueryContext,
  { principal, exchange }: Asked,
): Promise<Reply> {
  const { query, params } = exchange;
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
  const moment = momentOf(timestamp);
  const place = await findEvent(engine, principal, logs, { timestamp, sequence }, exchange);
  if (place === undefined) throw notFound("event", sequence);
  const question = {
    ...questionOf(principal, logs, everything, moment),
    begin: 0n,
    end: 2n ** 63n - 1n,
  };
  const isAround = type === "SURROUND";
  // The event itself is one of the page.
  const [older, newer] = isAround
    ? [Math.ceil((limit - 1) / 2), Math.floor((limit - 1) / 2)]
    : [type === "BEFORE" ? limit : 0, type === "AFTER" ? limit : 0];
  const side = async (order: "newest" | "oldest", count: number) =>
    count === 0 ? [] : engine.find(question, { order, limit: count, after: place }, exchange);
  const before = (await side("newest", older)).toReversed();
  const after = await side("oldest", newer);
  const middle = isAround ? [place] : [];
  return {
    json: {
      events: [...before, ...middle, ...after].map((event) =>
        toLeqlEvent(event, logs, [], baseOf(exchange)),
      ),
    },
  };
}

/** The event of a number within its ms; undefined when there is none. */
export async function findEvent(
  engine: QueryContext["engine"],
  principal: Principal,
  logs: readonly KnownLog[],
  { timestamp, sequence }: { readonly timestamp: number; readonly sequence: string },
  exchange: Exchange,
): Promise<FoundEvent | undefined> {
  const question = questionOf(principal, logs, parseLeql(""), momentOf(timestamp));
  for await (const event of eventsOf(engine, question, exchange)) {
    if (String(event.ingested) === sequence) return event;
  }
  return undefined;
}

function momentOf(timestamp: number) {
  return { from: timestamp, to: timestamp + 1 };
}
