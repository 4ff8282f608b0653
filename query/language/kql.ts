// The parser of KQL, Kibana's query language, over the events of LogTrace.
//
// The grammar is Kibana's, with one more form: `X NOT Y` is `X AND NOT Y`. What a field is decides
// what its value is compared with, as a mapping does there:
// - message is text: whole words in any case, any of the words between blanks, a phrase in quotes;
// - level, service and environment are keywords: the whole value, of level in any case;
// - timestamp is a date, as exact as it is written, or Elasticsearch's date math as now-1d/d;
// - other fields are attributes: a whole value or equal number, or words of one that holds blanks.
import { formatTimestamp } from "../../schemas/time.ts";
import type { Field } from "./field.ts";
import { toNumber } from "./numeric-text.ts";
import type { Pattern } from "./pattern.ts";
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
import { readKqlLiteral, type KqlLiteral } from "./kql-literal.ts";
import {
  accept,
  countTerm,
  expect,
  found,
  nested,
  openQuery,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { globbed, globbedWords, holdsBlank, literal, phrase } from "./text-pattern.ts";
import { readTimeSpan } from "./time-span.ts";

interface Context {
  readonly cursor: QueryCursor;
  /** ns since 1970, for dates like now-1h */
  readonly now: bigint;
}

/**
 * Parses a filter; an empty one passes everything.
 * @param now ns since 1970
 * @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text
 */
export function parseKql(text: string, now = BigInt(Date.now()) * 1_000_000n): Predicate {
  const cursor = openQuery(text);
  skipBlanks(cursor);
  if (cursor.at === text.length) return { kind: "always" };
  const predicate = readOr({ cursor, now }, (context) => readSub(context, ""));
  skipBlanks(cursor);
  if (cursor.at < text.length) {
    throw queryError(
      cursor.at,
      `unexpected ${found(cursor)}`,
      "join conditions by and, or; quote values",
    );
  }
  return predicate;
}

type Reader = (context: Context) => Predicate;

// A keyword stands between blanks; "not" may also begin what is read.
const orWord = /\s*(?<=\s)or\s+/iy;
const andWord = /\s*(?<=\s)and\s+/iy;
const notBetween = /\s*(?<=\s)not\s+/iy;
const notWord = /\s*not\s+/iy;

function readOr(context: Context, read: Reader): Predicate {
  const operands = [readAnd(context, read)];
  while (take(context.cursor, orWord) !== null) operands.push(readAnd(context, read));
  return or(...operands);
}

function readAnd(context: Context, read: Reader): Predicate {
  const operands = [readNot(context, read)];
  while (take(context.cursor, andWord) !== null || peek(context.cursor, notBetween) !== null) {
    operands.push(readNot(context, read));
  }
  return and(...operands);
}

function readNot(context: Context, read: Reader): Predicate {
  const { cursor } = context;
  const isNegated = take(cursor, notWord) !== null;
  skipBlanks(cursor);
  const predicate = accept(cursor, "(")
    ? nested(cursor, () => {
        const inside = readOr(context, read);
        expect(cursor, ")");
        return inside;
      })
    : read(context);
  return isNegated ? not(predicate) : predicate;
}

const rangeOperator = /\s*(<=|>=|<|>)/y;

/** @param prefix of the names of fields within braces */
function readSub(context: Context, prefix: string): Predicate {
  const { cursor } = context;
  countTerm(cursor);
  const begin = cursor.at;
  const left = readKqlLiteral(cursor);
  const comparison = take(cursor, rangeOperator)?.[1];
  if (comparison !== undefined) {
    const operand = cursor.at;
    const right = readKqlLiteral(cursor);
    return askRange(context, prefix + left.text, comparison as Comparison, right, operand);
  }
  if (!accept(cursor, ":")) {
    if (prefix === "") return askAnywhere(left);
    throw queryError(begin, "a value without a field within braces", "write field:value");
  }
  if (accept(cursor, "{")) {
    return nested(cursor, () => {
      const inside = readOr(context, (inner) => readSub(inner, `${prefix}${left.text}.`));
      expect(cursor, "}");
      return inside;
    });
  }
  const askValue = askerOf(context, left, prefix);
  skipBlanks(cursor);
  // The value alone: "and" behind it belongs to the conditions.
  if (peek(cursor, /\(/y) === null) return askValue(readKqlLiteral(cursor), begin);
  return readNot(context, ({ cursor: inner }) => {
    countTerm(inner);
    const at = inner.at;
    return askValue(readKqlLiteral(inner), at);
  });
}

/** What is asked when a field has a value. */
type Asker = (value: KqlLiteral, offset: number) => Predicate;

function askerOf({ now }: Context, name: KqlLiteral, prefix: string): Asker {
  const full = prefix + name.text;
  if (name.hasWildcard) {
    if (full === "*")
      return (value) => (value.isAnything ? { kind: "always" } : askAnywhere(value));
    const field: Field = {
      kind: "attributesLike",
      names: globbed(prefix === "" ? name.glob : [prefix, ...name.glob], false),
    };
    return (value) => askField(field, value);
  }
  if (isTime(full)) {
    return (value, offset) => {
      if (value.isAnything) return { kind: "always" };
      const { from, end } = readSpan(value, now, offset);
      return and(
        { kind: "time", comparison: ">=", time: from },
        { kind: "time", comparison: "<", time: end },
      );
    };
  }
  return (value) => askField(kqlField(full), value);
}

/** The field of a name, but for timestamp. */
export function kqlField(name: string): Field {
  switch (name) {
    case "message":
      return { kind: "message" };
    case "environment":
      return { kind: "label", index: 0 };
    case "service":
      return { kind: "label", index: 1 };
    case "level":
      return { kind: "label", index: 2 };
    default:
      return { kind: "arrayAttribute", name };
  }
}

function isTime(name: string): boolean {
  return name === "timestamp" || name === "@timestamp";
}

function readSpan(
  { text }: KqlLiteral,
  now: bigint,
  offset: number,
): { from: bigint; end: bigint } {
  const span = readTimeSpan(text, now);
  if (span !== undefined) return span;
  const what = `no time: ${JSON.stringify(text.slice(0, 100))}`;
  throw queryError(offset, what, 'write "2024-03-15", "2024-03-15T10:22:01Z", now-1h or now-1d/d');
}

function askRange(
  { now }: Context,
  name: string,
  comparison: Comparison,
  value: KqlLiteral,
  offset: number,
): Predicate {
  if (value.hasWildcard)
    throw queryError(offset, "a wildcard in a range", "write a number or date");
  if (isTime(name)) {
    const { from, end } = readSpan(value, now, offset);
    // What is after a day begins with its end, and so on.
    if (comparison === "<" || comparison === ">=") return { kind: "time", comparison, time: from };
    return { kind: "time", comparison: comparison === ">" ? ">=" : "<", time: end };
  }
  const number = toNumber(value.text);
  const test: Test =
    number === undefined
      ? (dateTest(value.text, comparison, now) ?? { kind: "order", comparison, text: value.text })
      : { kind: "number", comparison, value: number };
  return ask(kqlField(name), test);
}

const SECOND_CHARACTERS = "YYYY-MM-DDThh:mm:ss".length;

/**
 * What a date bounds in a field of texts: ISO 8601 in UTC is in the order of its letters, and whatever is in a
 * second begins with it.
 */
function dateTest(text: string, comparison: Comparison, now: bigint): Test | undefined {
  const span = readTimeSpan(text, now);
  if (span === undefined) return undefined;
  const isAfter = comparison === ">" || comparison === "<=";
  const second = formatTimestamp(isAfter ? span.end : span.from).slice(0, SECOND_CHARACTERS);
  // A day without a time of it begins as its midnight does.
  const bound = second.replace(/T00:00:00$|(?::00){1,2}$/, "");
  const isBelow = comparison === "<" || comparison === "<=";
  return { kind: "order", comparison: isBelow ? "<" : ">=", text: bound };
}

/** In the message, the labels and all attributes. */
function askAnywhere(value: KqlLiteral): Predicate {
  if (value.isAnything) return { kind: "always" };
  return or(
    askField({ kind: "message" }, value),
    askField({ kind: "label", index: 0 }, value),
    askField({ kind: "label", index: 1 }, value),
    askField({ kind: "label", index: 2 }, value),
    askField({ kind: "anyAttribute" }, value),
  );
}

function askField(field: Field, value: KqlLiteral): Predicate {
  if (value.isAnything) return exists(field);
  if (field.kind === "message") return ask(field, wordsTest(value));
  if (field.kind === "label") return ask(field, match(wholePattern(value, field.index === 2)));
  const number = value.isQuoted ? undefined : toNumber(value.text);
  const tests: Test[] = [
    match(wholePattern(value, false)),
    { kind: "and", operands: [match(holdsBlank), wordsTest(value)] },
  ];
  if (number !== undefined) tests.push({ kind: "number", comparison: "=", value: number });
  return ask(field, { kind: "or", operands: tests });
}

function match(pattern: Pattern): Test {
  return { kind: "match", pattern };
}

function wholePattern(value: KqlLiteral, ignoreCase: boolean): Pattern {
  return value.hasWildcard ? globbed(value.glob, ignoreCase) : literal(value.text, ignoreCase);
}

function wordsTest(value: KqlLiteral): Test {
  if (value.hasWildcard) return match(globbedWords(value.glob));
  if (value.isQuoted) return match(phrase(value.text));
  const pieces = value.text.split(/\s+/).filter((piece) => piece !== "");
  return { kind: "or", operands: pieces.map((piece) => match(phrase(piece))) };
}
