// Answers power queries out of a test's events.
import type { StoreClient } from "../../../consumers/store/client.ts";
import { compilePredicateSearch } from "../../../query/language/predicate-search.ts";
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import { compilePowerQuery, type PowerOptions } from "../../../query/language/power-sql.ts";
import type { Predicate } from "../../../query/language/predicate.ts";
import { raw, sql, SqlParameters, type SqlFragment } from "../../../query/language/sql-fragment.ts";
import type { QueryStore } from "./query-store.ts";

/** The time that queries say they are of: an hour from 2026-11-20. */
export const span = { begin: 1_795_132_800_000_000_000n, end: 1_795_136_400_000_000_000n };

export interface Answer {
  readonly columns: readonly string[];
  readonly rows: unknown[][];
}

export function answerOf(
  store: QueryStore,
  text: string,
  tableOf?: PowerOptions["tableOf"],
): Promise<Answer> {
  return answer(
    text,
    (filter, parameters) => store.sourceOf(filter, parameters),
    (query) => store.rowsOf(query),
    tableOf,
  );
}

/** The same of a table that a client reaches. */
export function answerWith(client: StoreClient, table: string, text: string): Promise<Answer> {
  return answer(
    text,
    (filter, parameters) => {
      const { where } = compilePredicateSearch(filter, { parameters });
      return where === undefined ? raw(table) : sql`${raw(table)} PREWHERE ${where}`;
    },
    async ({ text, params }) => {
      const asked = { query: text, query_params: params, format: "JSONCompactEachRow" } as const;
      return (await client.query(asked)).json<unknown[]>();
    },
  );
}

async function answer(
  text: string,
  sourceOf: (filter: Predicate, parameters: SqlParameters) => SqlFragment,
  rowsOf: (query: SqlFragment) => Promise<unknown[][]>,
  tableOf?: PowerOptions["tableOf"],
): Promise<Answer> {
  const query = parsePowerQuery(text);
  const values: (string | null)[][] = [];
  for (;;) {
    const parameters = new SqlParameters();
    const sources = query.filters.map((filter) => sourceOf(filter, parameters));
    const statement = compilePowerQuery(query, {
      sources,
      parameters,
      ...span,
      values,
      tableOf,
    });
    const rows = await rowsOf(statement.query);
    if (statement.kind === "rows") return { columns: statement.columns, rows };
    values.push(rows.map(([value]) => value as string | null));
  }
}
