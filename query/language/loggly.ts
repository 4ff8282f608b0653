// The parser of Loggly's search language: what stands in `q` becomes a predicate.
//
// Lucene's syntax with words in any case. Decisions where the vendor's documents are silent:
// - a bare term is looked for in the message as received, the host, the app, and the values of all attributes: the tags,
//   what syslog and HTTP say, and whatever other doors put there; of JSON whose letters are escaped, also in the values;
// - text is found by whole words, numbers by their value, tags as a whole;
// - an expression between slashes covers whole words, in any case; "*" covers no blanks;
// - what is neither json., syslog., http., tag nor logtype is a field of the JSON, or an attribute.
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
import { containing, globbed, globbedWords, phrase, type Glob } from "./text-pattern.ts";

/**
 * Parses a query.
 * @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text
 */
export function parseLoggly(text: string): Predicate {
  const cursor = openQuery(text);
  const predicate = readOr(cursor, undefined);
  skipBlanks(cursor);
  if (cursor.at < text.length) {
    throw queryError(cursor.at, `unexpected ${found(cursor)}`, "quote it, or write \\ before it");
  }
  return predicate;
}

/** The label has no room for very many tags; the attribute has all. */
const tagLists: readonly Field[] = [
  { kind: "attribute", name: "tags" },
  { kind: "label", index: 2 },
];
const tags: Field = { kind: "list", of: { kind: "firstOf", fields: tagLists } };

/** The field of a name, as facets and statistics know it, too. */
export function logglyField(name: string): Field {
  if (name === "tag" || name === "tags") return tags;
  if (/^(?:syslog|http)\./.test(name)) return { kind: "attribute", name };
  if (name.startsWith("json.")) return jsonField(name.slice("json.".length));
  return { kind: "firstOf", fields: [jsonField(name), { kind: "attribute", name }] };
}

const conjunction = /(?:AND(?![^\s()])|&&)/y;
const disjunction = /(?:OR(?![^\s()])|\|\|)/y;
const negation = /(?:NOT(?![^\s()])|!|-)/y;

/** @param field in whose group the terms stand; undefined = in none */
function readOr(cursor: QueryCursor, field: string | undefined): Predicate {
  const operands = [readAnd(cursor, field)];
  for (skipBlanks(cursor); take(cursor, disjunction) !== null; skipBlanks(cursor)) {
    operands.push(readAnd(cursor, field));
  }
  return or(...operands);
}

function readAnd(cursor: QueryCursor, field: string | undefined): Predicate {
  const operands = [readNot(cursor, field)];
  for (;;) {
    skipBlanks(cursor);
    const isJoined = take(cursor, conjunction) !== null;
    const isEnd = cursor.at >= cursor.text.length || peek(cursor, disjunction) !== null;
    if (!isJoined && (isEnd || peek(cursor, /\)/y) !== null)) return and(...operands);
    operands.push(readNot(cursor, field));
  }
}

function readNot(cursor: QueryCursor, field: string | undefined): Predicate {
  let isNegated = false;
  for (skipBlanks(cursor); take(cursor, negation) !== null; skipBlanks(cursor)) {
    isNegated = !isNegated;
  }
  accept(cursor, "+");
  const predicate = readPrimary(cursor, field);
  return isNegated ? not(predicate) : predicate;
}

const fieldName = /((?:[\p{L}_@$*]|\\[^])(?:[\p{L}\p{N}_.@$/-]|\\[^])*):/uy;

function readPrimary(cursor: QueryCursor, field: string | undefined): Predicate {
  if (accept(cursor, "(")) return readGroup(cursor, field);
  const name = field === undefined ? take(cursor, fieldName) : null;
  if (name === null) return readValue(cursor, field);
  const unescaped = (name[1] ?? "").replaceAll(/\\([^])/g, "$1");
  if (unescaped === "*") return readValue(cursor, undefined);
  skipBlanks(cursor);
  if (accept(cursor, "(")) return readGroup(cursor, unescaped);
  return readValue(cursor, unescaped);
}

function readGroup(cursor: QueryCursor, field: string | undefined): Predicate {
  return nested(cursor, () => {
    const predicate = readOr(cursor, field);
    expect(cursor, ")");
    return predicate;
  });
}

const quoted = /"((?:[^"\\]|\\[^])*)"/y;
const slashed = /\/((?:[^/\\]|\\[^])*)\//y;
const comparison = /[<>]=?/y;
const range =
  /([[{])\s*("(?:[^"\\]|\\[^])*"|[^\s\]}]+)\s+TO\s+("(?:[^"\\]|\\[^])*"|[^\s\]}]+)\s*([\]}])/y;
