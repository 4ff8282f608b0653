// Values and names of fields in KQL: quoted, or a run of characters up to a keyword or sign.
import {
  countTerm,
  found,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import type { Glob } from "./text-pattern.ts";

export interface KqlLiteral {
  /** With "*" for each wildcard. */
  readonly text: string;
  readonly glob: Glob;
  readonly isQuoted: boolean;
  readonly hasWildcard: boolean;
  /** It is nothing but wildcards. */
  readonly isAnything: boolean;
}

/** @throws LogboomError BAD_REQUEST unless a value is next, after blanks */
export function readKqlLiteral(cursor: QueryCursor): KqlLiteral {
  skipBlanks(cursor);
  return peek(cursor, /"/y) === null ? readUnquoted(cursor) : readQuoted(cursor);
}

const quoted = /"((?:[^"\\]|\\[^])*)"/y;
const controls: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r" };

function readQuoted(cursor: QueryCursor): KqlLiteral {
  const match = take(cursor, quoted);
  if (match === null)
    throw queryError(cursor.at, "a quote that is not closed", 'write " at its end');
  const text = (match[1] ?? "").replaceAll(
    // Before other letters a backslash is one.
    /\\(?:u([0-9A-Fa-f]{4})|([trn"\\]))/g,
    (_, code: string | undefined, character: string) =>
      code === undefined
        ? (controls[character] ?? character)
        : String.fromCharCode(Number.parseInt(code, 16)),
  );
  return {
    text: text.toWellFormed(),
    glob: [text.toWellFormed()],
    isQuoted: true,
    hasWildcard: false,
    isAnything: false,
  };
}

/** A keyword ends a value where it is a word of its own. */
const ending = /\s+(?:(?:and|or|not)(?=[\s()]|$)|$)|\s*[():<>"{}]/iy;
const keyword = /(?:and|or|not)(?=[\s():<>"{}]|$)/iy;
const escaped = /\\(?:u([0-9A-Fa-f]{4})|(and|or|not)|([trn\\():<>"*{}]))/iy;

const run = /\s+/y;

function readUnquoted(cursor: QueryCursor): KqlLiteral {
  if (peek(cursor, keyword) !== null) throw expected(cursor, "quote it, or write \\ before it");
  const glob: (string | { wildcard: "*" })[] = [];
  let text = "";
  let all = "";
  while (cursor.at < cursor.text.length && peek(cursor, ending) === null) {
    // What ends a value behind blanks was seen at the first of them.
    const between = take(cursor, run);
    if (between !== null) {
      text += between[0];
      countTerm(cursor);
      continue;
    }
    const escape = take(cursor, escaped);
    const character = escape === null ? cursor.text.charAt(cursor.at) : "";
    if (escape !== null) {
      const [, code, word, other = ""] = escape;
      text +=
        code === undefined
          ? (word ?? controls[other] ?? other)
          : String.fromCharCode(Number.parseInt(code, 16));
    } else if (character === "\\") {
      throw queryError(
        cursor.at,
        "a backslash before what needs none",
        "write \\\\ for a backslash, or quote the value",
      );
    } else {
      cursor.at += 1;
      if (character === "*") {
        if (text !== "") glob.push(text);
        all += `${text}*`;
        text = "";
        glob.push({ wildcard: "*" });
      } else text += character;
    }
  }
  if (text !== "") glob.push(text.toWellFormed());
  all = (all + text).toWellFormed();
  if (glob.length === 0) throw expected(cursor, "write one, or quote it");
  const hasWildcard = glob.some((part) => typeof part !== "string");
  const isAnything = glob.every((part) => typeof part !== "string");
  return { text: all, glob, isQuoted: false, hasWildcard, isAnything };
}

function expected(cursor: QueryCursor, advice: string): Error {
  return queryError(cursor.at, `expected a value but found ${found(cursor)}`, advice);
}
