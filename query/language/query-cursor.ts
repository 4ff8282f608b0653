// Where a parser stands in the text of a query, and how it refuses what it finds there.
import { LogboomError } from "../../schemas/errors.ts";

export interface QueryCursor {
  readonly text: string;
  /** Offset of the next character, in UTF-16 code units. */
  at: number;
  /** How many groups are open. */
  depth: number;
  /** How many terms were read. */
  terms: number;
}

const maxCharacters = 20_000;
const maxDepth = 100;
const maxTerms = 250;

/**
 * Builds the refusal of a query.
 * @param offset of the construct, in UTF-16 code units of the query
 * @param what names the construct
 * @param advice says what to write instead
 */
export function queryError(offset: number, what: string, advice: string): LogboomError {
  return new LogboomError("BAD_REQUEST", `${what}, at offset ${String(offset)}; ${advice}`, {
    details: { offset },
  });
}

/** Starts on a query. @throws LogboomError BAD_REQUEST when it is too long to be one */
export function openQuery(text: string): QueryCursor {
  if (text.length > maxCharacters) {
    const what = `the query has more than ${String(maxCharacters)} characters`;
    throw queryError(maxCharacters, what, "write a shorter one");
  }
  const broken = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.exec(
    text,
  );
  if (broken !== null) {
    throw queryError(broken.index, "an unpaired surrogate", "write valid Unicode");
  }
  return { text, at: 0, depth: 0, terms: 0 };
}

/** Reads what is nested, such as a group in parentheses, within the bound of depth. */
export function nested<Result>(cursor: QueryCursor, read: () => Result): Result {
  if (cursor.depth === maxDepth) {
    const what = `more than ${String(maxDepth)} groups within each other`;
    throw queryError(cursor.at, what, "write fewer parentheses");
  }
  cursor.depth += 1;
  const result = read();
  cursor.depth -= 1;
  return result;
}

/** Counts one more condition. */
export function countTerm(cursor: QueryCursor): void {
  cursor.terms += 1;
  if (cursor.terms <= maxTerms) return;
  throw queryError(cursor.at, `more than ${String(maxTerms)} terms`, "write a smaller query");
}

/** The match of a sticky expression at the cursor, which stays where it is. */
export function peek(cursor: QueryCursor, sticky: RegExp): RegExpExecArray | null {
  sticky.lastIndex = cursor.at;
  return sticky.exec(cursor.text);
}

/** Moves past the match of a sticky expression when it is next. */
export function take(cursor: QueryCursor, sticky: RegExp): RegExpExecArray | null {
  const match = peek(cursor, sticky);
  if (match !== null) cursor.at += match[0].length;
  return match;
}

const blanks = /\s*/y;

export function skipBlanks(cursor: QueryCursor): void {
  take(cursor, blanks);
}

/** Moves past the text, after blanks, when it is next. */
export function accept(cursor: QueryCursor, text: string): boolean {
  skipBlanks(cursor);
  if (!cursor.text.startsWith(text, cursor.at)) return false;
  cursor.at += text.length;
  return true;
}

/** @throws LogboomError BAD_REQUEST unless the text is next, after blanks */
export function expect(cursor: QueryCursor, text: string): void {
  if (accept(cursor, text)) return;
  throw queryError(cursor.at, `expected "${text}" but found ${found(cursor)}`, `write "${text}"`);
}

/** Names what is next, for errors. */
export function found(cursor: QueryCursor): string {
  if (cursor.at >= cursor.text.length) return "the end of the query";
  return JSON.stringify(String.fromCodePoint(cursor.text.codePointAt(cursor.at) ?? 0));
}
