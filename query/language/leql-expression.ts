// The expressions of LEQL, as they stand in where(): keywords, expressions over the line, tests of keys.
//
// Decisions where the vendor's documents are silent or at odds:
// - keywords are whole words of the line in their case; "loose" takes parts in any case;
// - a key that is missing passes no test, != and the like included; NOT before a test passes it;
// - terms side by side are joined by AND; AND binds tighter than OR;
// - a word that is a name with dots is a keyword, or a key that exists: others that exist are words of the line;
// - key(b) is the value of another key: a=key(b), a<key(b);
// - a.* are all keys below another, at any depth;
// - 10kb is 10,240 bytes and 5ms are 5 milliseconds, in queries and in what comparisons read out of events.
import { isBelowKey, isDottedKey, leqlField } from "./leql-key.ts";
import { keyName, readTest } from "./leql-test.ts";
import { readQuoted, readRegex, type ExpressionContext } from "./leql-value.ts";
import { and, ask, exists, not, or, type Predicate } from "./predicate.ts";
import {
  countTerm,
  expect,
  found,
  nested,
  peek,
  queryError,
  skipBlanks,
  take,
} from "./query-cursor.ts";
import { containing, phrase } from "./text-pattern.ts";

const orWord = /(?:OR(?![^\s()"'/])|\|\|)/iy;
const andWord = /(?:AND(?![^\s()"'/])|&&)/iy;
const notWord = /NOT(?![^\s()"'/])|!(?!=)/iy;
const end = /[),]|$/y;

export function readExpression(context: ExpressionContext): Predicate {
  const { cursor } = context;
  const operands = [readAnd(context)];
  for (skipBlanks(cursor); take(cursor, orWord) !== null; skipBlanks(cursor)) {
    operands.push(readAnd(context));
  }
  return or(...operands);
}

function readAnd(context: ExpressionContext): Predicate {
  const { cursor, next } = context;
  const operands = [readNot(context)];
  for (;;) {
    skipBlanks(cursor);
    const isJoined = take(cursor, andWord) !== null;
    const isEnd = [end, orWord, ...(next === undefined ? [] : [next])].some(
      (one) => peek(cursor, one) !== null,
    );
    if (!isJoined && isEnd) return and(...operands);
    operands.push(readNot(context));
  }
}

function readNot(context: ExpressionContext): Predicate {
  const { cursor } = context;
  let isNegated = false;
  for (skipBlanks(cursor); take(cursor, notWord) !== null; skipBlanks(cursor)) {
    isNegated = !isNegated;
  }
  const predicate = readTerm(context);
  return isNegated ? not(predicate) : predicate;
}

const operators =
  /\s*(?:==|!==|[<>]=?|!?=|(?:NOT\s+)?(?:I?CONTAINS(?:-ANY|-ALL)?|I?STARTS-WITH(?:-ANY|-ALL)?|I?IN)(?![\w-]))/iy;
const compound =
  /[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*(?:\s*,\s*[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*)+(?=\s*(?:[<>]|!?=|(?:NOT\s+)?(?:I?CONTAINS|I?STARTS-WITH|I?IN)(?![\w])))/iy;

/** The vendor's own rules have where() within where(). */
const opening = /(?:where\s*)?\(/iy;

function readTerm(context: ExpressionContext): Predicate {
  const { cursor } = context;
  skipBlanks(cursor);
  if (take(cursor, opening) !== null) {
    return nested(cursor, () => {
      const predicate = readExpression(context);
      expect(cursor, ")");
      return predicate;
    });
  }
  countTerm(cursor);
  const regex = readRegex(context);
  if (regex !== undefined) return ask({ kind: "message" }, { kind: "regex", regex });
  const begin = cursor.at;
  const every = take(cursor, /all\s*\(([^()]*)\)(?=\s*(?:[<>=!]|[A-Za-z]))/iy);
  const names = every?.[1] ?? take(cursor, compound)?.[0];
  if (names !== undefined) {
    const test = readTest(context);
    const tests = names.split(",").map((key) => {
      countTerm(cursor);
      return test(leqlField(key.trim(), begin));
    });
    return every === null ? or(...tests) : and(...tests);
  }
  const quoted = readQuoted(cursor);
  const text = quoted ?? take(cursor, keyName)?.[0];
  if (text === undefined || /^(?:AND|OR|NOT)$/i.test(cursor.text.slice(begin, cursor.at))) {
    cursor.at = begin;
    throw queryError(
      cursor.at,
      `expected a condition but found ${found(cursor)}`,
      "write a word, /expression/ or key=value",
    );
  }
  if (peek(cursor, operators) !== null) return readTest(context)(leqlField(text, begin));
  if (quoted === undefined && isBelowKey(text)) return exists(leqlField(text, begin));
  const pattern = context.isLoose ? containing(text, true) : phrase(text, false);
  const keyword = ask({ kind: "message" }, { kind: "match", pattern });
  return quoted === undefined && isDottedKey(text)
    ? or(keyword, exists(leqlField(text, begin)))
    : keyword;
}
