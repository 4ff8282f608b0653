// Patterns as conditions of ClickHouse on one text: the message, or the value of a field.
import { onlyByteOf, bytesOf } from "./byte-set.ts";
import { literalTextOf, requiredLiterals, type Clause } from "./literals.ts";
import { concat, isNothing, type Pattern } from "./pattern.ts";
import { quote } from "./re2-text.ts";
import type { Engine } from "./re2.ts";
import { toRegex, trim, type Regex } from "./regex.ts";
import { supersetsOf, withoutCaptures } from "./rewrite.ts";
import { always, conjoin, exactly, never, type Conjunction, type Term } from "./sql-conjunction.ts";
import { sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

export interface SqlTarget {
  readonly parameters: SqlParameters;
  /** The expression of the message: a column's name. */
  readonly message: SqlFragment;
  /** Whether the server has Vectorscan, without which multiMatchAny fails. */
  readonly hasVectorscan: boolean;
  /** All values that each label has in what is searched, if they are known. */
  readonly labels?: readonly (readonly string[])[] | undefined;
}

/** Beyond a few, another literal hardly rules out more; nor does one that the n-gram index misses. */
const maxLiteralTerms = 3;
const minIndexedLength = 4;

/** The condition that the whole text, of valid UTF-8, matches the pattern. */
export function compileMatch(given: Pattern, text: SqlFragment, target: SqlTarget): Conjunction {
  const pattern = withoutCaptures(given);
  if (!pattern.hasSet) return compileSimple(pattern, text, target);
  const supersets = supersetsOf(pattern).map((superset) => compileSimple(superset, text, target));
  return { ...conjoin(supersets), isExact: false };
}

/** The terms of a pattern without captures and set operations. */
function compileSimple(pattern: Pattern, text: SqlFragment, target: SqlTarget): Conjunction {
  if (isNothing(pattern)) return never;
  const { parameters } = target;
  const { items, isOpenLeft, isOpenRight } = trim(pattern);
  if (isOpenLeft && isOpenRight && items.length === 0) return always;
  const literal = isOpenLeft && isOpenRight ? literalTextOf(concat(items)) : undefined;
  if (literal !== undefined && literal !== "") {
    return exactly("literal", matches(text, quote(literal), target));
  }
  const equal = isOpenLeft || isOpenRight ? undefined : literalTextOf(concat(items));
  // Labels are of the primary key, which knows this form; the message's index knows the other.
  if (equal !== undefined && text !== target.message) {
    return exactly("literal", sql`${text} = ${parameters.string(equal)}`);
  }
  const terms = literalTerms(pattern, text, target);
  const caseless = terms.length === 0 ? longestCaseless(items) : "";
  if (caseless !== "") {
    const fragment = sql`positionCaseInsensitive(${text}, ${parameters.string(caseless)}) > 0`;
    const isAll = isOpenLeft && isOpenRight && caseless.length === items.length;
    if (isAll) return exactly("literal", fragment);
    terms.push({ rank: "literal", fragment });
  }
  const regex = knownRegex(pattern, "re2");
  if (regex === undefined) return { terms, isExact: false };
  // An anchored expression fails early by itself.
  if (terms.length === 0 && isOpenLeft) terms.push(...vectorscanTerm(pattern, text, target));
  const rank = terms.length > 0 ? "regex with literal" : "regex";
  const fragment = matches(text, regex.text, target);
  return { terms: [...terms, { rank, fragment }], isExact: regex.isExact };
}

/** The texts that a pattern needs, and nothing dearer; without terms where it needs none. */
export function compileLiterals(given: Pattern, text: SqlFragment, target: SqlTarget): Conjunction {
  return { terms: literalTerms(withoutCaptures(given), text, target), isExact: false };
}

function literalTerms(pattern: Pattern, text: SqlFragment, target: SqlTarget): Term[] {
  return requiredLiterals(pattern)
    .slice(0, maxLiteralTerms)
    .filter(
      (clause, index) => index === 0 || clause.every((part) => part.length >= minIndexedLength),
    )
    .map((clause) => ({ rank: "literal", fragment: literalTerm(clause, text, target) }));
}

const known = { re2: new WeakMap<Pattern, Known>(), vectorscan: new WeakMap<Pattern, Known>() };
interface Known {
  readonly regex: Regex | undefined;
}

/** One pattern is asked of several fields where a term stands for any of them. */
function knownRegex(pattern: Pattern, engine: Engine): Regex | undefined {
  let found = known[engine].get(pattern);
  if (found === undefined) {
    found = { regex: toRegex(pattern, engine) };
    known[engine].set(pattern, found);
  }
  return found.regex;
}

function literalTerm(clause: Clause, text: SqlFragment, target: SqlTarget): SqlFragment {
  const [only = ""] = clause;
  // match, not position: the n-gram index knows the one and not the other.
  if (clause.length === 1) return matches(text, quote(only), target);
  return sql`multiSearchAny(${text}, ${target.parameters.strings(clause)})`;
}

function matches(text: SqlFragment, regex: string, { parameters }: SqlTarget): SqlFragment {
  return sql`match(${text}, ${parameters.string(regex)})`;
}

/** The longest run of ASCII in which both cases of the letters match; "" = none worth a search. */
function longestCaseless(items: readonly Pattern[]): string {
  let longest = "";
  let run = "";
  for (const item of items) {
    const character = item.kind === "bytes" ? caselessCharacter(item.set) : undefined;
    run = character === undefined ? "" : run + character;
    if (run.length > longest.length) longest = run;
  }
  return longest.length >= 2 ? longest : "";
}

/** The ASCII character whose cases are the set; in any other set there is none. */
function caselessCharacter(set: bigint): string | undefined {
  const byte = onlyByteOf(set) ?? onlyByteOf(set & (set - 1n));
  if (byte === undefined || byte >= 0x80) return undefined;
  const character = String.fromCharCode(byte).toLowerCase();
  return bytesOf(character + character.toUpperCase()) === set ? character : undefined;
}

/** Vectorscan goes through messages faster than RE2 where no literal rules them out. */
function vectorscanTerm(pattern: Pattern, text: SqlFragment, target: SqlTarget): Term[] {
  const isMessage = text === target.message;
  const regex = target.hasVectorscan && isMessage ? knownRegex(pattern, "vectorscan") : undefined;
  if (regex === undefined) return [];
  const fragment = sql`multiMatchAny(${text}, ${target.parameters.strings([regex.text])})`;
  return [{ rank: "vectorscan", fragment }];
}