const bare = /(?:[^\s()"[\]{}\\]|\\[^])+/y;

function readValue(cursor: QueryCursor, field: string | undefined): Predicate {
  countTerm(cursor);
  const begin = cursor.at;
  const text = take(cursor, quoted);
  if (text !== null) return askText(field, [unescape(text[1] ?? "")], begin, true);
  const regex = take(cursor, slashed);
  if (regex !== null) return askRegex(field, regex[1] ?? "", begin + 1);
  const bounds = take(cursor, range);
  if (bounds !== null) return askRange(cursor, field, bounds, begin);
  const operator = field === undefined ? null : take(cursor, comparison);
  if (operator !== null) {
    skipBlanks(cursor);
    const bound = (take(cursor, quoted)?.[1] ?? take(cursor, bare)?.[0] ?? "").trim();
    if (bound === "") throw queryError(cursor.at, "expected a number or text", "write one");
    return ask(logglyField(field ?? ""), compared(operator[0] as Comparison, unescape(bound)));
  }
  const term = take(cursor, bare);
  if (term === null || isKeyword(term[0])) {
    cursor.at = begin;
    throw queryError(
      begin,
      `expected a term but found ${found(cursor)}`,
      "write a word or quote it",
    );
  }
  return askText(field, readGlob(term[0]), begin, false);
}

function isKeyword(text: string): boolean {
  return text === "AND" || text === "OR" || text === "NOT";
}

function unescape(text: string): string {
  return text.replaceAll(/\\([^])/g, "$1");
}

/** The texts and wildcards of a term. */
function readGlob(term: string): Glob {
  const parts: (string | { wildcard: "*" | "?" })[] = [];
  let text = "";
  for (const [all] of term.matchAll(/\\[^]|[^]/gu)) {
    if (all !== "*" && all !== "?") {
      text += all.length > 1 && all.startsWith("\\") ? all.slice(1) : all;
      continue;
    }
    if (text !== "") parts.push(text);
    text = "";
    parts.push({ wildcard: all });
  }
  if (text !== "") parts.push(text);
  return parts;
}

function askText(
  name: string | undefined,
  glob: Glob,
  offset: number,
  isQuoted: boolean,
): Predicate {
  const isAll =
    glob.length > 0 && glob.every((part) => typeof part !== "string" && part.wildcard === "*");
  // In a message, a number is a word like others.
  if (name === undefined) return isAll ? { kind: "always" } : askAnywhere(testOf(glob, true));
  if (name === "logtype") return askLogtype(glob, isAll, offset);
  const field = logglyField(name);
  if (isAll) return exists(field);
  if (field === tags) return ask(field, { kind: "match", pattern: globbed(glob, true) });
  return ask(field, testOf(glob, isQuoted));
}

function testOf(glob: Glob, isQuoted: boolean): Test {
  const [text = ""] = glob;
  if (typeof text !== "string" || glob.length > 1) {
    return { kind: "match", pattern: globbedWords(glob) };
  }
  const words: Test = { kind: "match", pattern: phrase(text) };
  const value = isQuoted ? undefined : toNumber(text);
  if (value === undefined) return words;
  // 5 is not a word of 5.2, and 5.0 is 5.
  const isText: Test = { kind: "not", operand: { kind: "isNumber" } };
  return {
    kind: "or",
    operands: [
      { kind: "number", comparison: "=", value },
      { kind: "and", operands: [isText, words] },
    ],
  };
}

/** Python, for one, writes letters outside ASCII so; all other escapes of JSON stand between words. */
const hasEscapedLetters: Predicate = { kind: "match", pattern: containing("\\u", false) };

/** In the message, in the labels that the door fills (host, app, tags), and in any attribute. */
function askAnywhere(test: Test): Predicate {
  return or(
    ask({ kind: "message" }, test),
    ask({ kind: "label", index: 0 }, test),
    ask({ kind: "label", index: 1 }, test),
    ask({ kind: "label", index: 2 }, test),
    ask({ kind: "anyAttribute" }, test),
    and(hasEscapedLetters, ask({ kind: "below", path: [] }, test)),
  );
}

function askLogtype(glob: Glob, isAll: boolean, offset: number): Predicate {
  if (isAll) return { kind: "always" };
  const isJson: Predicate = { kind: "isObject" };
  const isSyslog = or(
    exists({ kind: "attribute", name: "syslog.priority" }),
    exists({ kind: "attribute", name: "syslog.host" }),
  );
  const [type] = glob;
  if (glob.length === 1 && typeof type === "string") {
    if (type.toLowerCase() === "json") return isJson;
    if (type.toLowerCase() === "syslog") return isSyslog;
    if (type.toLowerCase() === "plain") return and(not(isJson), not(isSyslog));
    return { kind: "never" };
  }
  throw queryError(offset, "wildcards in logtype", "write json, syslog or plain");
}

function askRegex(name: string | undefined, source: string, offset: number): Predicate {
  const edge = "[^0-9A-Za-z_]";
  // Checked by itself first, so that an error shows where it is.
  compileRe2(source, true, offset);
  const regex = compileRe2(`(?:^|${edge})(?:${source})(?:$|${edge})`, true, offset);
  const test: Test = { kind: "regex", regex };
  return name === undefined ? askAnywhere(test) : ask(logglyField(name), test);
}

function askRange(
  cursor: QueryCursor,
  name: string | undefined,
  [, open, from = "", to = "", close]: RegExpExecArray,
  offset: number,
): Predicate {
  if (name === undefined) {
    cursor.at = offset;
    throw queryError(offset, "a range needs a field", "write field:[1 TO 5]");
  }
  const operands = [
    ...(from === "*" ? [] : [compared(open === "[" ? ">=" : ">", unquote(from))]),
    ...(to === "*" ? [] : [compared(close === "]" ? "<=" : "<", unquote(to))]),
  ];
  return ask(logglyField(name), { kind: "and", operands });
}

function unquote(text: string): string {
  return unescape(/^"([^]*)"$/.exec(text)?.[1] ?? text);
}

function compared(comparison: Comparison, bound: string): Test {
  const value = toNumber(bound);
  if (value === undefined) return { kind: "order", comparison, text: bound };
  return { kind: "number", comparison, value };
}
