// Which texts of events are numbers, in TypeScript and in SQL.
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";

const form = "[+-]?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]{1,4})?";
const wholeForm = new RegExp(`^${form}$`);

/** The finite number that a text is; undefined if it is none. */
export function toNumber(text: string): number | undefined {
  if (!wholeForm.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** Nullable(Float64) of a text, which occurs once in it. */
export function numberOf(text: SqlFragment): SqlFragment {
  // toFloat64OrNull also reads `nan` and `inf`; '' is none, and overflow is infinite.
  const digits = sql`extract(${text}, ${raw(`'^${form}$'`)})`;
  return sql`nullIf(nullIf(toFloat64OrNull(${digits}), inf), -inf)`;
}
