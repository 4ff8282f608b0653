// Groups of the logging24 dialect: what stands between parentheses, and what is refused there.
import { lookAt, refusal, skip, type Cursor } from "./cursor.ts";
import { decimalNumber } from "./literal.ts";
import { capture, type CaptureName, type Pattern } from "./pattern.ts";

const maxDepth = 200;
const maxDecimals = 9;

/** What other dialects mean by a group that this one does not have. */
const foreign: readonly (readonly [opening: RegExp, what: string, advice: string])[] = [
  [/\(\?<?[=!]/y, "look-around is not in the dialect", "combine whole patterns, as A&B or A~B"],
  [/\(\?>/y, "atomic groups are not in the dialect", "write (?:…)"],
  [/\(\?P?['<]/y, "only the captures x, y and key exist", "write (?<key>…)"],
  [/\(\?#/y, "comments are not in the dialect", "leave it out"],
  [/\(\?[R\d&+P|(]/y, "recursion and conditions are not in the dialect", "write the text again"],
  [
    /\(\?(?:int|num|txt)\b/y,
    "this form of a number or text is not in the dialect",
    "write (?int), (?num(N)) or (?txt(…))",
  ],
  [/\(\?[a-zA-Z^-]+[:)]/y, "flags are not in the dialect", "write a class like [Ee]rror"],
];

/** Reads the group whose parenthesis is next; `readUnion` reads what stands inside. */
export function readGroup(cursor: Cursor, readUnion: (cursor: Cursor) => Pattern): Pattern {
  const offset = cursor.at;
  if (skip(cursor, "(?int)")) return decimalNumber(0);
  const number = lookAt(cursor, /\(\?num\((\d+)\)\)/y);
  if (number !== null) return readNumber(cursor, number);
  if (skip(cursor, "(?txt(")) return readInside(cursor, offset, "))", readUnion);
  const name = lookAt(cursor, /\(\?<(x|y|key)>/y);
  if (name !== null) {
    cursor.at += name[0].length;
    return readCapture(cursor, offset, name[1] as CaptureName, readUnion);
  }
  if (!skip(cursor, "(?:")) {
    if (cursor.text.startsWith("(?", offset)) throw refuseGroup(cursor);
    cursor.at += 1;
  }
  return readInside(cursor, offset, ")", readUnion);
}

function readNumber(cursor: Cursor, found: RegExpExecArray): Pattern {
  const decimals = Number(found[1]);
  if (decimals > maxDecimals) {
    const what = `(?num(${String(decimals)})) has too many decimals`;
    throw refusal(cursor.at, what, `write 0 to ${String(maxDecimals)}`);
  }
  cursor.at += found[0].length;
  return decimalNumber(decimals);
}

function readCapture(
  cursor: Cursor,
  offset: number,
  name: CaptureName,
  readUnion: (cursor: Cursor) => Pattern,
): Pattern {
  if (cursor.captures.has(name)) {
    throw refusal(offset, `the capture ${name} is there already`, "name each capture once");
  }
  cursor.captures.set(name, offset);
  const item = readInside(cursor, offset, ")", readUnion);
  if (item.hasCapture) {
    throw refusal(offset, `the capture ${name} holds another`, "set captures side by side");
  }
  return capture(name, item);
}

function readInside(
  cursor: Cursor,
  offset: number,
  closing: string,
  readUnion: (cursor: Cursor) => Pattern,
): Pattern {
  cursor.depth += 1;
  if (cursor.depth > maxDepth) {
    const what = `groups are nested deeper than ${String(maxDepth)}`;
    throw refusal(offset, what, "leave out groups that are not needed");
  }
  const item = readUnion(cursor);
  if (!skip(cursor, closing)) {
    throw refusal(offset, "a group is not closed", `write ${closing} at its end, or \\( for a (`);
  }
  cursor.depth -= 1;
  return item;
}

function refuseGroup(cursor: Cursor): Error {
  const offset = cursor.at;
  for (const [opening, what, advice] of foreign) {
    const found = lookAt(cursor, opening);
    if (found === null) continue;
    return refusal(offset, `${what}: "${found[0]}"`, advice);
  }
  return refusal(offset, 'this "(?" is not in the dialect', "write (?:…) for a group");
}
