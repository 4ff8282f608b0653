// Predicates as conditions of ClickHouse on an event.
//
// A condition holds for every event that the predicate holds for, and is exact unless it says
// otherwise. What is cheap and rules out most comes first: ClickHouse stops at the first that fails.
import type { Predicate } from "./predicate.ts";
import {
  always,
  conjoin,
  disjoin,
  exactly,
  joinTerms,
  negate,
  never,
  type Conjunction,
} from "./sql-conjunction.ts";
import { compileComparison } from "./sql-comparison.ts";
import { compileFieldTest } from "./sql-field-test.ts";
import { sql, type SqlFragment } from "./sql-fragment.ts";
import { compileMatch, type SqlTarget } from "./sql-match.ts";
import { operatorOf } from "./sql-test.ts";

export interface Condition {
  /** Undefined = every event passes. */
  readonly where: SqlFragment | undefined;
  /** Whether the events that pass are those the predicate holds for; if not, they are more. */
  readonly isExact: boolean;
}

/** ClickHouse reads a query of 256 KiB, and parameters travel in a request's address. */
const maxTextCharacters = 100_000;
const maxParameterBytes = 65_536;

/** The condition of a predicate on events whose texts are valid UTF-8. */
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
      return compileMatch(predicate.pattern, target.message, target);
    case "and":
      return conjoin(predicate.operands.map((operand) => compile(operand, target)));
    case "or":
      return disjoin(predicate.operands.map((operand) => compile(operand, target)));
    case "not":
      return negate(compile(predicate.operand, target));
    case "field":
      return compileFieldTest(predicate.field, predicate.test, target);
    case "compare":
      return compileComparison(predicate, target);
    case "isObject":
      return exactly("regex", sql`JSONType(${target.message}) = 'Object'`);
    case "time": {
      const time = sql`fromUnixTimestamp64Nano(${target.parameters.int64(predicate.time)})`;
      const operator = operatorOf(predicate.comparison);
      return exactly("literal", { ...time, text: `time ${operator.text} ${time.text}` });
    }
  }
}
