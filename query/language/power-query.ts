// The parser of Scalyr's power queries: a filter, and commands behind bars that make a table of it.
//
// Decisions where the vendor's documents are silent:
// - `filter` is the filter language right behind the filter, and an expression behind any other command;
// - `join` and `union` come first, and combine whole queries in parentheses;
// - a row is joined with the first row of equal keys of each subquery behind, and what is missing equals what is
//   missing, as the vendor's users know it; `sql` in front makes it a join as of SQL.
import {
  readPowerExpression,
  readPowerName,
  readPowerText,
  type PowerExpression,
} from "./power-expression.ts";
import { isComparison, readComparison, type PowerComparison } from "./power-compare.ts";
import { readParseFormat } from "./power-format.ts";
import { readLookup, type PowerLookup } from "./power-lookup.ts";
import { readList, readName, type PowerName } from "./power-name.ts";
import { and, type Predicate } from "./predicate.ts";
import {
  accept,
  expect,
  found,
  nested,
  openQuery,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import type { Re2 } from "./re2-regex.ts";
import { readScalyrFilter } from "./scalyr-filter.ts";

export interface PowerColumn {
  readonly name: string;
  readonly expression: PowerExpression;
}

export type PowerCommand =
  | { readonly kind: "filter"; readonly condition: PowerExpression }
  | { readonly kind: "let" | "columns"; readonly columns: readonly PowerColumn[] }
  | {
      readonly kind: "group";
      readonly columns: readonly PowerColumn[];
      readonly by: readonly PowerColumn[];
    }
  | {
      readonly kind: "sort";
      readonly keys: readonly { expression: PowerExpression; isDescending: boolean }[];
    }
  | { readonly kind: "limit"; readonly count: number }
  /** The groups of the largest values, with their places. */
  | {
      readonly kind: "top";
      readonly count: number;
      readonly value: PowerColumn;
      readonly by: readonly PowerColumn[];
    }
  /** The groups of the expression, in order, are columns of these names. */
  | {
      readonly kind: "parse";
      readonly from: PowerExpression;
      readonly regex: Re2;
      readonly names: readonly string[];
    }
  | PowerLookup
  /** The values of one column become columns, a row for each combination of others. */
  | { readonly kind: "transpose"; readonly column: PowerName; readonly on: readonly PowerName[] };

export interface PowerSubquery {
  /** Empty: it has none. */
  readonly name: string;
  readonly query: PowerPart;
  readonly offset: number;
}

export type PowerSource =
  /** Those that pass the query's filter of this number. */
  | { readonly kind: "events"; readonly filter: number }
  | { readonly kind: "union"; readonly parts: readonly PowerSubquery[] }
  | {
      readonly kind: "join";
      readonly mode: "inner" | "left" | "outer";
      /** Whether all rows with equal keys are combined, and not only the first of each subquery behind. */
      readonly isSql: boolean;
      readonly parts: readonly PowerSubquery[];
      readonly on: readonly PowerJoinKey[];
    };

/** The column of each subquery that is compared, in their order. */
export interface PowerJoinKey extends PowerName {
  readonly columns: readonly string[];
}

export interface PowerPart {
  readonly source: PowerSource;
  readonly commands: readonly PowerCommand[];
}

export interface PowerQuery extends PowerPart {
  /** What the events must pass of which tables are made. */
  readonly filters: readonly Predicate[];
  /** Present where it is to be asked of another time as well. */
  readonly comparison: PowerComparison | undefined;
}

const maxFilters = 10;
const maxCommands = 50;
const defaultLimit = 10;
const maxLimit = 100_000;
/** What `top` calls a row's place. */
export const rankColumn = "rank";
const commandName =
  /(filter|let|parse|lookup|group|sort|limit|nolimit|top|columns|transpose|union|(?:(?:sql\s+)?(?:inner|left|outer)\s+|sql\s+)?join)(?![\p{L}\p{N}_])/uy;
const commandNames =
  "filter, let, parse, lookup, group, sort, limit, nolimit, top, columns, transpose, compare, union or join";

/** @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text */
export function parsePowerQuery(text: string): PowerQuery {
  // A comment has as many blanks, so that offsets stay; it is looked for only in what is not too long.
  const cursor = { ...openQuery(text), text: withoutComments(text) };
  const filters: Predicate[] = [];
  const part = readPart(cursor, filters);
  const comparison = readComparison(cursor);
  skipBlanks(cursor);
  if (cursor.at === cursor.text.length) return { ...part, filters, comparison };
  throw queryError(cursor.at, `unexpected ${found(cursor)}`, "write | before a command");
}

const piece = /[^"'/]+|"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|(?<=^|\s)\/\/[^\n]*|[^]/y;

function withoutComments(text: string): string {
  let kept = "";
  let hasOpenQuote = false;
  piece.lastIndex = 0;
  while (kept.length < text.length && !hasOpenQuote) {
    const [all = ""] = piece.exec(text) ?? [];
    // Looking for the end of each quote again would take time that grows with its square.
    hasOpenQuote = all === '"' || all === "'";
    kept += all.startsWith("//") ? " ".repeat(all.length) : all;
  }
  return kept + text.slice(kept.length);
}

function readPart(cursor: QueryCursor, filters: Predicate[]): PowerPart {
  skipBlanks(cursor);
  const begin = cursor.at;
  const wheres = [readScalyrFilter(cursor)];
  const isBare = cursor.at === begin;
  const commands: PowerCommand[] = [];
  let source: PowerSource | undefined;
  for (let count = 0; !isComparison(cursor) && accept(cursor, "|"); count += 1) {
    skipBlanks(cursor);
    const offset = cursor.at;
    const name = take(cursor, commandName)?.[1];
    if (name === undefined) {
      throw queryError(
        offset,
        `expected a command but found ${found(cursor)}`,
        `write ${commandNames}`,
      );
    }
    if (count === maxCommands) {
      throw queryError(offset, `more than ${String(maxCommands)} commands`, "write fewer");
    }
    if (name === "union" || name.endsWith("join")) {
      if (!isBare || count > 0) {
        throw queryError(
          offset,
          `${name} behind something else`,
          `begin the query with "| ${name}"`,
        );
      }
      const parts = readSubqueries(cursor, filters);
      source = name === "union" ? { kind: "union", parts } : readJoin(cursor, name, parts);
    } else if (name === "filter" && source === undefined && commands.length === 0) {
      wheres.push(readScalyrFilter(cursor));
    } else {
      commands.push(readCommand(cursor, name));
    }
  }
  return {
    source: source ?? { kind: "events", filter: addFilter(cursor, filters, wheres) },
    commands,
  };
}

function addFilter(
  cursor: QueryCursor,
  filters: Predicate[],
  wheres: readonly Predicate[],
): number {
  if (filters.length < maxFilters) return filters.push(and(...wheres)) - 1;
  throw queryError(cursor.at, `more than ${String(maxFilters)} subqueries`, "write fewer");
}

function readSubqueries(cursor: QueryCursor, filters: Predicate[]): PowerSubquery[] {
  const parts = readList(cursor, () => {
    skipBlanks(cursor);
    const offset = cursor.at;
    const name = take(cursor, assigned)?.[1]?.replaceAll(/\\([^])/g, "$1") ?? "";
    expect(cursor, "(");
    const query = nested(cursor, () => readPart(cursor, filters));
    expect(cursor, ")");
    return { name, query, offset };
  });
  const [, second] = parts;
  const same = parts.find(
    ({ name }, index) => name !== "" && parts.findIndex((part) => part.name === name) < index,
  );
  if (same !== undefined)
    throw queryError(same.offset, `another subquery is called ${same.name}`, "write another name");
  if (second !== undefined) return parts;
  throw queryError(cursor.at, "a single subquery", 'write "," and another one');
}

function readJoin(cursor: QueryCursor, name: string, parts: readonly PowerSubquery[]): PowerSource {
  skipBlanks(cursor);
  // The vendor's older documents write "by".
  if (take(cursor, /(?:on|by)(?![\p{L}\p{N}_])/iuy) === null) {
    throw queryError(
      cursor.at,
      `expected "on" but found ${found(cursor)}`,
      'write "on" and a column',
    );
  }
  const mode = /left|outer/.exec(name)?.[0] as "left" | "outer" | undefined;
  return {
    kind: "join",
    mode: mode ?? "inner",
    isSql: name.startsWith("sql"),
    parts,
    on: readList(cursor, () => readJoinKey(cursor, parts)),
  };
}

/** `name`, or `a.name = b.other` of every subquery. */
function readJoinKey(cursor: QueryCursor, parts: readonly PowerSubquery[]): PowerJoinKey {
  skipBlanks(cursor);
  const offset = cursor.at;
  const names = [readPowerName(cursor)];
  while (accept(cursor, "=")) {
    accept(cursor, "=");
    names.push(readPowerName(cursor));
  }
  const [name = ""] = names;
  if (names.length === 1) return { name, offset, columns: parts.map(() => name) };
  const columns = parts.map((part) => {
    const own = names.filter((one) => part.name !== "" && one.startsWith(`${part.name}.`));
    return own.length === 1 ? (own[0] ?? "").slice(part.name.length + 1) : undefined;
  });
  const [first] = columns;
  if (
    names.length === parts.length &&
    first !== undefined &&
    columns.every((one) => one !== undefined)
  ) {
    return { name: first, offset, columns };
  }
  const example = parts
    .map((part, index) => `${part.name === "" ? `q${String(index)}` : part.name}.id`)
    .join(" = ");
  throw queryError(offset, "a column of each subquery is needed", `write ${example}`);
}

function readCommand(cursor: QueryCursor, name: string): PowerCommand {
  switch (name) {
    case "filter":
      return { kind: "filter", condition: readPowerExpression(cursor) };
    case "let":
    case "columns":
      return { kind: name, columns: readColumns(cursor) };
    case "group":
      return { kind: "group", columns: readColumns(cursor), by: readKeys(cursor) };
    case "sort": {
      const keys = readList(cursor, () => {
        skipBlanks(cursor);
        const sign = take(cursor, /[+-]/y)?.[0];
        return { expression: readPowerExpression(cursor), isDescending: sign === "-" };
      });
      return { kind: "sort", keys };
    }
    case "limit":
      return { kind: "limit", count: readLimit(cursor) };
    case "nolimit":
      return { kind: "limit", count: maxLimit };
    case "top":
      return readTop(cursor);
    case "lookup":
      return readLookup(cursor);
    case "transpose": {
      const column = readName(cursor);
      skipBlanks(cursor);
      const hasKeys = take(cursor, /on(?![\p{L}\p{N}_])/iuy) !== null;
      return {
        kind: "transpose",
        column,
        on: hasKeys ? readList(cursor, () => readName(cursor)) : [],
      };
    }
    default: {
      const before = readSource(cursor);
      const format = readParseFormat(cursor);
      const from = before ??
        readSource(cursor) ?? { kind: "name", name: "message", offset: cursor.at };
      return { kind: "parse", from, ...format };
    }
  }
}

/** Behind "by", if it is there. */
function readKeys(cursor: QueryCursor): PowerColumn[] {
  skipBlanks(cursor);
  return take(cursor, /by(?![\p{L}\p{N}_])/iuy) === null ? [] : readColumns(cursor);
}

/** `10 count() by host, t = timebucket("1h")` */
function readTop(cursor: QueryCursor): PowerCommand {
  const count = readLimit(cursor);
  skipBlanks(cursor);
  const offset = cursor.at;
  const [value, second] = readColumns(cursor);
  const by = readKeys(cursor);
  if (value === undefined || second !== undefined || by.length === 0) {
    throw queryError(offset, "top of something else", "write top 10 count() by field");
  }
  const names = [value, ...by].map(({ name }) => name);
  if (names.includes(rankColumn) || new Set(names).size < names.length) {
    const what = `a name twice, or ${rankColumn}, which is the place`;
    throw queryError(offset, what, "write other names");
  }
  return { kind: "top", count, value, by };
}

function readLimit(cursor: QueryCursor): number {
  skipBlanks(cursor);
  const offset = cursor.at;
  const digits = take(cursor, /[0-9]{1,9}/y)?.[0];
  const count = Number(digits ?? defaultLimit);
  if (count >= 1 && count <= maxLimit) return count;
  throw queryError(offset, `no number of rows: ${String(count)}`, `write 1 to ${String(maxLimit)}`);
}

function readSource(cursor: QueryCursor): PowerExpression | undefined {
  skipBlanks(cursor);
  if (take(cursor, /from(?![\p{L}\p{N}_])/iuy) === null) return undefined;
  return { kind: "name", ...readName(cursor) };
}

const assigned = /((?:\$?[\p{L}_])(?:[\p{L}\p{N}_.@]|\\[^])*)\s*=(?!=)/uy;

const assignedQuoted = /(?:"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*')\s*=(?!=)/y;

/** A column without a name is called as it is written. */
function readColumns(cursor: QueryCursor): PowerColumn[] {
  return readList(cursor, () => {
    skipBlanks(cursor);
    const isQuoted = peek(cursor, assignedQuoted) !== null;
    const name = isQuoted
      ? readPowerText(cursor)
      : take(cursor, assigned)?.[1]?.replaceAll(/\\([^])/g, "$1");
    if (isQuoted) expect(cursor, "=");
    skipBlanks(cursor);
    const begin = cursor.at;
    const expression = readPowerExpression(cursor);
    const written =
      expression.kind === "name" ? expression.name : cursor.text.slice(begin, cursor.at).trim();
    return { name: name ?? written, expression };
  });
}
