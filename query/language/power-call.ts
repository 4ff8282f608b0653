// The functions of one row in power queries.
import type { PowerExpression } from "./power-expression.ts";
import { asBoolean, asNumber, asText, bind, finite, type PowerSql } from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

type Call = Extract<PowerExpression, { kind: "call" }>;

const numeric: Readonly<Record<string, string>> = {
  abs: "abs",
  ceiling: "ceil",
  floor: "floor",
  round: "round",
  sqrt: "sqrt",
  exp: "exp",
  ln: "log",
  log: "log10",
};
const textual: Readonly<Record<string, string>> = {
  lower: "lowerUTF8",
  upper: "upperUTF8",
  ltrim: "trimLeft",
  rtrim: "trimRight",
  trim: "trimBoth",
};
/** Characters of a text; positions are cut to it. */
const maxCharacters = "1e9";
const mostOperands = 16;

/** @throws LogboomError BAD_REQUEST when there is no such function */
export function powerCall(
  call: Call,
  compile: (expression: PowerExpression) => PowerSql,
): PowerSql {
  const { name, operands } = call;
  const values = operands.length <= mostOperands ? operands.map(compile) : [];
  const [first, second, third] = values;
  const found =
    first === undefined
      ? undefined
      : values.length === 1
        ? ofOne(name, first)
        : second === undefined
          ? undefined
          : ofSeveral(name, [first, second, third], values);
  if (found !== undefined) return found;
  const what = `no such function: ${name} of ${String(operands.length)}`;
  throw queryError(call.offset, what, "write abs(ms), lower(user) or if not a ? b : c");
}

function ofOne(name: string, value: PowerSql): PowerSql | undefined {
  if (Object.hasOwn(numeric, name))
    return number(sql`${raw(numeric[name] ?? "")}(${asNumber(value)})`);
  const text = asText(value);
  if (Object.hasOwn(textual, name)) {
    return { type: "text", fragment: sql`${raw(textual[name] ?? "")}(${text})` };
  }
  switch (name) {
    case "len":
      return { type: "number", fragment: sql`toFloat64(lengthUTF8(${text}))` };
    case "isempty":
      return { type: "boolean", fragment: sql`ifNull(${text}, '') = ''` };
    case "isblank":
      return { type: "boolean", fragment: sql`trimBoth(ifNull(${text}, '')) = ''` };
    case "number":
      return number(asNumber(value));
    case "string":
      return { type: "text", fragment: text };
    case "bool":
      return { type: "boolean", fragment: sql`ifNull(${asBoolean(value)}, false)` };
    default:
      return undefined;
  }
}

function ofSeveral(
  name: string,
  [first, second, third]: readonly [PowerSql, PowerSql, PowerSql | undefined],
  all: readonly PowerSql[],
): PowerSql | undefined {
  if (name === "min" || name === "max") {
    const numbers = all.map(asNumber);
    const chosen = sql`${raw(name === "min" ? "arrayMin" : "arrayMax")}(v -> assumeNotNull(v), l)`;
    const list = sql`[${joinSql(numbers, ", ")}]`;
    // Of something undefined there is no least: ClickHouse would leave it out.
    return number(
      sql`arrayMap(l -> if(arrayExists(v -> isNull(v), l), NULL, ${chosen}), [${list}])[1]`,
    );
  }
  if (name === "substr" && all.length <= 3) {
    const length = third === undefined ? raw(maxCharacters) : asNumber(third);
    const fragment = bind(
      [asText(first), asNumber(second), length],
      (s = raw(""), n = raw(""), l = raw("")) => {
        return sql`if(isNull(${n}) OR isNull(${l}), NULL, substringUTF8(${s}, ${position(n)} + 1, ${position(l)}))`;
      },
    );
    return { type: "text", fragment };
  }
  if (all.length > 2) return undefined;
  if (name === "pow") return number(sql`pow(${asNumber(first)}, ${asNumber(second)})`);
  if (name === "indexof") {
    return number(sql`toFloat64(positionUTF8(${asText(first)}, ${asText(second)})) - 1`);
  }
  return undefined;
}

function position(number: SqlFragment): SqlFragment {
  return sql`toInt32(multiIf(${number} > ${raw(maxCharacters)}, ${raw(maxCharacters)}, ${number} > 0, ${number}, 0))`;
}

function number(fragment: SqlFragment): PowerSql {
  return { type: "number", fragment: finite(fragment) };
}
