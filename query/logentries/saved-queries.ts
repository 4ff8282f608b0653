// Saved queries: statements with their logs and time, kept under an id.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Principal } from "../../ingest/keys/permission.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { Reply } from "../exchange/exchange.ts";
import { isFields } from "../exchange/json-body.ts";
import { parseLeql } from "../language/leql.ts";
import type { Records } from "../records.ts";
import { invalid, notFound, readWrapped, type Asked } from "./access.ts";
import { readDuring } from "./times.ts";

const during = z.object({
  from: z.int().nonnegative().nullish(),
  to: z.int().nonnegative().nullish(),
  time_range: z.string().max(100).nullish(),
});
const savedQuery = z.object({
  name: z.string().min(1).max(200),
  leql: z.object({ statement: z.string(), during: during.nullish() }),
  logs: z.array(z.string()).max(100).default([]),
});
type SavedQuery = z.infer<typeof savedQuery>;

/** @throws LogboomError NOT_FOUND */
export function findSavedQuery(records: Records, principal: Principal, id: string): SavedQuery {
  const value = savedQuery.safeParse(records.find(placeOf(principal), id)?.value).data;
  if (value === undefined) throw notFound("saved query", id);
  return value;
}

export function listSavedQueries(records: Records, { principal }: Asked): Reply {
  const all = records.list(placeOf(principal)).flatMap(({ id, value }) => {
    const saved = savedQuery.safeParse(value).data;
    return saved === undefined ? [] : [shown(id, saved)];
  });
  return { json: { saved_queries: all } };
}

export function showSavedQuery(records: Records, { principal, exchange }: Asked): Reply {
  const id = exchange.params["saved"] ?? "";
  return { json: { saved_query: shown(id, findSavedQuery(records, principal, id)) } };
}

export async function createSavedQuery(records: Records, asked: Asked): Promise<Reply> {
  const value = validate(readWrapped(asked, "saved_query"));
  const id = randomUUID();
  await records.put(placeOf(asked.principal), id, value);
  return { status: 201, json: { saved_query: shown(id, value) } };
}

/** What the request leaves out stays as it is. */
export async function changeSavedQuery(records: Records, asked: Asked): Promise<Reply> {
  const id = asked.exchange.params["saved"] ?? "";
  const former = findSavedQuery(records, asked.principal, id);
  const given = readWrapped(asked, "saved_query");
  const leql = isFields(given["leql"]) ? given["leql"] : {};
  const value = validate({
    ...former,
    ...given,
    leql: { ...former.leql, ...leql, during: retime(former.leql.during, leql["during"]) },
  });
  await records.put(placeOf(asked.principal), id, value);
  return { json: { saved_query: shown(id, value) } };
}

export async function deleteSavedQuery(
  records: Records,
  { principal, exchange }: Asked,
): Promise<Reply> {
  const id = exchange.params["saved"] ?? "";
  if (!(await records.delete(placeOf(principal), id))) throw notFound("saved query", id);
  return { status: 204 };
}

/** A range in words and from and to stand in place of each other: whichever came last holds. */
function retime(former: SavedQuery["leql"]["during"], given: unknown): unknown {
  if (given === undefined || given === null) return former;
  if (!isFields(given)) return given;
  const isSet = (name: string) => given[name] !== undefined && given[name] !== null;
  if (isSet("time_range")) return given;
  const hasBounds = isSet("from") || isSet("to");
  return { ...former, ...(hasBounds && { time_range: null }), ...given };
}

function validate(given: unknown): SavedQuery {
  const { data, error } = savedQuery.safeParse(given);
  if (data === undefined) {
    const [issue] = error.issues;
    const field = issue?.path.join(".") ?? "saved_query";
    throw invalid([field], `unexpected value in "${field}": ${issue?.message ?? ""}`);
  }
  check("leql.statement", () => parseLeql(data.leql.statement));
  const { from, to, time_range } = data.leql.during ?? {};
  // Without any, whoever asks the query names its time.
  if ((from ?? to ?? time_range ?? "") !== "") {
    check("leql.during", () => readDuring({ from, to, time_range }));
  }
  return data;
}

/** A part that cannot be read is refused in the form of a resource's fields. */
function check(field: string, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof LogboomError)) throw error;
    throw invalid([field], `unexpected value in "${field}": ${error.message}`);
  }
}

function shown(id: string, { name, leql, logs }: SavedQuery) {
  const { from = null, to = null, time_range = null } = leql.during ?? {};
  return { id, name, leql: { statement: leql.statement, during: { from, to, time_range } }, logs };
}

function placeOf({ customer }: Principal) {
  return { customer, collection: "logentries-saved-query" } as const;
}
