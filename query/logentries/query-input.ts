// What requests for LEQL queries say of logs, statement and time.
import { badField, isFields, type Fields } from "../exchange/json-body.ts";
import { badParameter } from "../exchange/parameters.ts";
import { readFields, type Asked } from "./access.ts";
import { readDuring, type During } from "./times.ts";

export function duringOf(query: URLSearchParams): During {
  return readDuring({
    from: query.get("from"),
    to: query.get("to"),
    time_range: query.get("time_range"),
  });
}

/** Parted by colons, as the vendor's documents have it, or by commas. */
export function idsOf(text: string | undefined): string[] {
  const ids = (text ?? "").split(/[:,]/).filter((id) => id !== "");
  if (ids.length === 0) throw badParameter("logs", "", "the id of a log");
  return [...new Set(ids)];
}

/** A body `{"logs":[…],"leql":{"statement","during"}}`; the vendor's command line leaves `leql` out to see everything. */
export function readPosted(asked: Asked): {
  readonly logs: string[];
  readonly statement: string;
  readonly during: Fields;
} {
  const { logs, leql = {}, label } = readFields(asked);
  const isLogs =
    Array.isArray(logs) && logs.length > 0 && logs.every((id) => typeof id === "string");
  if (!isLogs) throw badField("logs", logs, "a list of ids of logs");
  if (!isFields(leql)) throw badField("leql", leql, "an object with a statement");
  const { statement = "", during = {} } = leql;
  if (typeof statement !== "string") throw badField("leql.statement", statement, "a text");
  if (!isFields(during)) throw badField("leql.during", during, "an object");
  // All events instead of those of a label would be a wrong answer.
  if (label !== undefined) throw badField("label", label, "nothing: events have no labels here");
  return { logs: [...new Set(logs)], statement, during };
}
