// Saved queries: statements with their logs and time, kept under an id.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Principal } from "../../ingest/keys/permission.ts";
import type { Reply } from "../exchange/exchange.ts";
import { isFields } from "../exchange/json-body.ts";
import { parseLeql } from "../language/leql.ts";
import type { Records } from "../records.ts";
import { invalid, notFound, readWrapped, type Asked } from "./access.ts";

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
  const during = isFields(leql["during"]) ? leql["during"] : {};
  const value = validate({
    ...former,
    ...given,
    leql: { ...former.leql, ...leql, during: { ...former.leql.during, ...during } },
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

function validate(given: unknown): SavedQuery {
  const { data, error } = savedQuery.safeParse(given);
  if (data === undefined) {
    const [issue] = error.issues;
    const field = issue?.path.join(".") ?? "saved_query";
    throw invalid([field], `unexpected value in "${field}": ${issue?.message ?? ""}`);
  }
  parseLeql(data.leql.statement);
  return data;
}

function shown(id: string, { name, leql, logs }: SavedQuery) {
  const { from = null, to = null, time_range = null } = leql.during ?? {};
  return { id, name, leql: { statement: leql.statement, during: { from, to, time_range } }, logs };
}

function placeOf({ customer }: Principal) {
  return { customer, collection: "logentries-saved-query" } as const;
}
