// The values of all keys below another, as `key.*` names them, in TypeScript and in SQL.
import type { Json } from "./json-message.ts";
import { pairsBelowRegex } from "./pair.ts";
import { joinSql, raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

/** Strings, with a colon behind those that are keys, and other scalars, in JSON as ClickHouse writes it. */
const tokens = String.raw`"(?:[^"\\\\]|\\\\.)*":?|[-+.0-9A-Za-z]+`;

/**
 * The scalars at any depth of the object under the path, and under the document's own keys that begin with the path's
 * names with dots between.
 */
export function textsBelow(document: Json | undefined, path: readonly string[]): string[] {
  if (document?.kind !== "object") return [];
  let at: Json | undefined = document;
  for (const key of path) at = at?.kind === "object" ? at.entries.get(key) : undefined;
  const prefix = `${path.join(".")}.`;
  const flat = membersOf(document).filter(([key]) => key.startsWith(prefix));
  return [...(at?.kind === "object" ? [at] : []), ...flat.map(([, value]) => value)].flatMap(
    scalarsIn,
  );
}

function membersOf(
  object: Extract<Json, { kind: "object" }>,
): readonly (readonly [string, Json])[] {
  return object.all ?? [...object.entries];
}

/** Without recursion: documents nest a thousand deep. */
function scalarsIn(root: Json): string[] {
  const texts: string[] = [];
  const open: Json[] = [root];
  for (let json = open.pop(); json !== undefined; json = open.pop()) {
    if (json.kind === "text" || json.kind === "scalar") texts.push(json.text);
    else {
      const inner = innerOf(json);
      // One by one: a call cannot have as many arguments as a message may have values.
      for (let at = inner.length - 1; at >= 0; at -= 1) open.push(inner[at] as Json);
    }
  }
  return texts;
}

function innerOf(json: Json): readonly Json[] {
  if (json.kind === "array") return json.items;
  return json.kind === "object" ? membersOf(json).map(([, value]) => value) : [];
}

/** Array(String), of a message. */
export function belowSql(
  path: readonly string[],
  message: SqlFragment,
  parameters: SqlParameters,
): SqlFragment {
  const keys = joinSql([message, ...path.map((key) => parameters.string(key))], ", ");
  const prefix = parameters.string(`${path.join(".")}.`);
  const nested = sql`arrayFilter(r -> startsWith(r, '{'), [JSONExtractRaw(${keys})])`;
  const flat = sql`arrayMap(p -> p.2,
    arrayFilter(p -> startsWith(p.1, ${prefix}), JSONExtractKeysAndValuesRaw(${message})))`;
  return sql`arrayMap(k -> if(startsWith(k, '"'), JSONExtractString(k), k),
    arrayFilter(k -> k != 'null' AND NOT endsWith(k, '":'),
      extractAll(arrayStringConcat(arrayConcat(${nested}, ${flat}), ','), ${raw(`'${tokens}'`)})))`;
}

/** Array(String) of the values of `prefix.key=value` pairs. */
export function pairsBelowSql(
  prefix: string,
  message: SqlFragment,
  parameters: SqlParameters,
): SqlFragment {
  const regex = parameters.string(pairsBelowRegex(prefix));
  const mark = parameters.string(`${prefix}.`);
  return sql`if(position(${message}, ${mark}) = 0, [],
    arrayMap(g -> concat(g[1], g[2], g[3]), extractAllGroups(${message}, ${regex})))`;
}
