// The parsers of Scalyr's filters and of the functions of its numeric queries.
//
// Decisions where the vendor's documents are silent:
// - a bare word or quoted text stands anywhere in the message, in any case, and so does what
//   `contains` is given; expressions mind case unless they say (?i);
// - a missing field passes != and no other comparison;
// - a name without $ is an attribute of the event or a field of its JSON message; one with $ is the
//   server's, given by addEvents or as server-… to uploadLogs.
import { jsonField, type Field } from "./field.ts";
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
  openQuery,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { compileRe2 } from "./re2-regex.ts";
import { containing, literal } from "./text-pattern.ts";

/**
 * Parses a filter; an empty one passes everything.
 * @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text
 */
export function parseScalyrFilter(text: string): Predicate {
  const cursor = openQuery(text);
  const predicate = readScalyrFilter(cursor);
  skipBlanks(cursor);
  if (cursor.at === text.length) return predicate;
  throw queryError(cursor.at, `unexpected ${found(cursor)}`, "quote it, or join terms by and, or");
}

/** Reads a filter up to its end, a closing parenthesis or the bar before a command. */
export function readScalyrFilter(cursor: QueryCursor): Predicate {
  skipBlanks(cursor);
  return peek(cursor, end) === null ? readOr(cursor) : { kind: "always" };
}

/** The field of a name. */
export function scalyrField(name: string): Field {
  switch (name.replace(/^\$/, "")) {
    case "message":
      return { kind: "message" };
    case "timestamp":
      return { kind: "time" };
    case "serverHost":
      return { kind: "label", index: 0 };
    case "logfile":
      return { kind: "label", index: 1 };
    case "parser":
      return { kind: "label", index: 2 };
  }
  const attribute: Field = { kind: "attribute", name };
  if (!name.startsWith("$")) return { kind: "firstOf", fields: [attribute, jsonField(name)] };
  const ofUpload: Field = { kind: "attribute", name: `server-${name.slice(1)}` };
  return { kind: "firstOf", fields: [attribute, ofUpload] };
}

