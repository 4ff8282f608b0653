// Captured texts as numbers: what counts as one, in TypeScript and in SQL.
import { bytesOf, byteRange, isSubset, type ByteSet } from "./byte-set.ts";
import type { Pattern } from "./pattern.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";

const form = "[+-]?[0-9]+(?:[.][0-9]+)?";
const wholeForm = new RegExp(`^${form}$`);

/** The number that a text is: sign if any, digits, decimals if any. Null = none, or it overflows. */
export function readNumber(text: string): number | null {
  if (!wholeForm.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/**
 * Nullable(Float64) of a captured text, in which the text occurs once.
 * @param isNumeric every text that is not empty is of the form above
 */
export function numberSql(text: SqlFragment, isNumeric: boolean): SqlFragment {
  // toFloat64OrNull also reads `nan`, `inf` and exponents; '' is none, and overflow is infinite.
  const digits = isNumeric ? text : sql`extract(${text}, ${raw(`'^${form}$'`)})`;
  return sql`nullIf(nullIf(toFloat64OrNull(${digits}), inf), -inf)`;
}

const digitSet = byteRange(0x30, 0x39);

/** Whether every text the pattern matches is empty or a number; false when that is not evident. */
export function isNumeric(pattern: Pattern): boolean {
  const items = pattern.kind === "concat" ? pattern.items : [pattern];
  const [first] = items;
  const isSigned = first !== undefined && holdsOnly(first, bytesOf("+-")) && isOptional(first);
  const rest = isSigned ? items.slice(1) : items;
  const point = rest.findIndex((item) => holdsOnly(item, bytesOf(".")));
  if (point < 0) return rest.every(isDigits) && (!isSigned || rest.some(hasText));
  const parts = [rest.slice(0, point), rest.slice(point + 1)];
  return (
    rest[point]?.kind === "bytes" &&
    parts.every((part) => part.every(isDigits) && part.some(hasText))
  );
}

function isOptional(pattern: Pattern): boolean {
  return pattern.kind === "bytes" || (pattern.kind === "repeat" && pattern.max === 1);
}

function isDigits(pattern: Pattern): boolean {
  return holdsOnly(pattern, digitSet);
}

function hasText(pattern: Pattern): boolean {
  if (pattern.kind === "repeat") return pattern.min > 0 && hasText(pattern.item);
  return pattern.kind === "bytes";
}

/** Whether the pattern is one byte of the set, or such bytes repeated. */
function holdsOnly(pattern: Pattern, set: ByteSet): boolean {
  if (pattern.kind === "repeat") return holdsOnly(pattern.item, set);
  return pattern.kind === "bytes" && isSubset(pattern.set, set);
}
