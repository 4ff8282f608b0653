// The tests of keys in LEQL: operators and what they compare with.
import type { Field } from "./field.ts";
import { leqlField, leqlQuantity } from "./leql-key.ts";
import {
  bareValue,
  keyCall,
  readQuoted,
  readRegex,
  readText,
  readValue,
  type ExpressionContext,
} from "./leql-value.ts";
import { toNumber } from "./numeric-text.ts";
import {
  and,
  ask,
  exists,
  not,
  or,
  type Comparison,
  type Predicate,
  type Test,
} from "./predicate.ts";
import {
  accept,
  countTerm,
  expect,
  found,
  peek,
  queryError,
  skipBlanks,
  take,
} from "./query-cursor.ts";
import { readQuantity } from "./quantity.ts";
import { containing, startingWith } from "./text-pattern.ts";

/** What a test of a key makes of the key's field. */
type Tester = (field: Field) => Predicate;

function present(test: Tester): Tester {
  return (field) => and(exists(field), not(test(field)));
}

const negated = /NOT\s+/iy;
const symbol = /[<>]=?|!?==?/y;
const word = /(I?)(CONTAINS|STARTS-WITH|IN)(?:-(ANY|ALL))?(?![\w-])/iy;

export function readTest(context: ExpressionContext): Tester {
  const { cursor } = context;
  skipBlanks(cursor);
  if (take(cursor, negated) !== null) return present(readTest(context));
  const operator = take(cursor, symbol)?.[0];
  skipBlanks(cursor);
  if (operator === "=" || operator === "==") return readEquality(context);
  if (operator === "!=" || operator === "!==") {
    if (take(cursor, nullWord) !== null) return exists;
    const other = readKeyCall(context);
    if (other === undefined) return present(readEquality(context));
    return (field) => and(exists(field), exists(other), not(compareFields(field, "=", other)));
  }
  if (operator !== undefined) return readComparison(context, operator as Comparison);
  const match = take(cursor, word);
  if (match === null) {
    throw queryError(
      cursor.at,
      `expected an operator but found ${found(cursor)}`,
      "write =, != or IN",
    );
  }
  return readWordTest(context, match);
}

const nullWord = /null(?![^\s),])/iy;

function readEquality(context: ExpressionContext): Tester {
  const { cursor } = context;
  if (take(cursor, nullWord) !== null) return (field) => not(exists(field));
  const other = readKeyCall(context);
  if (other !== undefined) return (field) => compareFields(field, "=", other);
  const quantity = readQuantity(peek(cursor, bareValue)?.[0] ?? "");
  const test = readValue(context, context.isLoose);
  if (quantity === undefined) return (field) => ask(field, test);
  const equal: Test = { kind: "number", comparison: "=", value: quantity };
  return (field) => or(ask(field, test), ask(leqlQuantity(field), equal));
}

/** A key as it stands without quotes. */
export const keyName = /[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*/y;

/** Reads `key(NAME)` if it is next: the field of another key. */
function readKeyCall({ cursor }: ExpressionContext): Field | undefined {
  if (take(cursor, keyCall) === null) return undefined;
  skipBlanks(cursor);
  const begin = cursor.at;
  const text = readQuoted(cursor) ?? take(cursor, keyName)?.[0];
  if (text === undefined) {
    throw queryError(
      cursor.at,
      `expected a key but found ${found(cursor)}`,
      "write one, or quote it",
    );
  }
  expect(cursor, ")");
  return leqlField(text, begin);
}

function compareFields(field: Field, comparison: Comparison, other: Field): Predicate {
  return {
    kind: "compare",
    left: leqlQuantity(field),
    comparison,
    right: leqlQuantity(other),
  };
}

function readComparison(context: ExpressionContext, comparison: Comparison): Tester {
  const { cursor } = context;
  const begin = cursor.at;
  const other = readKeyCall(context);
  if (other !== undefined) return (field) => compareFields(field, comparison, other);
  const text = readQuoted(cursor) ?? take(cursor, bareValue)?.[0] ?? "";
  const value = toNumber(text) ?? readQuantity(text);
  if (value === undefined) {
    const what = text === "" ? found(cursor) : JSON.stringify(text);
    throw queryError(begin, `expected a number but found ${what}`, `write one after ${comparison}`);
  }
  return (field) => ask(leqlQuantity(field), { kind: "number", comparison, value });
}

function readWordTest(context: ExpressionContext, match: RegExpExecArray): Tester {
  const { cursor } = context;
  const ignoreCase = context.isLoose || match[1] !== "";
  const operator = (match[2] ?? "").toUpperCase();
  const kind = match[3]?.toUpperCase();
  skipBlanks(cursor);
  if (operator === "IN") {
    const tests = readList(context, () => readValue(context, ignoreCase));
    return (field) => ask(field, { kind: "or", operands: tests });
  }
  const readPart = (): Test => {
    const regex = readRegex(context);
    if (regex !== undefined) return { kind: "regex", regex };
    const text = readText(cursor);
    const pattern =
      operator === "CONTAINS" ? containing(text, ignoreCase) : startingWith(text, ignoreCase);
    return { kind: "match", pattern };
  };
  if (kind === undefined) {
    const test = readPart();
    return (field) => ask(field, test);
  }
  const tests = readList(context, readPart);
  // Each of all may be found in another value of the key.
  if (kind === "ALL") return (field) => and(...tests.map((test) => ask(field, test)));
  return (field) => ask(field, { kind: "or", operands: tests });
}

function readList(context: ExpressionContext, readItem: () => Test): Test[] {
  const { cursor } = context;
  expect(cursor, "[");
  const tests: Test[] = [];
  do {
    skipBlanks(cursor);
    countTerm(cursor);
    tests.push(readItem());
  } while (accept(cursor, ","));
  expect(cursor, "]");
  return tests;
}
