// The expressions of LEQL, as they stand in where(): keywords, expressions over the line, tests of keys.
//
// Decisions where the vendor's documents are silent or at odds:
// - keywords are whole words of the line in their case; "loose" takes parts in any case;
// - a key that is missing passes no test, != and the like included; NOT before a test passes it;
// - terms side by side are joined by AND; AND binds tighter than OR.
import { jsonField, type Field } from "./field.ts";
import { readNetwork } from "./network.ts";
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
  nested,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { compileRe2, type Re2 } from "./re2-regex.ts";
import { containing, literal, phrase, startingWith } from "./text-pattern.ts";

export interface ExpressionContext {
  readonly cursor: QueryCursor;
  readonly isLoose: boolean;
  /** The expressions with named groups that were read; their groups are keys. */
  readonly regexes: Re2[];
}

/** The field of a key: of the line's JSON, or of a pair key=value in it. */
export function leqlField(key: string): Field {
  return { kind: "firstOf", fields: [jsonField(key), { kind: "pair", key }] };
}

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
  const { cursor } = context;
  const operands = [readNot(context)];
  for (;;) {
    skipBlanks(cursor);
    const isJoined = take(cursor, andWord) !== null;
    if (!isJoined && (peek(cursor, end) !== null || peek(cursor, orWord) !== null)) {
      return and(...operands);
    }
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

const name = /[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*/y;
const operators =
  /\s*(?:==|!==|[<>]=?|!?=|(?:NOT\s+)?(?:I?CONTAINS(?:-ANY|-ALL)?|I?STARTS-WITH(?:-ANY|-ALL)?|I?IN)(?![\w-]))/iy;
const compound =
  /[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*(?:\s*,\s*[^\s()[\]"'=!<>,/][^\s()[\]"'=!<>,]*)+(?=\s*(?:[<>]|!?=|(?:NOT\s+)?(?:I?CONTAINS|I?STARTS-WITH|I?IN)(?![\w])))/iy;

function readTerm(context: ExpressionContext): Predicate {
  const { cursor } = context;
  if (accept(cursor, "(")) {
    return nested(cursor, () => {
      const predicate = readExpression(context);
      expect(cursor, ")");
      return predicate;
    });
  }
  countTerm(cursor);
  const regex = readRegex(context);
  if (regex !== undefined) return ask({ kind: "message" }, { kind: "regex", regex });
  const every = take(cursor, /all\s*\(([^()]*)\)(?=\s*(?:[<>=!]|[A-Za-z]))/iy);
  const names = every?.[1] ?? take(cursor, compound)?.[0];
  if (names !== undefined) {
    const test = readTest(context);
    const tests = names.split(",").map((key) => test(leqlField(key.trim())));
    return every === null ? or(...tests) : and(...tests);
  }
  const begin = cursor.at;
  const text = readQuoted(cursor) ?? take(cursor, name)?.[0];
  if (text === undefined || /^(?:AND|OR|NOT)$/i.test(cursor.text.slice(begin, cursor.at))) {
    cursor.at = begin;
    throw queryError(
      cursor.at,
      `expected a condition but found ${found(cursor)}`,
      "write a word, /expression/ or key=value",
    );
  }
  if (peek(cursor, operators) !== null) return readTest(context)(leqlField(text));
  const pattern = context.isLoose ? containing(text, true) : phrase(text, false);
  return ask({ kind: "message" }, { kind: "match", pattern });
}

const slashed = /\/((?:[^/\\]|\\[^])*)\/([A-Za-z]*)/y;

/** Reads an expression between slashes if one is next. */
function readRegex(context: ExpressionContext): Re2 | undefined {
  const { cursor } = context;
  const begin = cursor.at;
  const match = take(cursor, slashed);
  if (match === null) return undefined;
  const flags = match[2] ?? "";
  if (/[^gi]/i.test(flags)) {
    throw queryError(cursor.at - flags.length, `unknown flags "${flags}"`, "write i, or nothing");
  }
  const regex = compileRe2(match[1] ?? "", context.isLoose || /i/i.test(flags), begin + 1);
  if (regex.groups.size > 0) context.regexes.push(regex);
  return regex;
}

const tripled = /'''([^]*?)'''|"""([^]*?)"""/y;
const doubled = /"((?:[^"\\]|\\[^])*)"/y;
const singled = /'((?:[^'\\]|\\[^])*)'/y;

