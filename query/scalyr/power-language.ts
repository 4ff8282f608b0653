// The parser of Scalyr's power queries: a filter, then commands behind bars.
//
// What is read: `filter`, `group`, `sort`, `limit`, `columns`. Other commands are refused by name.
import type { Field } from "../language/field.ts";
import {
  accept,
  expect,
  found,
  nested,
  openQuery,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "../language/query-cursor.ts";
import { and, type Predicate } from "../language/predicate.ts";
import { readScalyrFilter, scalyrField } from "../language/scalyr-filter.ts";
import { toNumber } from "../language/numeric-text.ts";

export type PowerFigure =
  | { readonly kind: "count" }
  | {
      readonly kind: "sum" | "mean" | "min" | "max" | "distinct" | "deviation";
      readonly field: Field;
    }
  /** 0..100 */
  | { readonly kind: "percentile"; readonly percent: number; readonly field: Field };

export interface PowerGroup {
  readonly figures: readonly { readonly name: string; readonly figure: PowerFigure }[];
  readonly keys: readonly { readonly name: string; readonly field: Field }[];
}

export type Cell = string | number | null;

/** A condition on a row of a table. */
export type RowTest = (cellOf: (column: string) => Cell) => boolean;

export type TableCommand =
  | {
      readonly kind: "sort";
      readonly by: readonly { readonly column: string; readonly isDescending: boolean }[];
    }
  | { readonly kind: "limit"; readonly rows: number }
  | { readonly kind: "filter"; readonly test: RowTest; readonly columns: readonly string[] }
  | {
      readonly kind: "columns";
      readonly columns: readonly { readonly name: string; readonly from: string }[];
    };

export interface PowerQuery {
  readonly predicate: Predicate;
  /** Absent: the table has a row for each event. */
  readonly group: PowerGroup | undefined;
  readonly commands: readonly TableCommand[];
}

const MAX_COMMANDS = 50;
const MAX_COLUMNS = 50;
const MAX_ROWS = 100_000;

/** @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text */
export function parsePowerQuery(text: string): PowerQuery {
  const cursor = openQuery(text);
  const filters = [readScalyrFilter(cursor)];
  const commands: TableCommand[] = [];
  let group: PowerGroup | undefined;
  for (let count = 0; accept(cursor, "|"); count++) {
    skipBlanks(cursor);
    const begin = cursor.at;
    if (count === MAX_COMMANDS) {
      throw queryError(begin, `more than ${MAX_COMMANDS} commands`, "write fewer");
    }
    const name = take(cursor, /[a-z]+/iy)?.[0].toLowerCase() ?? "";
    if (name === "filter" && group === undefined && commands.length === 0) {
      filters.push(readScalyrFilter(cursor));
    } else if (name === "group" && group === undefined && commands.length === 0) {
      group = readGroup(cursor);
    } else {
      commands.push(readCommand(cursor, name, begin));
    }
  }
  skipBlanks(cursor);
  if (cursor.at < text.length) {
    throw queryError(cursor.at, `unexpected ${found(cursor)}`, 'write "|" before a command');
  }
  return { predicate: and(...filters), group, commands };
}

function readCommand(cursor: QueryCursor, name: string, begin: number): TableCommand {
  switch (name) {
    case "sort":
      return {
        kind: "sort",
        by: readList(cursor, () => {
          const isDescending = accept(cursor, "-");
          if (!isDescending) accept(cursor, "+");
          return { column: readColumn(cursor), isDescending };
        }),
      };
    case "limit":
      return { kind: "limit", rows: readRows(cursor) };
    case "columns":
      return {
        kind: "columns",
        columns: readList(cursor, () => {
          const first = readColumn(cursor);
          return accept(cursor, "=")
            ? { name: first, from: readColumn(cursor) }
            : { name: first, from: first };
        }),
      };
    case "filter": {
      const columns: string[] = [];
      return { kind: "filter", test: readRowOr(cursor, columns), columns };
    }
    default:
      throw queryError(
        begin,
        `the command "${name}" is not served here`,
        "write filter, one group before the others, sort, limit or columns",
      );
  }
}

function readGroup(cursor: QueryCursor): PowerGroup {
  const figures = readList(cursor, () => readFigure(cursor));
  skipBlanks(cursor);
  const hasKeys = take(cursor, /by(?![\p{L}\p{N}_])/iuy) !== null;
  const keys = hasKeys
    ? readList(cursor, () => {
        const name = readName(cursor);
        const isAlias = accept(cursor, "=");
        return { name, field: scalyrField(isAlias ? readName(cursor) : name) };
      })
    : [];
  return { figures, keys };
}

const percents: Readonly<Record<string, number>> = {
  median: 50,
  p10: 10,
  p50: 50,
  p90: 90,
  p95: 95,
  p99: 99,
  p999: 99.9,
};
const fieldFigures = {
  sum: "sum",
  avg: "mean",
  mean: "mean",
  min: "min",
  max: "max",
  stddev: "deviation",
  estimate_distinct: "distinct",
} as const;

function readFigure(cursor: QueryCursor): { name: string; figure: PowerFigure } {
  skipBlanks(cursor);
  const alias = take(cursor, /([\p{L}_][\p{L}\p{N}_.]*)\s*=\s*/uy)?.[1];
  const begin = cursor.at;
  const kind = take(cursor, /([a-z_0-9]+)\s*\(/iy)?.[1]?.toLowerCase() ?? "";
  const figure = readArguments(cursor, kind, begin);
  expect(cursor, ")");
  return { name: alias ?? cursor.text.slice(begin, cursor.at), figure };
}

function readArguments(cursor: QueryCursor, kind: string, begin: number): PowerFigure {
  if (kind === "count") return { kind: "count" };
  const percent = percents[kind];
  if (percent !== undefined) return { kind: "percentile", percent, field: readField(cursor) };
  if (kind === "pct" || kind === "percentile" || kind === "p") {
    skipBlanks(cursor);
    const isFirst = /[0-9]/.test(cursor.text.charAt(cursor.at));
    const early = isFirst ? readPercent(cursor) : undefined;
    if (isFirst) expect(cursor, ",");
    const field = readField(cursor);
    if (early !== undefined) return { kind: "percentile", percent: early, field };
    expect(cursor, ",");
    return { kind: "percentile", percent: readPercent(cursor), field };
  }
  const simple = Object.hasOwn(fieldFigures, kind)
    ? fieldFigures[kind as keyof typeof fieldFigures]
    : undefined;
  if (simple === undefined) {
    const known = ["count", ...Object.keys(fieldFigures), ...Object.keys(percents), "pct"];
    throw queryError(begin, `no function: "${kind}"`, `write ${known.join("(), ")}()`);
  }
  return { kind: simple, field: readField(cursor) };
}

function readPercent(cursor: QueryCursor): number {
  skipBlanks(cursor);
  const begin = cursor.at;
  const percent = toNumber(take(cursor, /[0-9.]+/y)?.[0] ?? "");
  if (percent === undefined || percent > 100) {
    throw queryError(begin, "no percentile", "write a number of 0 to 100");
  }
  return percent;
}

function readField(cursor: QueryCursor): Field {
  return scalyrField(readName(cursor));
}

function readName(cursor: QueryCursor): string {
  skipBlanks(cursor);
  const name = take(cursor, /(?:\$?[\p{L}_])(?:[\p{L}\p{N}_.@/]|\\[^])*/uy)?.[0];
  if (name !== undefined) return name.replaceAll(/\\([^])/g, "$1");
  throw queryError(cursor.at, `expected a field but found ${found(cursor)}`, "write its name");
}

/** A column by its name, which may be a function as it is written. */
function readColumn(cursor: QueryCursor): string {
  skipBlanks(cursor);
  const quoted = take(cursor, /"([^"]*)"|'([^']*)'/y);
  if (quoted !== null) return quoted[1] ?? quoted[2] ?? "";
  const name = take(cursor, /\$?[\p{L}_][\p{L}\p{N}_.@/]*(?:\([^()|]*\))?/uy)?.[0];
  if (name !== undefined) return name;
  throw queryError(cursor.at, `expected a column but found ${found(cursor)}`, "write its name");
}

function readRows(cursor: QueryCursor): number {
  skipBlanks(cursor);
  const begin = cursor.at;
  const rows = Number(take(cursor, /\d{1,9}/y)?.[0] ?? 0);
  if (rows >= 1 && rows <= MAX_ROWS) return rows;
  throw queryError(begin, "no number of rows", `write 1 to ${MAX_ROWS}`);
}

function readList<Item>(cursor: QueryCursor, read: () => Item): Item[] {
  const items: Item[] = [];
  do {
    if (items.length === MAX_COLUMNS) {
      throw queryError(cursor.at, `more than ${MAX_COLUMNS} columns`, "write fewer");
    }
    items.push(read());
  } while (accept(cursor, ","));
  return items;
}

function readRowOr(cursor: QueryCursor, columns: string[]): RowTest {
  const tests = [readRowAnd(cursor, columns)];
  for (
    skipBlanks(cursor);
    take(cursor, /\|\||or(?![\p{L}\p{N}_])/iuy) !== null;
    skipBlanks(cursor)
  ) {
    tests.push(readRowAnd(cursor, columns));
  }
  return (cellOf) => tests.some((test) => test(cellOf));
}

function readRowAnd(cursor: QueryCursor, columns: string[]): RowTest {
  const tests = [readRowTest(cursor, columns)];
  for (
    skipBlanks(cursor);
    take(cursor, /&&|and(?![\p{L}\p{N}_])/iuy) !== null;
    skipBlanks(cursor)
  ) {
    tests.push(readRowTest(cursor, columns));
  }
  return (cellOf) => tests.every((test) => test(cellOf));
}

function readRowTest(cursor: QueryCursor, columns: string[]): RowTest {
  skipBlanks(cursor);
  if (take(cursor, /!(?!=)|not(?![\p{L}\p{N}_])/iuy) !== null) {
    const test = readRowTest(cursor, columns);
    return (cellOf) => !test(cellOf);
  }
  if (accept(cursor, "(")) {
    return nested(cursor, () => {
      const test = readRowOr(cursor, columns);
      expect(cursor, ")");
      return test;
    });
  }
  const column = readColumn(cursor);
  columns.push(column);
  skipBlanks(cursor);
  const operator = take(cursor, /[<>]=?|[!=]=?/y)?.[0] ?? "";
  if (operator === "" || operator === "!") {
    throw queryError(cursor.at, `expected a comparison but found ${found(cursor)}`, "write >= 5");
  }
  skipBlanks(cursor);
  const [, double, single, bare] = take(cursor, /"([^"]*)"|'([^']*)'|([^\s()|&"',]+)/y) ?? [];
  const text = double ?? single ?? bare;
  if (text === undefined) {
    throw queryError(cursor.at, `expected a value but found ${found(cursor)}`, "write one");
  }
  const number = bare === undefined ? undefined : toNumber(bare);
  return (cellOf) => compares(cellOf(column), operator, number ?? text);
}

function compares(cell: Cell, operator: string, value: string | number): boolean {
  const own =
    typeof value === "number" && typeof cell === "string" ? (toNumber(cell) ?? cell) : cell;
  const isEqual = own === value;
  if (operator === "=" || operator === "==") return isEqual;
  if (operator === "!=") return !isEqual;
  if (own === null || typeof own !== typeof value) return false;
  switch (operator) {
    case "<":
      return own < value;
    case "<=":
      return own <= value;
    case ">":
      return own > value;
    default:
      return own >= value;
  }
}