const orWord = /or(?![^\s()"'])|\|\|/iy;
const andWord = /and(?![^\s()"'])|&&/iy;
const notWord = /not(?![^\s()"'])|!(?!=)/iy;
const end = /\)|\|(?!\|)|$/y;

function readOr(cursor: QueryCursor): Predicate {
  const operands = [readAnd(cursor)];
  for (skipBlanks(cursor); take(cursor, orWord) !== null; skipBlanks(cursor)) {
    operands.push(readAnd(cursor));
  }
  return or(...operands);
}

function readAnd(cursor: QueryCursor): Predicate {
  const operands = [readNot(cursor)];
  for (;;) {
    skipBlanks(cursor);
    const isJoined = take(cursor, andWord) !== null;
    if (!isJoined && (peek(cursor, end) !== null || peek(cursor, orWord) !== null)) {
      return and(...operands);
    }
    operands.push(readNot(cursor));
  }
}

function readNot(cursor: QueryCursor): Predicate {
  let isNegated = false;
  for (skipBlanks(cursor); take(cursor, notWord) !== null; skipBlanks(cursor)) {
    isNegated = !isNegated;
  }
  const predicate = readTerm(cursor);
  return isNegated ? not(predicate) : predicate;
}

const regexMark = /\$(?=["'])/y;
const fieldName =
  /((?:\$?[\p{L}_]|\$)(?:[\p{L}\p{N}_.:@/-]|\\[^])*)\s*(?=[<>]|[!=]=?|(?:contains|matches|in)(?![\p{L}\p{N}_.-]))/iuy;
const symbol = /[<>]=?|!=|==?/y;
const word = /(contains|matches|in)(?::(matchcase|anycase))?/iy;
const bare = /[^\s()"'=<>!&|]+/y;

function readTerm(cursor: QueryCursor): Predicate {
  if (accept(cursor, "(")) {
    return nested(cursor, () => {
      const predicate = readOr(cursor);
      expect(cursor, ")");
      return predicate;
    });
  }
  countTerm(cursor);
  const message: Field = { kind: "message" };
  if (take(cursor, regexMark) !== null) return ask(message, readRegex(cursor, false));
  const name = take(cursor, fieldName)?.[1]?.replaceAll(/\\([^])/g, "$1");
  if (name !== undefined) return readComparison(cursor, scalyrField(name));
  const begin = cursor.at;
  const text = readQuoted(cursor) ?? take(cursor, bare)?.[0];
  if (text === undefined || /^(?:and|or|not)$/i.test(cursor.text.slice(begin, cursor.at))) {
    cursor.at = begin;
    throw queryError(
      begin,
      `expected a term but found ${found(cursor)}`,
      "write a word or quote it",
    );
  }
  if (text === "*" && cursor.at === begin + 1) return readAnywhere(cursor);
  return ask(message, { kind: "match", pattern: containing(text, true) });
}

const anywhere = /(?=(?:contains|matches)(?![\p{L}\p{N}_.-]))/iuy;

/** Behind a `*`: what any field holds, or all events. */
function readAnywhere(cursor: QueryCursor): Predicate {
  skipBlanks(cursor);
  if (peek(cursor, anywhere) === null) return { kind: "always" };
  const begin = cursor.at;
  const fields: readonly Field[] = [
    { kind: "message" },
    { kind: "label", index: 0 },
    { kind: "label", index: 1 },
    { kind: "label", index: 2 },
    { kind: "anyAttribute" },
  ];
  const predicates = fields.map((field) => {
    cursor.at = begin;
    return readComparison(cursor, field);
  });
  return or(...predicates);
}

function readComparison(cursor: QueryCursor, field: Field): Predicate {
  const operator = take(cursor, symbol)?.[0].replace("==", "=");
  skipBlanks(cursor);
  if (operator === "=" || operator === "!=") {
    const isWild = take(cursor, /\*|null(?![^\s()])/y)?.[0];
    if (isWild !== undefined) {
      return (operator === "=") === (isWild === "*") ? exists(field) : not(exists(field));
    }
    const equal = ask(field, equalTest(cursor, false));
    return operator === "=" ? equal : not(equal);
  }
  if (operator !== undefined) {
    const text = readValue(cursor);
    const value = toNumber(text);
    const comparison = operator as Comparison;
    return ask(
      field,
      value === undefined
        ? { kind: "order", comparison, text }
        : { kind: "number", comparison, value },
    );
  }
  const [, name = "", qualifier] = take(cursor, word) ?? [];
  const isAnyCase = qualifier?.toLowerCase() === "anycase";
  skipBlanks(cursor);
  switch (name.toLowerCase()) {
    case "matches":
      return ask(
        field,
        readOneOrSeveral(cursor, () => readRegex(cursor, isAnyCase)),
      );
    case "in":
      return ask(
        field,
        readList(cursor, () => equalTest(cursor, isAnyCase)),
      );
    default: {
      const ignoreCase = qualifier?.toLowerCase() !== "matchcase";
      const readTest = (): Test => ({
        kind: "match",
        pattern: containing(readValue(cursor), ignoreCase),
      });
      return ask(field, readOneOrSeveral(cursor, readTest));
    }
  }
}

function readOneOrSeveral(cursor: QueryCursor, read: () => Test): Test {
  return peek(cursor, /\(/y) === null ? read() : readList(cursor, read);
}

/** Any of those in parentheses. */
function readList(cursor: QueryCursor, read: () => Test): Test {
  const operands: Test[] = [];
  expect(cursor, "(");
  do {
    skipBlanks(cursor);
    countTerm(cursor);
    operands.push(read());
  } while (accept(cursor, ","));
  expect(cursor, ")");
  return { kind: "or", operands };
}

function equalTest(cursor: QueryCursor, ignoreCase: boolean): Test {
  const isQuoted = peek(cursor, /["']/y) !== null;
  const text = readValue(cursor);
  const equal: Test = { kind: "match", pattern: literal(text, ignoreCase) };
  const value = isQuoted ? undefined : toNumber(text);
  if (value === undefined) return equal;
  return { kind: "or", operands: [equal, { kind: "number", comparison: "=", value }] };
}

function readRegex(cursor: QueryCursor, ignoreCase: boolean): Test {
  const begin = cursor.at;
  // The vendor doubles backslashes within quotes, and people leave that out: both are the same.
  const source = (take(cursor, doubled) ?? take(cursor, singled))?.[1];
  if (source === undefined) {
    throw queryError(begin, `expected an expression but found ${found(cursor)}`, "quote it");
  }
  return {
    kind: "regex",
    regex: compileRe2(source.replaceAll(/\\(["'\\])/g, "$1"), ignoreCase, begin + 1),
  };
}

const doubled = /"((?:[^"\\]|\\[^])*)"/y;
const singled = /'((?:[^'\\]|\\[^])*)'/y;
const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function readQuoted(cursor: QueryCursor): string | undefined {
  const match = take(cursor, doubled) ?? take(cursor, singled);
  return match?.[1]?.replaceAll(
    /\\([^])/g,
    (_, character: string) => controls[character] ?? character,
  );
}

/** Up to an operator that joins terms, or the bar before a command. */
const bareValue = /(?:(?!&&)[^\s()"',|])+/y;

function readValue(cursor: QueryCursor): string {
  const text = readQuoted(cursor) ?? take(cursor, bareValue)?.[0];
  if (text !== undefined) return text;
  throw queryError(
    cursor.at,
    `expected a value but found ${found(cursor)}`,
    "write one, or quote it",
  );
}
