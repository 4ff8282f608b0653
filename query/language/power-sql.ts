// Power queries as one statement of ClickHouse: a subquery for each command.
//
// Fields are texts, taken for numbers where a number is needed. A name means the column that a
// command before gave it, or else the event's field; behind `group` and `columns` there are no fields.
import type { PowerColumn, PowerCommand, PowerQuery } from "./power-query.ts";
import type { PowerExpression } from "./power-expression.ts";
import { powerCall, powerAggregate } from "./power-call.ts";
import { asBoolean, asNumber, asText, finite, type PowerSql } from "./power-value.ts";
import { scalyrField } from "./scalyr-filter.ts";
import { fieldText } from "./sql-field.ts";
import { joinSql, raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

export interface PowerStatement {
  /** Rows of the columns in order; NULL = undefined. */
  readonly query: SqlFragment;
  readonly columns: readonly string[];
}

interface Table {
  readonly from: SqlFragment;
  /** Columns by name, of which each is an identifier of ours. */
  readonly columns: ReadonlyMap<string, PowerSql>;
  /** Whether the fields of events are there, too. */
  readonly hasFields: boolean;
}

const eventColumns = raw("time, prefix0, prefix1, prefix2, message, attributes");

/**
 * Compiles the commands of a query.
 * @param source of events: `events PREWHERE …`, the query's filter included
 * @throws LogboomError BAD_REQUEST for a function that is none
 */
export function compilePowerQuery(
  { commands }: PowerQuery,
  source: SqlFragment,
  parameters: SqlParameters,
): PowerStatement {
  let table: Table = {
    from: sql`(SELECT ${eventColumns} FROM ${source})`,
    columns: new Map(),
    hasFields: true,
  };
  let count = 0;
  const names = () => raw(`c${String((count += 1))}`);
  for (const command of commands) table = apply(command, table, { parameters, names });
  const shown = table.hasFields ? withDefaults(table, parameters) : [...table.columns];
  const list = joinSql(
    shown.map(([, { type, fragment }]) =>
      type === "boolean" ? sql`CAST(${fragment}, 'Nullable(Bool)')` : fragment,
    ),
    ", ",
  );
  return { query: sql`SELECT ${list} FROM ${table.from}`, columns: shown.map(([name]) => name) };
}

interface Tools {
  readonly parameters: SqlParameters;
  readonly names: () => SqlFragment;
}

/** What is shown of events that no command made a table of. */
function withDefaults(table: Table, parameters: SqlParameters): [string, PowerSql][] {
  const defaults = ["timestamp", "message"].filter((name) => !table.columns.has(name));
  return [
    ...defaults.map((name): [string, PowerSql] => [
      name,
      compileExpression({ kind: "name", name }, table, parameters),
    ]),
    ...table.columns,
  ];
}

function apply(command: PowerCommand, table: Table, tools: Tools): Table {
  const { parameters } = tools;
  const compile = (expression: PowerExpression) => compileExpression(expression, table, parameters);
  switch (command.kind) {
    case "filter": {
      const condition = asBoolean(compile(command.condition));
      return { ...table, from: sql`(SELECT * FROM ${table.from} WHERE ifNull(${condition}, 0))` };
    }
    case "let": {
      // A column may use those before it.
      return command.columns.reduce<Table>((inner, { name, expression }) => {
        const value = compileExpression(expression, inner, parameters);
        return extend(inner, [[name, value]], tools);
      }, table);
    }
    case "columns": {
      const added = command.columns.map(({ name, expression }): [string, PowerSql] => [
        name,
        compile(expression),
      ]);
      const extended = extend(table, added, tools);
      const kept = new Map(
        command.columns.map(({ name }) => [name, extended.columns.get(name) as PowerSql]),
      );
      return { ...extended, columns: kept, hasFields: false };
    }
    case "group":
      return group(command.columns, command.by, table, tools);
    case "sort": {
      const keys = command.keys.flatMap(({ expression, isDescending }) => {
        const value = compile(expression);
        const order = raw(isDescending ? " DESC NULLS LAST" : " ASC NULLS LAST");
        const number = sql`${asNumber(value)}${order}`;
        return value.type === "text" ? [number, sql`${value.fragment}${order}`] : [number];
      });
      return { ...table, from: sql`(SELECT * FROM ${table.from} ORDER BY ${joinSql(keys, ", ")})` };
    }
    case "limit":
      return {
        ...table,
        from: sql`(SELECT * FROM ${table.from} LIMIT ${raw(String(command.count))})`,
      };
    case "parse": {
      const text = asText(compile(command.from));
      const regex = parameters.string(command.regex.text);
      const groups = tools.names();
      const from = sql`(SELECT *, extractGroups(assumeNotNull(ifNull(${text}, '')), ${regex}) AS ${groups} FROM ${table.from})`;
      const columns = command.names.map((name, index): [string, PowerSql] => {
        const fragment = sql`nullIf(${groups}[${raw(String(index + 1))}], '')`;
        return [name, { type: "text", fragment }];
      });
      return extend({ ...table, from }, columns, tools);
    }
  }
}

function extend(
  table: Table,
  added: readonly (readonly [string, PowerSql])[],
  { names }: Tools,
): Table {
  const columns = new Map(table.columns);
  const selected = added.map(([name, { type, fragment }]) => {
    const column = names();
    columns.set(name, { type, fragment: column });
    return sql`${fragment} AS ${column}`;
  });
  const from = sql`(SELECT *, ${joinSql(selected, ", ")} FROM ${table.from})`;
  return { ...table, columns, from };
}

function group(
  columns: readonly PowerColumn[],
  by: readonly PowerColumn[],
  table: Table,
  { parameters, names }: Tools,
): Table {
  const keys = by.map(({ name, expression }) => ({
    name,
    column: names(),
    value: compileExpression(expression, table, parameters),
  }));
  const values = columns.map(({ name, expression }) => ({
    name,
    column: names(),
    value: powerAggregate(expression, table.hasFields, (operand) =>
      compileExpression(operand, table, parameters),
    ),
  }));
  const all = [...keys, ...values];
  const selected = joinSql(
    all.map(({ column, value }) => sql`${value.fragment} AS ${column}`),
    ", ",
  );
  const grouped =
    keys.length === 0
      ? raw("")
      : sql` GROUP BY ${joinSql(
          keys.map(({ column }) => column),
          ", ",
        )}`;
  return {
    from: sql`(SELECT ${selected} FROM ${table.from}${grouped})`,
    columns: new Map(
      all.map(({ name, column, value }) => [name, { type: value.type, fragment: column }]),
    ),
    hasFields: false,
  };
}

function compileExpression(
  expression: PowerExpression,
  table: Table,
  parameters: SqlParameters,
): PowerSql {
  const compile = (inner: PowerExpression) => compileExpression(inner, table, parameters);
  switch (expression.kind) {
    case "text":
      return { type: "text", fragment: sql`toNullable(${parameters.string(expression.text)})` };
    case "number":
      return { type: "number", fragment: sql`toNullable(${parameters.float(expression.value)})` };
    case "boolean":
      return {
        type: "boolean",
        fragment: raw(expression.value ? "toNullable(true)" : "toNullable(false)"),
      };
    case "null":
      return { type: "text", fragment: raw("CAST(NULL, 'Nullable(String)')") };
    case "name": {
      const column = table.columns.get(expression.name);
      if (column !== undefined) return column;
      if (!table.hasFields)
        return { type: "text", fragment: raw("CAST(NULL, 'Nullable(String)')") };
      const text = fieldText(scalyrField(expression.name), { parameters, message: raw("message") });
      return { type: "text", fragment: sql`CAST(${text}, 'Nullable(String)')` };
    }
    case "minus":
      return { type: "number", fragment: sql`negate(${asNumber(compile(expression.operand))})` };
    case "not":
      return {
        type: "boolean",
        fragment: sql`NOT ifNull(${asBoolean(compile(expression.operand))}, false)`,
      };
    case "binary":
      return compileBinary(
        expression.operator,
        compile(expression.left),
        compile(expression.right),
      );
    case "if": {
      const [yes, no] = [compile(expression.yes), compile(expression.no)];
      const type = yes.type === no.type ? yes.type : "text";
      const cast = type === "text" ? asText : type === "number" ? asNumber : asBoolean;
      const condition = sql`ifNull(${asBoolean(compile(expression.condition))}, false)`;
      return { type, fragment: sql`if(${condition}, ${cast(yes)}, ${cast(no)})` };
    }
    case "contains": {
      const text = parameters.string(expression.text.toLowerCase());
      const held = asText(compile(expression.operand));
      return {
        type: "boolean",
        fragment: sql`ifNull(position(lowerUTF8(${held}), ${text}) > 0, false)`,
      };
    }
    case "matches": {
      const regex = parameters.string(`(?:${expression.regex.text})|[^\\s\\S]`);
      const text = asText(compile(expression.operand));
      return { type: "boolean", fragment: sql`ifNull(match(${text}, ${regex}), false)` };
    }
    case "call":
      return powerCall(expression, compile);
  }
}

function compileBinary(operator: string, left: PowerSql, right: PowerSql): PowerSql {
  const symbol = raw(operator);
  if (operator === "and" || operator === "or") {
    const sides = [left, right].map((side) => sql`ifNull(${asBoolean(side)}, false)`);
    return {
      type: "boolean",
      fragment: sql`(${joinSql(sides, operator === "and" ? " AND " : " OR ")})`,
    };
  }
  const [a, b] = [asNumber(left), asNumber(right)];
  const areTexts = left.type === "text" && right.type === "text";
  if ("<=>=!=".includes(operator)) {
    const texts = sql`${asText(left)} ${symbol} ${asText(right)}`;
    const numbers = sql`${a} ${symbol} ${b}`;
    // Two texts are compared as numbers if both are some.
    const compared = areTexts
      ? sql`if(isNotNull(${a}) AND isNotNull(${b}), ${numbers}, ${texts})`
      : left.type === "number" || right.type === "number"
        ? numbers
        : texts;
    // Undefined equals nothing.
    return {
      type: "boolean",
      fragment: sql`ifNull(${compared}, ${raw(operator === "!=" ? "true" : "false")})`,
    };
  }
  if (operator === "+" && areTexts) {
    const joined = sql`concat(${asText(left)}, ${asText(right)})`;
    const sum = sql`toString(${a} + ${b})`;
    return {
      type: "text",
      fragment: sql`if(isNotNull(${a}) AND isNotNull(${b}), ${sum}, ${joined})`,
    };
  }
  return { type: "number", fragment: finite(sql`${a} ${symbol} ${b}`) };
}
