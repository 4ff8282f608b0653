// The parser of the logging24 dialect: the text of a search's regex becomes a pattern.
//
// The grammar is section 4 of the search specification. Decisions where it is silent:
// - a bracket first in a class is a member; an empty operand of & or ~ is refused, of | it is not;
// - (?num(N)) has exactly N decimals, (?num(0)) is (?int);
// - a capture inside another, or repeated by anything but "?", is refused;
// - a quantifier upon a quantifier is refused; upon an anchor it is taken.
import { lookAt, readCharacter, refusal, skip, type Cursor } from "./cursor.ts";
import { literalCharacter } from "./literal.ts";
import { readClass } from "./logging24-class.ts";
import { readEscape } from "./logging24-escape.ts";
import { readGroup } from "./logging24-group.ts";
import {
  anyByte,
  bytes,
  concat,
  end,
  repeat,
  setOperation,
  start,
  union,
  type Pattern,
} from "./pattern.ts";

/** Positions that a pattern may have when its repetitions are written out. */
export const maxPositions = 100_000;
const maxCharacters = 100_000;
const maxRepetitions = 10_000;

/**
 * Parses a pattern of the dialect; the whole event must match it.
 * @throws LogboomError BAD_REGEX with `details.offset` in UTF-16 code units of the given text
 */
export function parseLogging24(text: string): Pattern {
  if (text.length > maxCharacters) {
    const what = `the pattern has more than ${String(maxCharacters)} characters`;
    throw refusal(maxCharacters, what, "write a shorter one");
  }
  const cursor: Cursor = { text, at: 0, depth: 0, captures: new Map() };
  const pattern = readUnion(cursor);
  if (cursor.at < text.length) {
    throw refusal(cursor.at, "a parenthesis closes nothing", "write \\) for a literal )");
  }
  return checkSize(pattern, 0);
}

function readUnion(cursor: Cursor): Pattern {
  const items = [readSet(cursor)];
  while (skip(cursor, "|")) items.push(readSet(cursor));
  return union(items);
}

/** `A&B~C&D` is what A, B and D match and C does not: the operators' order does not matter. */
function readSet(cursor: Cursor): Pattern {
  const begin = cursor.at;
  const all = [readConcat(cursor)];
  const none: Pattern[] = [];
  for (;;) {
    const offset = cursor.at;
    const operator = cursor.text.charAt(offset);
    if (operator !== "&" && operator !== "~") return setOperation(all, none);
    cursor.at += 1;
    const right = readConcat(cursor);
    const isMissing = offset === begin || cursor.at === offset + 1;
    if (isMissing) throw refuseOperand(offset, operator);
    if (operator === "&") all.push(right);
    else none.push(withoutCapture(cursor, right, offset));
  }
}

function refuseOperand(offset: number, operator: string): Error {
  const what = `"${operator}" needs a pattern on both sides`;
  return refusal(offset, what, `write \\${operator} for a literal ${operator}`);
}

function withoutCapture(cursor: Cursor, right: Pattern, operator: number): Pattern {
  if (!right.hasCapture) return right;
  const offset = [...cursor.captures.values()].find((capture) => capture > operator) ?? operator;
  throw refusal(offset, "a capture on the right of ~ never takes part", "write (?:…) there");
}

function readConcat(cursor: Cursor): Pattern {
  const items: Pattern[] = [];
  while (cursor.at < cursor.text.length && !"|&~)".includes(cursor.text.charAt(cursor.at))) {
    items.push(readRepeat(cursor));
  }
  return concat(items);
}

const counted = /\{(\d+)(,?)(\d*)\}/y;

/** Reads a quantifier if one is next. */
function readQuantifier(cursor: Cursor): { min: number; max: number } | undefined {
  if (skip(cursor, "?")) return { min: 0, max: 1 };
  if (skip(cursor, "*")) return { min: 0, max: Infinity };
  if (skip(cursor, "+")) return { min: 1, max: Infinity };
  const braces = lookAt(cursor, counted);
  if (braces === null || (braces[2] === "" && braces[3] !== "")) return undefined;
  const [all, low = "", comma, high] = braces;
  const min = Number(low);
  const max = comma === "" ? min : high === "" ? Infinity : Number(high);
  const limit = String(maxRepetitions);
  if (min > maxRepetitions || (max > maxRepetitions && max !== Infinity)) {
    throw refusal(cursor.at, `more than ${limit} repetitions`, "repeat a group of repetitions");
  }
  if (min > max) {
    throw refusal(cursor.at, "a repetition ends before it begins", "write {N,M} with N <= M");
  }
  cursor.at += all.length;
  return { min, max };
}

function readRepeat(cursor: Cursor): Pattern {
  const begin = cursor.at;
  const atom = readAtom(cursor);
  const offset = cursor.at;
  const quantifier = readQuantifier(cursor);
  if (quantifier === undefined) return atom;
  skip(cursor, "?");
  const second = cursor.at;
  if (readQuantifier(cursor) !== undefined) {
    const isPossessive = cursor.text.charAt(second) === "+";
    const what = isPossessive ? "a possessive quantifier" : "a quantifier upon a quantifier";
    throw refusal(second, `${what} is not in the dialect`, "write a group, as in (?:a*)+");
  }
  const { min, max } = quantifier;
  if (atom.hasCapture && !(min <= 1 && max === 1)) {
    throw refusal(begin, "a capture is repeated", "write the repetition inside, as (?<key>(?:…)*)");
  }
  return checkSize(repeat(atom, min, max), offset);
}

function checkSize(pattern: Pattern, offset: number): Pattern {
  if (pattern.size <= maxPositions) return pattern;
  const what = `the pattern is too complex: more than ${String(maxPositions)} positions`;
  throw refusal(offset, `${what} with its repetitions written out`, "write smaller repetitions");
}

function readAtom(cursor: Cursor): Pattern {
  const offset = cursor.at;
  const character = cursor.text.charAt(offset);
  if (character === "[") return readClass(cursor);
  if (character === "(") return readGroup(cursor, readUnion);
  if (character === "\\") {
    const escape = readEscape(cursor);
    return bytes(escape.kind === "byte" ? 1n << BigInt(escape.byte) : escape.set);
  }
  if (readQuantifier(cursor) !== undefined) {
    const what = `nothing to repeat before "${character}"`;
    throw refusal(offset, what, `write \\${character} for a literal ${character}`);
  }
  if (skip(cursor, ".")) return anyByte;
  if (skip(cursor, "^")) return start;
  if (skip(cursor, "$")) return end;
  return literalCharacter(readCharacter(cursor));
}
