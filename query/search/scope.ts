// What a search may see: the query's prefixes and the token's, both.
import type { SqlFragment } from "../language/sql-fragment.ts";
import type { Prefixes } from "./request.ts";

/** The labels that a search is confined to; `undefined` when no label can satisfy query and token both. */
export function effectivePrefixes(query: Prefixes, token: Prefixes): Prefixes | undefined {
  const both: string[] = [];
  for (const [index, asked] of query.entries()) {
    const allowed = token[index] ?? "";
    // To start with both is to start with the longer one, provided it starts with the shorter.
    if (asked.startsWith(allowed)) both.push(asked);
    else if (allowed.startsWith(asked)) both.push(allowed);
    else return undefined;
  }
  return both as unknown as Prefixes;
}

/** The condition on customer and labels. */
export function scopeCondition(customer: string, prefixes: Prefixes): SqlFragment {
  const params: Record<string, unknown> = { customer };
  const conditions = ["customer = {customer:String}"];
  for (const [index, prefix] of prefixes.entries()) {
    if (prefix === "") continue;
    params[`prefix${index}`] = prefix;
    conditions.push(`startsWith(prefix${index}, {prefix${index}:String})`);
  }
  return { text: conditions.join(" AND "), params };
}

/** Labels as one text, for keys; NUL is in no label. */
export function joinPrefixes(prefixes: Prefixes): string {
  return prefixes.join("\0");
}
