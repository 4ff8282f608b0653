// Values of power queries in SQL, and one type taken for another.
import { numberOf } from "./numeric-text.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

/** An expression that is NULL where it is undefined. */
export interface PowerSql {
  readonly type: "text" | "number" | "boolean";
  readonly fragment: SqlFragment;
}

/** What a missing field or column is. */
export const undefinedText: PowerSql = {
  type: "text",
  fragment: raw("CAST(NULL, 'Nullable(String)')"),
};

/** Infinite and undefined results are NULL; adding 0 makes 0 of -0. */
export function finite(number: SqlFragment): SqlFragment {
  return sql`arrayFirstOrNull(f -> isFinite(f), [toFloat64(ifNull(${number}, nan)) + 0])`;
}

const names = ["a", "b", "c"];

/**
 * An expression that may name each operand several times, though each stands in the statement once: else nested
 * expressions would double at every level.
 */
export function bind(
  operands: readonly SqlFragment[],
  body: (...bound: readonly SqlFragment[]) => SqlFragment,
): SqlFragment {
  const bound = operands.map((_, index) => raw(names[index] ?? ""));
  const given = operands.map((operand) => sql`[${operand}]`);
  return sql`arrayMap((${joinSql(bound, ", ")}) -> ${body(...bound)}, ${joinSql(given, ", ")})[1]`;
}

export function asNumber({ type, fragment }: PowerSql): SqlFragment {
  return type === "text" ? numberOf(fragment) : sql`toFloat64(${fragment})`;
}

export function asText({ type, fragment }: PowerSql): SqlFragment {
  if (type === "boolean") return sql`toString(CAST(${fragment}, 'Nullable(Bool)'))`;
  return type === "text" ? fragment : sql`toString(${fragment})`;
}

export function asBoolean({ type, fragment }: PowerSql): SqlFragment {
  if (type === "boolean") return fragment;
  return type === "text" ? sql`${fragment} NOT IN ('', 'false', '0')` : sql`${fragment} != 0`;
}

/** Ascending: numbers, then other texts, then what is missing. */
export function orderOf(value: PowerSql, isDescending = false): SqlFragment[] {
  const order = raw(isDescending ? " DESC NULLS LAST" : " ASC NULLS LAST");
  const number = sql`${asNumber(value)}${order}`;
  return value.type === "text" ? [number, sql`${value.fragment}${order}`] : [number];
}
