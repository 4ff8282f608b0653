// `lookup` of power queries as a join with the customer's table, whose cells are bound parameters.
import type { PowerExpression } from "./power-expression.ts";
import type { PowerLookup } from "./power-lookup.ts";
import type { PowerName } from "./power-name.ts";
import { withColumns, type PowerScope, type PowerTable } from "./power-table.ts";
import { asText, bind, type PowerSql } from "./power-value.ts";
import { numberOf } from "./numeric-text.ts";
import { queryError } from "./query-cursor.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

export type DataCell = string | number | boolean | null;

/** A table that a customer keeps. */
export interface DataTable {
  readonly columns: readonly string[];
  /** Each has a cell for each column. */
  readonly rows: readonly (readonly DataCell[])[];
}

/** One value of ClickHouse's HTTP forms has 128 KiB at most. */
const maxPieceBytes = 60_000;

/**
 * The rows, each with the values of the first row of the table whose keys equal its own; NULL where there is none.
 * NULL equals NULL, a text that is a number the number, and all else the same text.
 * @param compile of an expression on the rows
 * @returns also the bytes of the cells that are bound
 */
export function lookUp(
  { table: name, values, by }: PowerLookup,
  table: PowerTable,
  data: DataTable,
  scope: PowerScope,
  compile: (expression: PowerExpression) => PowerSql,
): { readonly looked: PowerTable; readonly cellBytes: number } {
  const { nextName, parameters } = scope;
  const keys = by.map(({ column, value }) => ({
    index: indexOf(data, name, column),
    own: asText(compile(value)),
    left: nextName(),
    right: nextName(),
  }));
  const found = values.map(({ name: shown, column }) => {
    const index = indexOf(data, name, column);
    return { shown, index, type: typeOf(data, index), right: nextName() };
  });
  const used = [...new Set([...keys, ...found].map(({ index }) => index))];
  const row = nextName();
  const cellOf = (index: number): SqlFragment =>
    sql`${row}.${raw(String(used.indexOf(index) + 2))}`;
  const pieces = used.map((index) => piecesOf(data, index));
  const cells = pieces.map((lists) => {
    const bound = lists.map((texts) => parameters.nullableStrings(texts));
    return sql`arrayConcat(${joinSql(bound, ", ")})`;
  });
  const rows = sql`arrayJoin(arrayZip(range(${raw(String(data.rows.length))}), ${joinSql(cells, ", ")}))`;
  const selected = [
    ...keys.map(({ index, right }) => sql`${comparable(cellOf(index))} AS ${right}`),
    ...found.map(({ index, right }) => sql`${cellOf(index)} AS ${right}`),
  ];
  const rights = joinSql(
    keys.map(({ right }) => right),
    ", ",
  );
  const first = sql`(SELECT ${joinSql(selected, ", ")} FROM (SELECT ${rows} AS ${row}) ORDER BY ${row}.1 LIMIT 1 BY ${rights})`;
  const lefts = keys.map(({ own, left }) => sql`${comparable(own)} AS ${left}`);
  const own = sql`(SELECT *, ${joinSql(lefts, ", ")} FROM ${table.from})`;
  const equal = keys.map(({ left, right }) => sql`${left} <=> ${right}`);
  const from = sql`(SELECT * FROM ${own} AS l LEFT JOIN ${first} AS r ON ${joinSql(equal, " AND ")} SETTINGS join_use_nulls = 1)`;
  const looked = withColumns(
    { ...table, from },
    found.map(({ shown, type, right }) => [shown, typed(type, right)] as const),
    scope,
  );
  return { looked, cellBytes: Buffer.byteLength(JSON.stringify(pieces)) };
}

function indexOf({ columns }: DataTable, table: PowerName, { name, offset }: PowerName): number {
  const index = columns.indexOf(name);
  if (index >= 0) return index;
  const what = `the table ${table.name} has no column ${name.slice(0, 100)}`;
  throw queryError(offset, what, `write one of ${columns.slice(0, 20).join(", ")}`);
}

/** Of all cells together: what is mixed is text. */
function typeOf({ rows }: DataTable, index: number): PowerSql["type"] {
  const types = new Set(rows.flatMap((row) => (row[index] === null ? [] : [typeof row[index]])));
  const [type] = types;
  return types.size === 1 && (type === "number" || type === "boolean") ? type : "text";
}

/** The texts of a column's cells, in pieces. */
function piecesOf({ rows }: DataTable, index: number): (string | null)[][] {
  const pieces: (string | null)[][] = [[]];
  let bytes = 0;
  for (const row of rows) {
    const cell = row[index] ?? null;
    const text = cell === null ? null : String(cell);
    // Quotes, a comma, and a backslash before what needs one.
    bytes += 2 * Buffer.byteLength(text ?? "NULL") + 3;
    if (bytes > maxPieceBytes) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)?.push(text);
  }
  return pieces;
}

/** What is equal becomes the same text: 5 and 5.0, but not two numbers that a Float64 cannot tell apart. */
function comparable(text: SqlFragment): SqlFragment {
  return bind([text], (value = raw("")) => {
    const number = sql`toFloat64(ifNull(${numberOf(value)}, nan)) + 0`;
    const exact = sql`arrayFirstOrNull(f -> abs(f) < 9007199254740992, [${number}])`;
    return sql`coalesce(toString(${exact}), ${value})`;
  });
}

function typed(type: PowerSql["type"], fragment: SqlFragment): PowerSql {
  if (type === "number") return { type, fragment: sql`toFloat64OrNull(${fragment})` };
  if (type === "boolean") return { type, fragment: sql`${fragment} = 'true'` };
  return { type, fragment };
}
