// `compare` of power queries: the same query over another time, its figures beside those of the time asked for.
import { readPowerText } from "./power-expression.ts";
import type { PowerRole } from "./power-table.ts";
import { readLength } from "./power-time.ts";
import {
  expect,
  found,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";

export interface PowerComparison {
  /** What stands behind a figure's name, in parentheses. */
  readonly name: string;
  /** How far the other time lies ahead, in ns; behind, below zero. */
  readonly shiftOf: (span: { readonly begin: bigint; readonly end: bigint }) => bigint;
  readonly offset: number;
}

const command = /\|\s*(?=compare(?![\p{L}\p{N}_]))/uy;
const word = /compare/y;
const assigned = /([\p{L}_][\p{L}\p{N}_.]*)\s*=(?!=)/uy;
const timeshift = /timeshift(?![\p{L}\p{N}_])/uy;
const wholeSpan = /([+-]?)\s*queryspan\s*\(\s*\)/y;

/** Reads `| compare before = timeshift("-1w")` or `timeshift(queryspan())`, if it is next; without a sign it is before. */
export function readComparison(cursor: QueryCursor): PowerComparison | undefined {
  if (!isComparison(cursor)) return undefined;
  take(cursor, command);
  const offset = cursor.at;
  take(cursor, word);
  skipBlanks(cursor);
  const name = take(cursor, assigned)?.[1];
  skipBlanks(cursor);
  const begin = cursor.at;
  if (take(cursor, timeshift) === null) {
    const what = `expected "timeshift" but found ${found(cursor)}`;
    throw queryError(begin, what, 'write compare before = timeshift("1w")');
  }
  expect(cursor, "(");
  skipBlanks(cursor);
  const at = cursor.at;
  const sign = take(cursor, wholeSpan)?.[1];
  const text = sign === undefined ? readPowerText(cursor).trim() : sign;
  const lengthNs = sign === undefined ? readLength(text.replace(/^[+-]/, ""), at) : undefined;
  expect(cursor, ")");
  const direction = text.startsWith("+") ? 1n : -1n;
  return {
    name: name ?? cursor.text.slice(begin, cursor.at),
    shiftOf: ({ begin, end }) => direction * (lengthNs ?? end - begin),
    offset,
  };
}

/** Whether it is next: it is the last of a whole query, and of no subquery. */
export function isComparison(cursor: QueryCursor): boolean {
  skipBlanks(cursor);
  return peek(cursor, command) !== null;
}

/** Rows of an answer, and what each column is. */
export interface ComparedTable {
  readonly columns: readonly string[];
  readonly roles: readonly PowerRole[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * The rows with the figures that the row of equal keys has in the other table; null where there is none.
 * @param shiftNs how far the keys of the other table that are times lie ahead
 */
export function compareTables(
  table: ComparedTable,
  other: ComparedTable,
  name: string,
  shiftNs: bigint,
): Pick<ComparedTable, "columns" | "rows"> {
  const byKey = new Map(other.rows.map((row) => [keyOf(other, row, Number(shiftNs)), row]));
  const figures = table.columns.filter((_, index) => table.roles[index] === "figure");
  const places = figures.map((figure) => other.columns.indexOf(figure));
  return {
    columns: [...table.columns, ...figures.map((figure) => `${figure} (${name})`)],
    rows: table.rows.map((row) => {
      const same = byKey.get(keyOf(table, row, 0));
      return [...row, ...places.map((place) => same?.[place] ?? null)];
    }),
  };
}

function keyOf({ roles }: ComparedTable, row: readonly unknown[], shiftNs: number): string {
  const keys = row.flatMap((value, index) => {
    if (roles[index] === "time" && typeof value === "number") return [value - shiftNs];
    return roles[index] === "key" || roles[index] === "time" ? [value] : [];
  });
  return JSON.stringify(keys);
}
