// The expressions of power queries in SQL.
//
// Fields are texts, taken for numbers where a number is needed. A name means the column that a command before gave
// it, or else the event's field; behind `group` and `columns` there are no fields.
import type { PowerExpression, PowerOperator } from "./power-expression.ts";
import { powerCall } from "./power-call.ts";
import type { PowerScope, PowerTable } from "./power-table.ts";
import { queryTime, timeBucket } from "./power-time.ts";
import {
  asBoolean,
  asNumber,
  asText,
  bind,
  finite,
  undefinedText,
  type PowerSql,
} from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { scalyrField } from "./scalyr-filter.ts";
import { fieldText } from "./sql-field.ts";
import { toNumber } from "./numeric-text.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

/** @throws LogboomError BAD_REQUEST for a name or a function that is none */
export function compileExpression(
  expression: PowerExpression,
  table: PowerTable,
  scope: PowerScope,
): PowerSql {
  const { parameters } = scope;
  const compile = (inner: PowerExpression): PowerSql => compileExpression(inner, table, scope);
  switch (expression.kind) {
    case "text":
      return { type: "text", fragment: sql`toNullable(${parameters.string(expression.text)})` };
    case "number":
      return { type: "number", fragment: sql`toNullable(${parameters.float(expression.value)})` };
    case "boolean":
      return boolean(raw(expression.value ? "true" : "false"));
    case "null":
      return undefinedText;
    case "name":
      return compileName(expression.name, expression.offset, table, scope);
    case "exists":
      return boolean(sql`isNotNull(${compile(expression.operand).fragment})`);
    case "minus":
      return { type: "number", fragment: sql`(0 - ${asNumber(compile(expression.operand))})` };
    case "not":
      return boolean(sql`NOT ${isTrue(compile(expression.operand))}`);
    case "binary":
      return compileBinary(expression, compile);
    case "if": {
      const [yes, no] = [compile(expression.yes), compile(expression.no)];
      const isNull = [expression.yes.kind, expression.no.kind].map((kind) => kind === "null");
      const type = isNull[0] || yes.type === no.type ? no.type : isNull[1] ? yes.type : "text";
      const cast = { text: asText, number: asNumber, boolean: asBoolean }[type];
      const condition = isTrue(compile(expression.condition));
      return { type, fragment: sql`if(${condition}, ${cast(yes)}, ${cast(no)})` };
    }
    case "contains": {
      const fold = (text: string): string => (expression.mindsCase ? text : text.toLowerCase());
      const held = asText(compile(expression.operand));
      const text = expression.mindsCase ? held : sql`lowerUTF8(${held})`;
      const texts = parameters.strings([...new Set(expression.texts.map(fold))]);
      return boolean(sql`arrayExists(t -> ifNull(position(${text}, t) > 0, false), ${texts})`);
    }
    case "in": {
      const fold = (text: string): string => (expression.mindsCase ? text : text.toLowerCase());
      const numbers = expression.texts.map(toNumber).filter((value) => value !== undefined);
      const operand = asText(compile(expression.operand));
      const texts = parameters.strings([...new Set(expression.texts.map(fold))]);
      const isText = (value: SqlFragment): SqlFragment =>
        sql`has(${texts}, ifNull(${expression.mindsCase ? value : sql`lowerUTF8(${value})`}, ''))`;
      const isNumber = (value: SqlFragment): SqlFragment =>
        numbers.length === 0
          ? raw("false")
          : sql`ifNull(${asNumber({ type: "text", fragment: value })} IN (${joinSql(
              numbers.map((number) => parameters.float(number)),
              ", ",
            )}), false)`;
      return boolean(
        bind([operand], (v = raw("")) => sql`isNotNull(${v}) AND (${isText(v)} OR ${isNumber(v)})`),
      );
    }
    case "matches": {
      // Why an alternative that nothing matches: see sql-test.ts.
      const regex = parameters.string(`(?:${expression.regex.text})|[^\\s\\S]`);
      const text = asText(compile(expression.operand));
      return boolean(sql`ifNull(match(${text}, ${regex}), false)`);
    }
    case "call": {
      const column = table.columns.get(expression.written);
      if (column !== undefined) return column;
      if (expression.name === "timebucket") {
        return timeBucket(expression, timeOf(table), scope, compile);
      }
      return queryTime(expression, scope) ?? powerCall(expression, compile);
    }
  }
}

