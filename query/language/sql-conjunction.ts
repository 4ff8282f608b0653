// Conditions in the making: terms in the order in which they are worth asking, and how they combine.
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";

/** Terms by what they cost and rule out; those of lower rank are asked first. */
const ranks = ["literal", "vectorscan", "regex with literal", "regex", "exclusion"] as const;

export interface Term {
  readonly rank: (typeof ranks)[number];
  readonly fragment: SqlFragment;
}

/** All terms must hold; none of them = always. */
export interface Conjunction {
  readonly terms: readonly Term[];
  readonly isExact: boolean;
}

export const always: Conjunction = { terms: [], isExact: true };
export const never: Conjunction = {
  terms: [{ rank: "literal", fragment: raw("0") }],
  isExact: true,
};

/** The condition of one term. */
export function exactly(rank: Term["rank"], fragment: SqlFragment): Conjunction {
  return { terms: [{ rank, fragment }], isExact: true };
}

/** The terms, cheapest first, joined by AND. */
export function joinTerms({ terms }: Conjunction): SqlFragment {
  const distinct = new Map(terms.map((term) => [term.fragment.text, term]));
  const sorted = [...distinct.values()].toSorted(
    (a, b) => ranks.indexOf(a.rank) - ranks.indexOf(b.rank),
  );
  return joinSql(
    sorted.map(({ fragment }) => fragment),
    " AND ",
  );
}

export function conjoin(operands: readonly Conjunction[]): Conjunction {
  return {
    terms: operands.flatMap(({ terms }) => terms),
    isExact: operands.every(({ isExact }) => isExact),
  };
}

export function disjoin(operands: readonly Conjunction[]): Conjunction {
  const possible = operands.filter((operand) => operand !== never);
  if (possible.length === 0) return never;
  const passing = possible.filter(({ terms }) => terms.length === 0);
  if (passing.length > 0) {
    return passing.some(({ isExact }) => isExact) ? always : { terms: [], isExact: false };
  }
  const isFiltered = possible.every(({ terms }) => terms.some(({ rank }) => rank === "literal"));
  const choices = possible.map((operand) => sql`(${joinTerms(operand)})`);
  return {
    terms: [
      {
        rank: isFiltered ? "regex with literal" : "regex",
        fragment: sql`(${joinSql(choices, " OR ")})`,
      },
    ],
    isExact: possible.every(({ isExact }) => isExact),
  };
}

export function negate(operand: Conjunction): Conjunction {
  // The complement of too much is too little: only what is exact may be excluded.
  if (!operand.isExact) return { terms: [], isExact: false };
  if (operand === never) return always;
  if (operand.terms.length === 0) return never;
  return exactly("exclusion", sql`NOT (${joinTerms(operand)})`);
}
