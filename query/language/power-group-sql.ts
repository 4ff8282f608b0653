// `group` of power queries: functions of a group's rows, and expressions of such functions.
import { isAggregate, powerAggregate } from "./power-aggregate.ts";
import { compileExpression } from "./power-expression-sql.ts";
import type { PowerExpression } from "./power-expression.ts";
import type { PowerCommand } from "./power-query.ts";
import { withColumns, type PowerScope, type PowerTable } from "./power-table.ts";
import { orderOf, type PowerSql } from "./power-value.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

type Group = Extract<PowerCommand, { kind: "group" }>;

/** A row for each combination of keys, in their order. */
export function groupTable(
  { columns, by }: Group,
  table: PowerTable,
  scope: PowerScope,
): PowerTable {
  const compile = (expression: PowerExpression): PowerSql =>
    compileExpression(expression, table, scope);
  const selected: SqlFragment[] = [];
  const add = ({ type, fragment }: PowerSql): PowerSql => {
    const column = scope.nextName();
    selected.push(sql`${fragment} AS ${column}`);
    return { type, fragment: column };
  };
  const keys = by.map(({ name, expression }) => [name, add(compile(expression))] as const);
  const names = keys.map(([, { fragment }]) => fragment);
  // Each function is a column under a name that nobody can write; what is asked for is computed from these.
  const made = new Map<string, PowerSql>();
  const figures = columns.map(({ name, expression }) => {
    const ofColumns = replaceCalls(expression, (call) => {
      const column = `\0${String(made.size)}`;
      made.set(column, add(powerAggregate(call, table.hasFields, compile)));
      return { kind: "name", name: column, offset: call.offset };
    });
    return { name, expression: ofColumns };
  });
  const grouped = names.length === 0 ? raw("") : sql` GROUP BY ${joinSql(names, ", ")}`;
  const from =
    selected.length === 0
      ? sql`(SELECT 1 AS ${scope.nextName()} FROM ${table.from} LIMIT 1)`
      : sql`(SELECT ${joinSql(selected, ", ")} FROM ${table.from}${grouped})`;
  const inner: PowerTable = {
    from,
    columns: made,
    qualified: new Map(),
    hasFields: false,
    isLimited: true,
    order: keys.flatMap(([, value]) => orderOf(value)),
  };
  const values = figures.map(
    ({ name, expression }) => [name, compileExpression(expression, inner, scope)] as const,
  );
  const ofKeys = by.map(({ name, expression: { kind, ...rest } }) => {
    const isTime = kind === "call" && "name" in rest && rest.name === "timebucket";
    return [name, { isTime }] as const;
  });
  const keyed = { ...inner, columns: new Map(keys), keys: new Map(ofKeys) };
  return withColumns(keyed, values, scope);
}

type Call = Extract<PowerExpression, { kind: "call" }>;

/** The expression with something else in place of each function of rows. */
function replaceCalls(
  expression: PowerExpression,
  replace: (call: Call) => PowerExpression,
): PowerExpression {
  const inside = (inner: PowerExpression): PowerExpression => replaceCalls(inner, replace);
  switch (expression.kind) {
    case "call":
      if (isAggregate(expression)) return replace(expression);
      return { ...expression, operands: expression.operands.map(inside) };
    case "binary":
      return { ...expression, left: inside(expression.left), right: inside(expression.right) };
    case "if":
      return {
        kind: "if",
        condition: inside(expression.condition),
        yes: inside(expression.yes),
        no: inside(expression.no),
      };
    case "minus":
    case "not":
    case "exists":
    case "contains":
    case "in":
    case "matches":
      return { ...expression, operand: inside(expression.operand) };
    default:
      return expression;
  }
}
