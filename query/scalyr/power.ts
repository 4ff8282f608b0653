// Scalyr's power queries: tables that one statement makes of the events.
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import { makeQuestion, type Asking, type Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField } from "../exchange/json-body.ts";
import { compareTables } from "../language/power-compare.ts";
import { parsePowerQuery, type PowerQuery } from "../language/power-query.ts";
import {
  compilePowerQuery,
  defaultRows,
  maxRows,
  type PowerOptions,
  type PowerStatement,
} from "../language/power-sql.ts";
import { queryError } from "../language/query-cursor.ts";
import { SqlParameters, type SqlFragment } from "../language/sql-fragment.ts";
import type { Records } from "../records.ts";
import { dataTables } from "./data-tables.ts";
import { questionOf, readText, type ScalyrRequest } from "./request.ts";

type Rows = Extract<PowerStatement, { kind: "rows" }>;
type Cells = readonly (readonly unknown[])[];

/** `/api/powerQuery` */
export async function queryPower(
  engine: Engine,
  records: Records,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const text = readText(fields, "query");
  if (text === undefined) throw badField("query", undefined, "a power query");
  const query = parsePowerQuery(text);
  const { comparison } = query;
  const scope = questionOf(principal, fields, "dayToNow", { kind: "always" });
  const tableOf = dataTables(records, principal.customer);
  // Where one statement fails, the others are for nothing.
  const stop = new AbortController();
  const asking = { ...exchange, signal: AbortSignal.any([exchange.signal, stop.signal]) };
  const shiftNs = comparison?.shiftOf(scope) ?? 0n;
  const [table, other, ...matching] = await Promise.all([
    makeTable(engine, query, scope, tableOf, asking),
    comparison && makeTable(engine, query, shifted(scope, shiftNs), tableOf, asking),
    ...query.filters.map(async (predicate) => {
      const { count } = await engine.count(makeQuestion({ ...scope, predicate }), asking);
      return count;
    }),
  ]).catch((error: unknown) => {
    stop.abort(new Error("a part of the answer failed"));
    throw error;
  });
  const { columns, rows } =
    comparison === undefined || other === undefined
      ? table
      : compareTables(table, other, comparison.name, shiftNs);
  return {
    json: {
      status: "success",
      matchingEvents: matching.reduce((sum, count) => sum + count, 0),
      omittedEvents: table.omitted,
      columns: columns.map((name) => ({ name })),
      values: rows,
    },
  };
}

/** As long, and so much later. */
function shifted(scope: Question, shiftNs: bigint): Question {
  const [begin, end] = [scope.begin + shiftNs, scope.end + shiftNs];
  return { ...scope, begin: begin < 0n ? 0n : begin, end: end < 0n ? 0n : end };
}

interface PowerAnswer extends Pick<Rows, "columns" | "roles"> {
  readonly rows: Cells;
  /** Rows that are not among those. */
  readonly omitted: number;
}

/** @throws LogboomError TOO_LARGE for a table with too many rows */
async function makeTable(
  engine: Engine,
  query: PowerQuery,
  scope: Question,
  tableOf: PowerOptions["tableOf"],
  asking: Asking,
): Promise<PowerAnswer> {
  const values: (string | null)[][] = [];
  const ask = async (
    pick: (statement: PowerStatement) => SqlFragment,
  ): Promise<{ statement: PowerStatement; rows: Cells }> => {
    const parameters = new SqlParameters();
    const questions = query.filters.map((predicate) =>
      makeQuestion({ ...scope, predicate }, parameters),
    );
    let statement: PowerStatement | undefined;
    const rows = await engine.table(
      questions as [Question, ...Question[]],
      (sources) =>
        pick(
          (statement = compilePowerQuery(query, {
            ...scope,
            sources,
            parameters,
            values,
            tableOf,
          })),
        ),
      asking,
    );
    if (statement === undefined) throw new TypeError("a table without a statement");
    return { statement, rows };
  };
  for (;;) {
    const { statement, rows } = await ask(({ query: sql }) => sql);
    if (statement.kind === "values") {
      values.push(rows.map(([value]) => value as string | null));
      continue;
    }
    const { columns, roles, isKeyed, count } = statement;
    if (query.comparison !== undefined && !isKeyed) {
      const what = "compare of rows that no columns name";
      throw queryError(query.comparison.offset, what, "write it behind group");
    }
    if (rows.length > maxRows) {
      throw new LogboomError(
        "TOO_LARGE",
        `the table has more than ${maxRows} rows; add "| limit ${maxRows}", or group by less`,
        { details: { limit: maxRows } },
      );
    }
    const isCut = count !== undefined && rows.length === defaultRows;
    const [[all] = []] = isCut ? (await ask(() => count)).rows : [[rows.length]];
    return { columns, roles, rows, omitted: Math.max(0, Number(all) - rows.length) };
  }
}
