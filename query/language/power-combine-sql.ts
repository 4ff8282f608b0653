// Tables of power queries made of others: joins, unions, and rows that become columns.
import { LogboomError } from "../../schemas/errors.ts";
import type { PowerCommand, PowerJoinKey, PowerSource, PowerSubquery } from "./power-query.ts";
import { compileExpression } from "./power-expression-sql.ts";
import type { PowerName } from "./power-name.ts";
import { orderBy, withColumns, type PowerScope, type PowerTable } from "./power-table.ts";
import { asText, orderOf, undefinedText, type PowerSql } from "./power-value.ts";
import { toNumber } from "./numeric-text.ts";
import { queryError } from "./query-cursor.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

/** A subquery's table with the columns that it shows, each an identifier, and no fields. */
export interface NamedTable extends Pick<PowerSubquery, "name" | "offset"> {
  readonly table: PowerTable;
}

type Join = Extract<PowerSource, { kind: "join" }>;
const joinWord: Readonly<Record<Join["mode"], string>> = {
  inner: "INNER JOIN",
  left: "LEFT JOIN",
  outer: "FULL OUTER JOIN",
};

/**
 * A row for each combination of rows with equal keys, of the tables behind with only the first row of a key unless `isSql`.
 * Keys are compared as texts where their types differ.
 */
export function joinTables(
  parts: readonly NamedTable[],
  { on, mode, isSql }: Pick<Join, "on" | "mode" | "isSql">,
  scope: PowerScope,
): PowerTable {
  const keys = on.map(({ offset, columns }) =>
    parts.map(({ table }, index) =>
      compileExpression({ kind: "name", name: columns[index] ?? "", offset }, table, scope),
    ),
  );
  const prepared = parts.map(({ table }, part): Prepared => {
    const named = keys.map((values): readonly [SqlFragment, SqlFragment] => [
      scope.nextName(),
      values.every(({ type }) => type === values[0]?.type)
        ? (values[part] as PowerSql).fragment
        : asText(values[part] as PowerSql),
    ]);
    const selected = [
      ...[...table.columns.values()].map(({ fragment }) => fragment),
      ...named.map(([name, value]) => sql`${value} AS ${name}`),
    ];
    const names = named.map(([name]) => name);
    // Of a key's rows the first one, in the order of the table.
    const first =
      isSql || part === 0 ? raw("") : sql`${orderBy(table)} LIMIT 1 BY ${joinSql(names, ", ")}`;
    return {
      from: sql`(SELECT ${joinSql(selected, ", ")} FROM ${table.from}${first})`,
      keys: names,
      columns: [...table.columns.values()],
    };
  });
  const [first, ...others] = prepared;
  if (first === undefined) throw new TypeError("a join of nothing");
  let joined = first;
  for (const other of others) joined = joinTwo(joined, other, { mode, isSql }, scope);
  const columns = new Map<string, PowerSql>();
  for (const [index, { name }] of on.entries()) {
    const types = (keys[index] ?? []).map(({ type }) => type);
    const type = types.every((one) => one === types[0]) ? (types[0] ?? "text") : "text";
    columns.set(name, { type, fragment: joined.keys[index] as SqlFragment });
  }
  const qualified = nameColumns(parts, on, columns);
  const order = [...columns.values()].slice(0, on.length).flatMap((key) => orderOf(key));
  const rest = [...columns.values()].slice(on.length).flatMap((value) => orderOf(value));
  return {
    from: joined.from,
    columns,
    qualified,
    // With all combinations of rows, equal keys are of several.
    keys: isSql ? undefined : new Map(on.map((key) => [key.name, isTimeOf(parts, key)])),
    hasFields: false,
    isLimited: true,
    order: [...order, ...rest],
  };
}

function isTimeOf(parts: readonly NamedTable[], { columns }: PowerJoinKey): { isTime: boolean } {
  return { isTime: parts[0]?.table.keys?.get(columns[0] ?? "")?.isTime ?? false };
}

