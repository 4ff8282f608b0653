// The functions of a group's rows in power queries.
import type { PowerExpression } from "./power-expression.ts";
import { asBoolean, asNumber, asText, finite, type PowerSql } from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { percents } from "./scalyr-function.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";

type Call = Extract<PowerExpression, { kind: "call" }>;

const numeric: Readonly<Record<string, string>> = {
  sum: "sum",
  avg: "avg",
  mean: "avg",
  average: "avg",
  min: "min",
  max: "max",
  stddev: "stddevPopStable",
};
/** Of rows that have a value; rows of one time come in the order in which they arrived. */
const byTime: Readonly<Record<string, string>> = {
  newest: "argMaxOrNull",
  last: "argMaxOrNull",
  oldest: "argMinOrNull",
  first: "argMinOrNull",
};
const byNumber: Readonly<Record<string, string>> = {
  max_by: "argMaxOrNull",
  min_by: "argMinOrNull",
};

/**
 * @param areEvents whether the rows are events, of which some are older than others
 * @throws LogboomError BAD_REQUEST when there is no such function
 */
export function powerAggregate(
  { name, operands, offset, where }: Call,
  areEvents: boolean,
  compile: (expression: PowerExpression) => PowerSql,
): PowerSql {
  const last = operands.at(-1);
  const [first, second] =
    where === undefined || last === undefined
      ? operands
      : operands.with(operands.length - 1, {
          kind: "if",
          condition: where,
          yes: last,
          no: { kind: "null" },
        });
  const found =
    first === undefined
      ? number(where === undefined ? raw("count()") : sql`countIf(${isTrue(compile(where))})`)
      : second === undefined
        ? ofOne(name, compile(first), areEvents)
        : ofTwo(name, first, second, compile);
  if (found !== undefined) return found;
  const what = `no such function of groups: ${name} of ${String(operands.length)}`;
  throw queryError(offset, what, "write count(), sum(field), p95(field) or pct(95, field)");
}

function ofOne(name: string, value: PowerSql, areEvents: boolean): PowerSql | undefined {
  if (Object.hasOwn(percents, name)) return percentile(percents[name] ?? 50, value);
  if (Object.hasOwn(numeric, name)) {
    return number(sql`${raw(numeric[name] ?? "")}OrNull(${asNumber(value)})`);
  }
  if (areEvents && Object.hasOwn(byTime, name)) {
    return {
      ...value,
      fragment: sql`${raw(byTime[name] ?? "")}(${value.fragment}, (time, ingested, tie))`,
    };
  }
  switch (name) {
    case "count":
      return number(sql`countIf(ifNull(${asBoolean(value)}, false))`);
    case "estimate_distinct":
      return number(sql`uniqExact(${asText(value)})`);
    case "any_true":
      return { type: "boolean", fragment: sql`maxOrNull(${isTrue(value)})` };
    case "all_true":
      return { type: "boolean", fragment: sql`minOrNull(${isTrue(value)})` };
    case "any":
      // The least, so that the same question has the same answer.
      return { ...value, fragment: sql`minOrNull(${value.fragment})` };
    default:
      return undefined;
  }
}

function ofTwo(
  name: string,
  first: PowerExpression,
  second: PowerExpression,
  compile: (expression: PowerExpression) => PowerSql,
): PowerSql | undefined {
  if (Object.hasOwn(byNumber, name)) {
    const value = compile(first);
    const by = asNumber(compile(second));
    return { ...value, fragment: sql`${raw(byNumber[name] ?? "")}(${value.fragment}, ${by})` };
  }
  if (name !== "pct" && name !== "percentile" && name !== "p") return undefined;
  const [percent, value] = first.kind === "number" ? [first, second] : [second, first];
  if (percent.kind !== "number" || percent.value > 100) return undefined;
  return percentile(percent.value, compile(value));
}

function isTrue(value: PowerSql): SqlFragment {
  return sql`ifNull(${asBoolean(value)}, false)`;
}

/** Functions that are of a group's rows with so many operands; with others `min` and `max` are of one row. */
export function isAggregate({ name, operands: { length } }: Call): boolean {
  if (name === "count") return length <= 1;
  const ofTwo = Object.hasOwn(byNumber, name) || ["pct", "percentile", "p"].includes(name);
  const ofOne = [percents, numeric, byTime].some((known) => Object.hasOwn(known, name));
  return (
    (ofTwo && length === 2) ||
    ((ofOne || ["estimate_distinct", "any", "any_true", "all_true"].includes(name)) && length === 1)
  );
}

function number(fragment: SqlFragment): PowerSql {
  return { type: "number", fragment: finite(fragment) };
}

/** Interpolated between neighbours, as those of numeric queries. */
function percentile(percent: number, value: PowerSql): PowerSql {
  const level = raw((percent / 100).toFixed(9));
  return number(sql`quantileExactInclusiveOrNull(${level})(${asNumber(value)})`);
}