/** ns since 1970 of the row, as a whole number. */
function timeOf({ hasFields, columns }: PowerTable): SqlFragment | undefined {
  if (hasFields) return raw("toNullable(toUnixTimestamp64Nano(time))");
  const column = columns.get("timestamp");
  return column === undefined ? undefined : sql`toInt64OrNull(${asText(column)})`;
}

function compileName(
  name: string,
  offset: number,
  { columns, qualified, hasFields }: PowerTable,
  { parameters }: PowerScope,
): PowerSql {
  const column = columns.get(name) ?? columns.get(qualified.get(name) ?? "");
  if (column !== undefined) return column;
  if (hasFields) {
    const text = fieldText(scalyrField(name), { parameters, message: raw("message") });
    return { type: "text", fragment: sql`CAST(${text}, 'Nullable(String)')` };
  }
  const known = [...columns.keys()].filter((column) => !column.startsWith("\0")).slice(0, 20);
  const advice =
    known.length === 0 ? "write a function of it, as max(x)" : `write one of ${known.join(", ")}`;
  throw queryError(offset, `no such column: ${name.slice(0, 100)}`, advice);
}

function compileBinary(
  { operator, left, right }: Extract<PowerExpression, { kind: "binary" }>,
  compile: (expression: PowerExpression) => PowerSql,
): PowerSql {
  if (operator === "and" || operator === "or") {
    // A chain is one list, or long ones would be nested too deep for ClickHouse.
    const operands = chainOf(operator, left, right).map((operand) => isTrue(compile(operand)));
    return boolean(sql`(${joinSql(operands, operator === "and" ? " AND " : " OR ")})`);
  }
  const isEquality = operator === "=" || operator === "!=";
  if (isEquality && (left.kind === "null" || right.kind === "null")) {
    const { fragment } = compile(left.kind === "null" ? right : left);
    return boolean(sql`${raw(operator === "=" ? "isNull" : "isNotNull")}(${fragment})`);
  }
  const [a, b] = [compile(left), compile(right)];
  const areTexts = a.type === "text" && b.type === "text";
  const symbol = raw(operator);
  if (operator === "+" && areTexts) {
    return {
      type: "text",
      fragment: ofTexts(
        a,
        b,
        (x, y) => sql`toString(${x} + ${y})`,
        (x, y) => sql`concat(${x}, ${y})`,
      ),
    };
  }
  if (["+", "-", "*", "/", "%"].includes(operator)) {
    return { type: "number", fragment: finite(sql`(${asNumber(a)} ${symbol} ${asNumber(b)})`) };
  }
  const compare = (x: SqlFragment, y: SqlFragment): SqlFragment => sql`${x} ${symbol} ${y}`;
  const compared = areTexts
    ? ofTexts(a, b, compare, compare)
    : a.type === "number" || b.type === "number"
      ? compare(asNumber(a), asNumber(b))
      : compare(asText(a), asText(b));
  // Undefined equals nothing.
  return boolean(sql`ifNull(${compared}, ${raw(operator === "!=" ? "true" : "false")})`);
}

/** Two texts are taken for numbers if both are some. */
function ofTexts(
  { fragment: left }: PowerSql,
  { fragment: right }: PowerSql,
  ofNumbers: (left: SqlFragment, right: SqlFragment) => SqlFragment,
  ofOthers: (left: SqlFragment, right: SqlFragment) => SqlFragment,
): SqlFragment {
  const number = (fragment: SqlFragment): SqlFragment => asNumber({ type: "text", fragment });
  return bind([left, right], (a = raw(""), b = raw("")) => {
    const [x, y] = [number(a), number(b)];
    return sql`if(isNotNull(${x}) AND isNotNull(${y}), ${ofNumbers(x, y)}, ${ofOthers(a, b)})`;
  });
}

function chainOf(operator: PowerOperator, ...sides: readonly PowerExpression[]): PowerExpression[] {
  return sides.flatMap((side) =>
    side.kind === "binary" && side.operator === operator
      ? chainOf(operator, side.left, side.right)
      : [side],
  );
}

function isTrue(value: PowerSql): SqlFragment {
  return sql`ifNull(${asBoolean(value)}, false)`;
}

function boolean(fragment: SqlFragment): PowerSql {
  return { type: "boolean", fragment: sql`toNullable(${fragment})` };
}
