// Answers power queries out of a test's events.
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import { compilePowerQuery } from "../../../query/language/power-sql.ts";
import { SqlParameters } from "../../../query/language/sql-fragment.ts";
import type { QueryStore } from "./query-store.ts";

/** The time that queries say they are of: an hour from 2026-11-20. */
export const span = { begin: 1_795_132_800_000_000_000n, end: 1_795_136_400_000_000_000n };

export async function answerOf(
  store: QueryStore,
  text: string,
): Promise<{ columns: readonly string[]; rows: unknown[][] }> {
  const query = parsePowerQuery(text);
  const values: (string | null)[][] = [];
  for (;;) {
    const parameters = new SqlParameters();
    const sources = query.filters.map((filter) => store.sourceOf(filter, parameters));
    const statement = compilePowerQuery(query, { sources, parameters, ...span, values });
    const rows = await store.rowsOf(statement.query);
    if (statement.kind === "rows") return { columns: statement.columns, rows };
    values.push(rows.map(([value]) => value as string | null));
  }
}
