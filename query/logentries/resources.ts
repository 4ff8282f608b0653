// Resources that are kept as they are given: teams, tags, actions, labels.
import { randomUUID } from "node:crypto";
import type { Reply } from "../exchange/exchange.ts";
import type { Collection, CustomerRecord, Records } from "../records.ts";
import { isFields, type Fields } from "../exchange/json-body.ts";
import { invalid, notFound, readWrapped, type Answer, type Asked } from "./access.ts";

export interface ResourceKind {
  readonly collection: Collection;
  readonly one: string;
  readonly many: string;
  /** The vendor's actions have no names. */
  readonly isNameless?: boolean;
}

/** The answers of each method, on all and on one. */
export function createResource(
  records: Records,
  { collection, one, many, isNameless = false }: ResourceKind,
): {
  readonly all: Record<"GET" | "POST", Answer>;
  readonly single: Record<"GET" | "PUT" | "PATCH" | "DELETE", Answer>;
} {
  const placeOf = ({ principal: { customer } }: Asked) => ({ customer, collection });
  const find = (asked: Asked): CustomerRecord => {
    const id = asked.exchange.params["id"] ?? "";
    const record = records.find(placeOf(asked), id);
    if (record === undefined) throw notFound(one, id);
    return record;
  };
  const put = async (asked: Asked, id: string, fields: Fields, status: number): Promise<Reply> => {
    const { name } = fields;
    const mayLackName = isNameless && Object.keys(fields).length > 0;
    const isName = typeof name === "string" && name !== "" && name.length <= 200;
    if (!isName && !(mayLackName && name === undefined)) {
      throw invalid(["name"], 'unexpected value in "name"; expected 1 to 200 characters');
    }
    return { status, json: { [one]: show(await records.put(placeOf(asked), id, fields)) } };
  };
  return {
    all: {
      GET: (asked) => ({ json: { [many]: records.list(placeOf(asked)).map(show) } }),
      POST: (asked) => put(asked, randomUUID(), readWrapped(asked, one), 201),
    },
    single: {
      GET: (asked) => ({ json: { [one]: show(find(asked)) } }),
      PUT: (asked) => put(asked, find(asked).id, readWrapped(asked, one), 200),
      PATCH: (asked) => {
        const { id, value } = find(asked);
        const former = value as Fields;
        return put(asked, id, merge(former, readWrapped(asked, one)), 200);
      },
      DELETE: async (asked) => {
        await records.delete(placeOf(asked), find(asked).id);
        return { status: 204 };
      },
    },
  };
}

/**
 * A team's users are added to those that it has, and one without an id says nothing: so the vendor's command line
 * renames teams and adds to them.
 */
function merge(former: Fields, given: Fields): Fields {
  const { users } = given;
  if (!Array.isArray(users)) return { ...former, ...given };
  const known = Array.isArray(former["users"]) ? (former["users"] as unknown[]) : [];
  const byId = new Map<string, unknown>();
  for (const user of [...known, ...(users as unknown[])]) {
    const id = isFields(user) ? user["id"] : undefined;
    if (typeof id === "string" && id !== "") byId.set(id, user);
  }
  return { ...former, ...given, users: [...byId.values()] };
}

function show({ id, value }: CustomerRecord): Fields {
  return { ...(value as Fields), id };
}
