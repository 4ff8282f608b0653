// What the commands of a power query have made so far: a table, as a subquery of ClickHouse.
import type { PowerSql } from "./power-value.ts";
import { joinSql, raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

/** What a column is to `compare`: what rows are matched by, a time among that, what is compared, or none of these. */
export type PowerRole = "key" | "time" | "figure" | "other";

export interface PowerTable {
  readonly from: SqlFragment;
  /** Columns by name; each is an identifier of ours, or an expression of such. */
  readonly columns: ReadonlyMap<string, PowerSql>;
  /** Columns that may also be named with the name of their subquery in front. */
  readonly qualified: ReadonlyMap<string, string>;
  /** Whether the rows are events, whose fields are there, too. */
  readonly hasFields: boolean;
  /** Terms of ORDER BY on what `from` selects; applied where it matters. */
  readonly order: readonly SqlFragment[];
  /** The columns that name a row, and whether they are times; absent where none does. */
  readonly keys?: ReadonlyMap<string, { readonly isTime: boolean }> | undefined;
  /** Whether a command has said how many rows there may be. */
  readonly isLimited: boolean;
}

/** What all of a query has in common. */
export interface PowerScope {
  readonly parameters: SqlParameters;
  /** The time asked for, ns since 1970. */
  readonly begin: bigint;
  readonly end: bigint;
  /** A new identifier. */
  readonly nextName: () => SqlFragment;
}

/** The table with further columns, which may replace others of their name. */
export function withColumns(
  table: PowerTable,
  added: readonly (readonly [string, PowerSql])[],
  { nextName }: PowerScope,
): PowerTable {
  const columns = new Map(table.columns);
  const selected = added.map(([name, { type, fragment }]) => {
    const column = nextName();
    columns.set(name, { type, fragment: column });
    return sql`${fragment} AS ${column}`;
  });
  const from = sql`(SELECT *, ${joinSql(selected, ", ")} FROM ${table.from})`;
  return { ...table, columns, from };
}

/** ` ORDER BY …`, if there is an order. */
export function orderBy({ order }: PowerTable): SqlFragment {
  return order.length === 0 ? raw("") : sql` ORDER BY ${joinSql(order, ", ")}`;
}
