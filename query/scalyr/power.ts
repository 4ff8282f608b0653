// Scalyr's power queries: tables that one statement makes of the events.
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import { makeQuestion, type Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField } from "../exchange/json-body.ts";
import { parsePowerQuery } from "../language/power-query.ts";
import {
  compilePowerQuery,
  defaultRows,
  maxRows,
  type PowerStatement,
} from "../language/power-sql.ts";
import { SqlParameters, type SqlFragment } from "../language/sql-fragment.ts";
import { questionOf, readText, type ScalyrRequest } from "./request.ts";

type Rows = Extract<PowerStatement, { kind: "rows" }>;

/** `/api/powerQuery` */
export async function queryPower(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const text = readText(fields, "query");
  if (text === undefined) throw badField("query", undefined, "a power query");
  const query = parsePowerQuery(text);
  const scope = questionOf(principal, fields, "dayToNow", { kind: "always" });
  // Where one statement fails, the others are for nothing.
  const stop = new AbortController();
  const asking = { ...exchange, signal: AbortSignal.any([exchange.signal, stop.signal]) };
  const ask = async (
    values: readonly (readonly (string | null)[])[],
    pick: (statement: PowerStatement) => SqlFragment,
  ): Promise<{ statement: PowerStatement; rows: readonly (readonly unknown[])[] }> => {
    const parameters = new SqlParameters();
    const questions = query.filters.map((predicate) =>
      makeQuestion({ ...scope, predicate }, parameters),
    );
    let statement: PowerStatement | undefined;
    const rows = await engine.table(
      questions as [Question, ...Question[]],
      (sources) =>
        pick((statement = compilePowerQuery(query, { ...scope, sources, parameters, values }))),
      asking,
    );
    if (statement === undefined) throw new TypeError("a table without a statement");
    return { statement, rows };
  };
  const values: (string | null)[][] = [];
  const makeTable = async (): Promise<{
    statement: Rows;
    rows: readonly (readonly unknown[])[];
  }> => {
    for (;;) {
      const { statement, rows } = await ask(values, ({ query }) => query);
      if (statement.kind === "rows") return { statement, rows };
      values.push(rows.map(([value]) => value as string | null));
    }
  };
  const counts = query.filters.map(async (predicate) => {
    const { count } = await engine.count(makeQuestion({ ...scope, predicate }), asking);
    return count;
  });
  const [{ statement, rows }, ...matching] = await Promise.all([makeTable(), ...counts]).catch(
    (error: unknown) => {
      stop.abort(new Error("a part of the answer failed"));
      throw error;
    },
  );
  if (rows.length > maxRows) {
    throw new LogboomError(
      "TOO_LARGE",
      `the table has more than ${maxRows} rows; add "| limit ${maxRows}", or group by less`,
      { details: { limit: maxRows } },
    );
  }
  const { columns, count } = statement;
  const isCut = count !== undefined && rows.length === defaultRows;
  const [[all] = []] = isCut ? (await ask(values, () => count)).rows : [[rows.length]];
  return {
    json: {
      status: "success",
      matchingEvents: matching.reduce((sum, count) => sum + count, 0),
      omittedEvents: Math.max(0, Number(all) - rows.length),
      columns: columns.map((name) => ({ name })),
      values: rows,
    },
  };
}
