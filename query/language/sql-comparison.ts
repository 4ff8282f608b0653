// The condition of ClickHouse that a value of one field compares with one of another.
import { numberOf } from "./numeric-text.ts";
import type { Predicate } from "./predicate.ts";
import { conjoin, exactly, type Conjunction } from "./sql-conjunction.ts";
import { fieldTexts } from "./sql-field.ts";
import { nameClause } from "./sql-field-test.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";
import type { SqlTarget } from "./sql-match.ts";

/** Linear in the number of values: a message may hold very many. */
export function compileComparison(
  { left, comparison, right }: Predicate & { readonly kind: "compare" },
  target: SqlTarget,
): Conjunction {
  const names = [left, right].flatMap((field) => {
    const clause = nameClause(field);
    return clause === undefined || clause.length === 0
      ? []
      : [
          exactly(
            "literal",
            sql`multiSearchAny(${target.message}, ${target.parameters.strings(clause)})`,
          ),
        ];
  });
  const rank = names.length > 0 ? "regex with literal" : "regex";
  const [one, other] = [numbersOf(raw("one")), numbersOf(raw("other"))];
  const compared =
    comparison === "="
      ? sql`notEmpty(arrayIntersect(one, other)) OR notEmpty(arrayIntersect(${one}, ${other}))`
      : sql`arrayExists((a, b) -> notEmpty(a) AND notEmpty(b) AND ${extremes[comparison]}, [${one}], [${other}])`;
  const texts = [left, right].map((field) => sql`[${fieldTexts(field, target)}]`);
  return conjoin([
    ...names,
    exactly(rank, sql`arrayExists((one, other) -> ${compared}, ${joinSql(texts, ", ")})`),
  ]);
}

/** What decides for all values of two lists of numbers. */
const extremes = {
  "<": raw("arrayMin(a) < arrayMax(b)"),
  "<=": raw("arrayMin(a) <= arrayMax(b)"),
  ">": raw("arrayMax(a) > arrayMin(b)"),
  ">=": raw("arrayMax(a) >= arrayMin(b)"),
} as const;

/** Array(Float64) of the texts that are numbers; 0 has one sign. */
function numbersOf(texts: SqlFragment): SqlFragment {
  const numbers = sql`arrayMap(m -> ${numberOf(raw("m"))}, ${texts})`;
  return sql`arrayMap(m -> assumeNotNull(m) + 0, arrayFilter(m -> isNotNull(m), ${numbers}))`;
}