/** Reads a text in quotes if one is next; a backslash escapes itself and quotes, and is kept before others. */
export function readQuoted(cursor: QueryCursor): string | undefined {
  const raw = take(cursor, tripled);
  if (raw !== null) return raw[1] ?? raw[2] ?? "";
  const match = take(cursor, doubled) ?? take(cursor, singled);
  return match?.[1]?.replaceAll(/\\([\\"'])/g, "$1");
}

/** What a test of a key makes of the key's field. */
type Tester = (field: Field) => Predicate;

function present(test: Tester): Tester {
  return (field) => and(exists(field), not(test(field)));
}

const negated = /NOT\s+/iy;
const symbol = /[<>]=?|!?==?/y;
const word = /(I?)(CONTAINS|STARTS-WITH|IN)(?:-(ANY|ALL))?(?![\w-])/iy;

function readTest(context: ExpressionContext): Tester {
  const { cursor } = context;
  skipBlanks(cursor);
  if (take(cursor, negated) !== null) return present(readTest(context));
  const operator = take(cursor, symbol)?.[0];
  skipBlanks(cursor);
  if (operator === "=" || operator === "==") return readEquality(context);
  if (operator === "!=" || operator === "!==") {
    if (take(cursor, nullWord) !== null) return exists;
    return present(readEquality(context));
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
  if (take(context.cursor, nullWord) !== null) return (field) => not(exists(field));
  const test = readValue(context, context.isLoose);
  return (field) => ask(field, test);
}

function readComparison({ cursor }: ExpressionContext, comparison: Comparison): Tester {
  const begin = cursor.at;
  const text = readQuoted(cursor) ?? take(cursor, bareValue)?.[0] ?? "";
  const value = toNumber(text);
  if (value === undefined) {
    const what = text === "" ? found(cursor) : JSON.stringify(text);
    throw queryError(begin, `expected a number but found ${what}`, `write one after ${comparison}`);
  }
  return (field) => ask(field, { kind: "number", comparison, value });
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

const bareValue = /(?:[^\s()[\]"',\\]|\\[^])+/y;
const nocase = /NOCASE\s*\(/iy;
const network = /IP\s*\(\s*([^\s()]*)\s*\)/iy;

function readValue(context: ExpressionContext, ignoreCase: boolean): Test {
  const { cursor } = context;
  const begin = cursor.at;
  const regex = readRegex(context);
  if (regex !== undefined) return { kind: "regex", regex };
  const address = take(cursor, network);
  if (address !== null) {
    const read = readNetwork(address[1] ?? "");
    if (read !== undefined) return { kind: "network", network: read };
    throw queryError(
      begin,
      `no network of IP addresses: "${address[1] ?? ""}"`,
      "write IP(10.0.0.0/8)",
    );
  }
  if (take(cursor, nocase) !== null) {
    skipBlanks(cursor);
    const pattern = literal(readText(cursor), true);
    expect(cursor, ")");
    return { kind: "match", pattern };
  }
  const isQuoted = peek(cursor, /["']/y) !== null;
  const text = readText(cursor);
  const value = isQuoted ? undefined : toNumber(text);
  const pattern = context.isLoose ? containing(text, true) : literal(text, ignoreCase);
  const equal: Test = { kind: "match", pattern };
  if (value === undefined) return equal;
  return { kind: "or", operands: [equal, { kind: "number", comparison: "=", value }] };
}

function readText(cursor: QueryCursor): string {
  const text = readQuoted(cursor) ?? take(cursor, bareValue)?.[0].replaceAll("\\\\", "\\");
  if (text !== undefined) return text;
  throw queryError(
    cursor.at,
    `expected a value but found ${found(cursor)}`,
    "write one, or quote it",
  );
}