interface Prepared {
  readonly from: SqlFragment;
  readonly keys: readonly SqlFragment[];
  readonly columns: readonly PowerSql[];
}

function joinTwo(
  left: Prepared,
  right: Prepared,
  { mode, isSql }: Pick<Join, "mode" | "isSql">,
  { nextName }: PowerScope,
): Prepared {
  const equals = raw(isSql ? "=" : "<=>");
  const conditions = left.keys.map(
    (key, index) => sql`${key} ${equals} ${right.keys[index] as SqlFragment}`,
  );
  const keys = left.keys.map(() => nextName());
  const merged = keys.map(
    (name, index) =>
      sql`coalesce(${left.keys[index] as SqlFragment}, ${right.keys[index] as SqlFragment}) AS ${name}`,
  );
  const columns = [...left.columns, ...right.columns];
  const selected = joinSql([...columns.map(({ fragment }) => fragment), ...merged], ", ");
  const both = sql`${left.from} AS l ${raw(joinWord[mode])} ${right.from} AS r`;
  return {
    from: sql`(SELECT ${selected} FROM ${both} ON ${joinSql(conditions, " AND ")} SETTINGS join_use_nulls = 1)`,
    keys,
    columns,
  };
}

/** Adds all columns but the keys; what several subqueries have bears the subquery's name in front. */
function nameColumns(
  parts: readonly NamedTable[],
  on: readonly PowerJoinKey[],
  columns: Map<string, PowerSql>,
): Map<string, string> {
  const qualified = new Map<string, string>();
  const others = parts.map(({ table }, part) =>
    [...table.columns].filter(([name]) => !on.some((key) => key.columns[part] === name)),
  );
  const counts = new Map<string, number>();
  for (const [name] of others.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [part, { name: own, offset }] of parts.entries()) {
    for (const { columns: compared, name } of on) {
      if (own !== "") qualified.set(`${own}.${compared[part] ?? ""}`, name);
    }
    for (const [name, value] of others[part] ?? []) {
      const isShared = (counts.get(name) ?? 0) > 1 || columns.has(name);
      if (isShared && own === "") {
        throw queryError(offset, `several subqueries have the column ${name}`, `write name = (…)`);
      }
      const shown = isShared ? `${own}.${name}` : name;
      columns.set(shown, value);
      if (own !== "" && !isShared) qualified.set(`${own}.${name}`, shown);
    }
  }
  return qualified;
}

/** The rows of all, by the names of their columns; in the order of the queries, then of the columns. */
export function uniteTables(parts: readonly NamedTable[], { nextName }: PowerScope): PowerTable {
  const types = new Map<string, PowerSql["type"]>();
  for (const { table } of parts) {
    for (const [name, { type }] of table.columns) {
      types.set(name, (types.get(name) ?? type) === type ? type : "text");
    }
  }
  const ordinal = nextName();
  const columns = new Map(
    [...types].map(([name, type]): [string, PowerSql] => [name, { type, fragment: nextName() }]),
  );
  const selects = parts.map(({ table }, index) => {
    const values = [...columns].map(([name, { type, fragment }]) => {
      const value = table.columns.get(name) ?? undefinedOf(type);
      return sql`${type === "text" ? asText(value) : value.fragment} AS ${fragment}`;
    });
    return sql`SELECT ${raw(String(index))} AS ${ordinal}, ${joinSql(values, ", ")} FROM ${table.from}`;
  });
  const from = selects.reduce((all, each) => sql`${all} UNION ALL ${each}`);
  return {
    from: sql`(${from})`,
    columns,
    qualified: new Map(),
    hasFields: false,
    isLimited: true,
    order: [ordinal, ...[...columns.values()].flatMap((value) => orderOf(value))],
  };
}

function undefinedOf(type: PowerSql["type"]): PowerSql {
  if (type === "text") return undefinedText;
  return {
    type,
    fragment: raw(
      type === "number" ? "CAST(NULL, 'Nullable(Float64)')" : "CAST(NULL, 'Nullable(Bool)')",
    ),
  };
}

