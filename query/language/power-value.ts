// Values of power queries in SQL, and one type taken for another.
import { numberOf } from "./numeric-text.ts";
import { sql, type SqlFragment } from "./sql-fragment.ts";

/** An expression that is NULL where it is undefined. */
export interface PowerSql {
  readonly type: "text" | "number" | "boolean";
  readonly fragment: SqlFragment;
}

/** Infinite and undefined results are NULL. */
export function finite(number: SqlFragment): SqlFragment {
  return sql`arrayFirstOrNull(f -> isFinite(f), [toFloat64(ifNull(${number}, nan))])`;
}

export function asNumber({ type, fragment }: PowerSql): SqlFragment {
  return type === "text" ? numberOf(fragment) : sql`toFloat64(${fragment})`;
}

export function asText({ type, fragment }: PowerSql): SqlFragment {
  if (type === "boolean") return sql`if(${fragment}, 'true', 'false')`;
  return type === "text" ? fragment : sql`toString(${fragment})`;
}

export function asBoolean({ type, fragment }: PowerSql): SqlFragment {
  if (type === "boolean") return fragment;
  return type === "text" ? sql`${fragment} NOT IN ('', 'false', '0')` : sql`${fragment} != 0`;
}
