// Predicates as conditions of ClickHouse on the message.
//
// A condition holds for every message that the predicate holds for, and is exact unless it says
// otherwise. What is cheap and rules out most comes first: ClickHouse stops at the first that fails.
import { literalTextOf, requiredLiterals, type Clause } from "./literals.ts";
import { concat, isNothing, type Pattern } from "./pattern.ts";
import type { Predicate } from "./predicate.ts";
import { quote } from "./re2-text.ts";
import { toRegex, trim } from "./regex.ts";
import { supersetsOf, withoutCaptures } from "./rewrite.ts";
import { joinSql, raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

export interface SqlTarget {
  readonly parameters: SqlParameters;
  /** The expression of the message: a column's name. */
  readonly message: SqlFragment;
  /** Whether the server has Vectorscan, without which multiMatchAny fails. */
  readonly hasVectorscan: boolean;
}

export interface Condition {
  /** Undefined = every message passes. */
  readonly where: SqlFragment | undefined;
  /** Whether the messages that pass are those the predicate holds for; if not, they are more. */
  readonly isExact: boolean;
}

/** Terms by what they cost and rule out; those of lower rank are asked first. */
const ranks = ["literal", "vectorscan", "regex with literal", "regex", "exclusion"] as const;

interface Term {
  readonly rank: (typeof ranks)[number];
  readonly fragment: SqlFragment;
}

/** All terms must hold; none of them = always. */
interface Conjunction {
  readonly terms: readonly Term[];
  readonly isExact: boolean;
}

const always: Conjunction = { terms: [], isExact: true };
const never: Conjunction = { terms: [{ rank: "literal", fragment: raw("0") }], isExact: true };

/** Beyond a few, another literal hardly rules out more; nor does one that the n-gram index misses. */
const maxLiteralTerms = 3;
const minIndexedLength = 4;

/** Larger conditions are not worth a query, and parameters travel in a request's address. */
const maxTextCharacters = 20_000;
const maxParameterBytes = 65_536;

/** The condition of a predicate on messages of valid UTF-8. */
export function compilePredicate(predicate: Predicate, target: SqlTarget): Condition {
  const conjunction = compile(predicate, target);
  if (conjunction.terms.length === 0) return { where: undefined, isExact: conjunction.isExact };
  const where = joinTerms(conjunction);
  const isTooLarge =
    where.text.length > maxTextCharacters ||
    Buffer.byteLength(JSON.stringify(where.params)) > maxParameterBytes;
  return isTooLarge
    ? { where: undefined, isExact: false }
    : { where, isExact: conjunction.isExact };
}

function compile(predicate: Predicate, target: SqlTarget): Conjunction {
  switch (predicate.kind) {
    case "always":
      return always;
    case "never":
      return never;
    case "match":
      return compileMatch(predicate.pattern, target);
    case "and":
      return conjoin(predicate.operands.map((operand) => compile(operand, target)));
    case "or":
      return disjoin(predicate.operands.map((operand) => compile(operand, target)));
    case "not":
      return negate(compile(predicate.operand, target));
  }
}

function joinTerms({ terms }: Conjunction): SqlFragment {
  const distinct = new Map(terms.map((term) => [term.fragment.text, term]));
  const sorted = [...distinct.values()].toSorted(
    (a, b) => ranks.indexOf(a.rank) - ranks.indexOf(b.rank),
  );
  return joinSql(
    sorted.map(({ fragment }) => fragment),
    " AND ",
  );
}

function conjoin(operands: readonly Conjunction[]): Conjunction {
  return {
    terms: operands.flatMap(({ terms }) => terms),
    isExact: operands.every(({ isExact }) => isExact),
  };
}

function disjoin(operands: readonly Conjunction[]): Conjunction {
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

function negate(operand: Conjunction): Conjunction {
  // The complement of too much is too little: only what is exact may be excluded.
  if (!operand.isExact) return { terms: [], isExact: false };
  if (operand === never) return always;
  if (operand.terms.length === 0) return never;
  return {
    terms: [{ rank: "exclusion", fragment: sql`NOT (${joinTerms(operand)})` }],
    isExact: true,
  };
}

function compileMatch(given: Pattern, target: SqlTarget): Conjunction {
  const pattern = withoutCaptures(given);
  if (!pattern.hasSet) return compileSimple(pattern, target);
  const supersets = supersetsOf(pattern).map((superset) => compileSimple(superset, target));
  return { ...conjoin(supersets), isExact: false };
}

/** The terms of a pattern without captures and set operations. */
function compileSimple(pattern: Pattern, target: SqlTarget): Conjunction {
  if (isNothing(pattern)) return never;
  const { message, parameters } = target;
  const { items, isOpenLeft, isOpenRight } = trim(pattern);
  if (isOpenLeft && isOpenRight && items.length === 0) return always;
  const matches = (text: string) => sql`match(${message}, ${parameters.string(text)})`;
  const literal = isOpenLeft && isOpenRight ? literalTextOf(concat(items)) : undefined;
  if (literal !== undefined && literal !== "") {
    return { terms: [{ rank: "literal", fragment: matches(quote(literal)) }], isExact: true };
  }
  const clauses = requiredLiterals(pattern)
    .slice(0, maxLiteralTerms)
    .filter(
      (clause, index) => index === 0 || clause.every((text) => text.length >= minIndexedLength),
    );
  const terms = clauses.map((clause): Term => ({
    rank: "literal",
    fragment: literalTerm(clause, target, matches),
  }));
  const regex = toRegex(pattern, "re2");
  if (regex === undefined) return { terms, isExact: false };
  // An anchored expression fails early by itself.
  if (terms.length === 0 && isOpenLeft) terms.push(...vectorscanTerm(pattern, target));
  const rank = clauses.length > 0 ? "regex with literal" : "regex";
  return { terms: [...terms, { rank, fragment: matches(regex.text) }], isExact: regex.isExact };
}

function literalTerm(
  clause: Clause,
  { message, parameters }: SqlTarget,
  matches: (text: string) => SqlFragment,
): SqlFragment {
  const [only = ""] = clause;
  // match, not position: the n-gram index knows the one and not the other.
  if (clause.length === 1) return matches(quote(only));
  return sql`multiSearchAny(${message}, ${parameters.strings(clause)})`;
}

/** Vectorscan goes through messages faster than RE2 where no literal rules them out. */
function vectorscanTerm(pattern: Pattern, target: SqlTarget): Term[] {
  const regex = target.hasVectorscan ? toRegex(pattern, "vectorscan") : undefined;
  if (regex === undefined) return [];
  const { message, parameters } = target;
  const fragment = sql`multiMatchAny(${message}, ${parameters.strings([regex.text])})`;
  return [{ rank: "vectorscan", fragment }];
}