type Transpose = Extract<PowerCommand, { kind: "transpose" }>;

/** What a column that becomes columns is without. */
const nothing = "null";
const mostColumns = 100;

/** The texts of the column that becomes columns: rows of one column. */
export function transposedValues(
  table: PowerTable,
  { column }: Transpose,
  scope: PowerScope,
): SqlFragment {
  const value = asText(columnOf(table, column, scope));
  return sql`SELECT DISTINCT ${value} FROM ${table.from} LIMIT ${raw(String(mostColumns + 1))}`;
}

/**
 * A row for each combination of the columns `on`; without them, one. Of several values for one place the least.
 * @param values of {@link transposedValues}
 */
export function transposeTable(
  given: PowerTable,
  { column, on }: Transpose,
  values: readonly (string | null)[],
  scope: PowerScope,
): PowerTable {
  if (values.length > mostColumns) {
    throw new LogboomError(
      "TOO_LARGE",
      `"${column.name}" has more than ${String(mostColumns)} values, at offset ${String(column.offset)}; filter it, or group by less`,
      { details: { offset: column.offset, limit: mostColumns } },
    );
  }
  const keys = on.map((name): [string, PowerSql] => [name.name, columnOf(given, name, scope)]);
  const spread = columnOf(given, column, scope);
  const rest = [...given.columns].filter(
    ([name]) => name !== column.name && !keys.some(([key]) => key === name),
  );
  const [text, label] = [scope.nextName(), scope.nextName()];
  const from = sql`(SELECT *, ${asText(spread)} AS ${text}, ifNull(${text}, '') AS ${label} FROM ${given.from})`;
  const columns = new Map<string, PowerSql>();
  const selected: SqlFragment[] = [];
  const add = (name: string, type: PowerSql["type"], value: SqlFragment): SqlFragment => {
    const fragment = scope.nextName();
    columns.set(name, { type, fragment });
    selected.push(sql`${value} AS ${fragment}`);
    return fragment;
  };
  const by = keys.map(([name, { type, fragment }]) => add(name, type, fragment));
  for (const value of inOrder(values)) {
    const isHere =
      value === null
        ? sql`isNull(${text})`
        : sql`isNotNull(${text}) AND ${label} = ${scope.parameters.string(value)}`;
    for (const [name, { type, fragment }] of rest) {
      const shown = value ?? nothing;
      const least = sql`minOrNullIf(${fragment}, ${isHere})`;
      add(rest.length === 1 ? shown : `${shown} ${name}`, type, least);
    }
  }
  if (selected.length === 0) add(column.name, "text", raw("CAST(NULL, 'Nullable(String)')"));
  const grouped = by.length === 0 ? raw("") : sql` GROUP BY ${joinSql(by, ", ")}`;
  return {
    from: sql`(SELECT ${joinSql(selected, ", ")} FROM ${from}${grouped})`,
    columns,
    qualified: new Map(),
    keys: new Map(keys.map(([name]) => [name, { isTime: given.keys?.get(name)?.isTime ?? false }])),
    hasFields: false,
    isLimited: true,
    order: [...columns.values()].slice(0, by.length).flatMap((key) => orderOf(key)),
  };
}

function columnOf(table: PowerTable, { name, offset }: PowerName, scope: PowerScope): PowerSql {
  return compileExpression({ kind: "name", name, offset }, { ...table, hasFields: false }, scope);
}

/** Numbers, then other texts, then what is missing. */
function inOrder(values: readonly (string | null)[]): (string | null)[] {
  const numberOf = (value: string): number => toNumber(value) ?? Infinity;
  return [...values].sort((a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x !== y) return x < y ? -1 : 1;
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  });
}

/** The table with nothing but the columns that it shows. */
export function shownOnly(
  table: PowerTable,
  shown: readonly (readonly [string, PowerSql])[],
  scope: PowerScope,
): PowerTable {
  const extended = withColumns({ ...table, columns: new Map() }, shown, scope);
  return { ...extended, hasFields: false, qualified: new Map() };
}
