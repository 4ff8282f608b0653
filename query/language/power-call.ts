// The functions of power queries: of one row, and of the rows of a group.
import type { PowerExpression } from "./power-expression.ts";
import { asBoolean, asNumber, asText, finite, type PowerSql } from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

type Call = Extract<PowerExpression, { kind: "call" }>;
type Compile = (expression: PowerExpression) => PowerSql;

/** Functions of numbers by name: what ClickHouse calls them, how many operands they take. */
const numeric: Readonly<Record<string, readonly [name: string, least: number, most: number]>> = {
  abs: ["abs", 1, 1],
  ceiling: ["ceil", 1, 1],
  floor: ["floor", 1, 1],
  min: ["least", 2, 16],
  max: ["greatest", 2, 16],
  sqrt: ["sqrt", 1, 1],
  exp: ["exp", 1, 1],
  ln: ["log", 1, 1],
  log: ["log10", 1, 1],
  pow: ["pow", 2, 2],
};
const textual: Readonly<Record<string, string>> = {
  lower: "lowerUTF8",
  upper: "upperUTF8",
  ltrim: "trimLeft",
  rtrim: "trimRight",
  trim: "trimBoth",
};

/** @throws LogboomError BAD_REQUEST when there is no such function */
export function powerCall(call: Call, compile: Compile): PowerSql {
  const { name, operands } = call;
  const values = operands.map(compile);
  const [first, second, third] = values;
  const found = Object.hasOwn(numeric, name) ? numeric[name] : undefined;
  if (found !== undefined && values.length >= found[1] && values.length <= found[2]) {
    const numbers = joinSql(values.map(asNumber), ", ");
    return { type: "number", fragment: finite(sql`${raw(found[0])}(${numbers})`) };
  }
  if (first !== undefined && values.length === 1) {
    const text = asText(first);
    if (Object.hasOwn(textual, name)) {
      return { type: "text", fragment: sql`${raw(textual[name] ?? "")}(${text})` };
    }
    if (name === "len") return { type: "number", fragment: sql`toFloat64(lengthUTF8(${text}))` };
    if (name === "isempty") return { type: "boolean", fragment: sql`ifNull(${text}, '') = ''` };
    if (name === "isblank") {
      return { type: "boolean", fragment: sql`trimBoth(ifNull(${text}, '')) = ''` };
    }
  }
  if (name === "substr" && first !== undefined && second !== undefined && values.length <= 3) {
    const begin = sql`toInt32(${asNumber(second)}) + 1`;
    const length = third === undefined ? raw("") : sql`, toInt32(${asNumber(third)})`;
    return { type: "text", fragment: sql`substringUTF8(${asText(first)}, ${begin}${length})` };
  }
  throw queryError(
    call.offset,
    `no such function: ${name} of ${String(values.length)}`,
    "write another",
  );
}

const percents: Readonly<Record<string, number>> = {
  median: 50,
  p10: 10,
  p50: 50,
  p90: 90,
  p95: 95,
  p99: 99,
  p999: 99.9,
};
const aggregates: Readonly<Record<string, string>> = {
  sum: "sum",
  avg: "avg",
  min: "min",
  max: "max",
  stddev: "stddevSamp",
};

/**
 * A function of a group's rows.
 * @param hasTime whether the rows are events, of which some are older than others
 * @throws LogboomError BAD_REQUEST when there is no such function
 */
export function powerAggregate(
  expression: PowerExpression,
  hasTime: boolean,
  compile: Compile,
): PowerSql {
  if (expression.kind !== "call") throw new TypeError("the parser lets functions through alone");
  const { name, operands, offset } = expression;
  const [operand] = operands;
  if (name === "count" && operands.length <= 1) {
    const counted =
      operand === undefined
        ? raw("count()")
        : sql`countIf(ifNull(${asBoolean(compile(operand))}, false))`;
    return number(counted);
  }
  if (
    name === "pct" &&
    operands.length === 2 &&
    operand?.kind === "number" &&
    operand.value <= 100
  ) {
    return percentile(operand.value, compile(operands[1] as PowerExpression));
  }
  if (operand !== undefined && operands.length === 1) {
    const value = compile(operand);
    if (Object.hasOwn(percents, name)) return percentile(percents[name] ?? 50, value);
    if (Object.hasOwn(aggregates, name)) {
      return number(sql`${raw(aggregates[name] ?? "")}OrNull(${asNumber(value)})`);
    }
    if (name === "estimate_distinct") return number(sql`uniqExact(${asText(value)})`);
    if (name === "any") return { ...value, fragment: sql`anyOrNull(${value.fragment})` };
    const picked = hasTime
      ? {
          newest: "argMaxOrNull",
          last: "argMaxOrNull",
          oldest: "argMinOrNull",
          first: "argMinOrNull",
        }[name]
      : undefined;
    if (picked !== undefined)
      return { ...value, fragment: sql`${raw(picked)}(${value.fragment}, time)` };
  }
  throw queryError(
    offset,
    `no such function of groups: ${name}`,
    "write count(), sum(field) or p95(field)",
  );
}

function number(fragment: SqlFragment): PowerSql {
  return { type: "number", fragment: finite(fragment) };
}

function percentile(percent: number, value: PowerSql): PowerSql {
  return number(sql`quantileExactOrNull(${raw(String(percent / 100))})(${asNumber(value)})`);
}
