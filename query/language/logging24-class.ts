// Classes of the logging24 dialect: `[a-z\d]`, `[^"]`, `[а-я]`.
//
// A class is a set of bytes. A character outside ASCII in it stands for its UTF-8 bytes in order, so
// `[aé]` is `a|é`; a range of such characters is all of theirs. A negated class is one byte that is
// none of the items, which says nothing about characters of several bytes: those are refused there.
import { byteRange, complement, type ByteSet } from "./byte-set.ts";
import { lookAt, readCharacter, refusal, skip, type Cursor } from "./cursor.ts";
import { readEscape } from "./logging24-escape.ts";
import { bytes, characters, union, type Pattern } from "./pattern.ts";
import type { CodePointRange } from "./utf8.ts";

/** One end of a range: a byte by its value, or a character outside ASCII. */
type Member =
  | { readonly kind: "byte"; readonly byte: number; readonly offset: number }
  | { readonly kind: "set"; readonly set: ByteSet; readonly offset: number }
  | { readonly kind: "character"; readonly codePoint: number; readonly offset: number };

interface Members {
  set: ByteSet;
  readonly ranges: CodePointRange[];
}

/** Reads the class whose bracket is next. */
export function readClass(cursor: Cursor): Pattern {
  const offset = cursor.at;
  cursor.at += 1;
  const isNegated = skip(cursor, "^");
  const first = cursor.at;
  const members: Members = { set: 0n, ranges: [] };
  // A bracket that comes first is a member, as in every dialect of this family.
  while (cursor.at === first || !cursor.text.startsWith("]", cursor.at)) {
    if (cursor.at >= cursor.text.length) {
      throw refusal(offset, "a class is not closed", "write ] at its end, or \\[ for a literal [");
    }
    readItem(cursor, members, isNegated);
  }
  cursor.at += 1;
  if (isNegated) return bytes(complement(members.set));
  return union([bytes(members.set), characters(members.ranges)]);
}

function readItem(cursor: Cursor, members: Members, isNegated: boolean): void {
  const low = readMember(cursor);
  const isRange = lookAt(cursor, /-[^\]]/y) !== null;
  if (isRange) cursor.at += 1;
  const high = isRange ? readMember(cursor) : low;
  if (isNegated && (low.kind === "character" || high.kind === "character")) {
    const { offset } = low.kind === "character" ? low : high;
    const what = "a negated class holds single bytes, and this character has more";
    throw refusal(offset, what, "write (.*~.*é.*) for a text without é");
  }
  if (low.kind === "set") {
    if (isRange) throw refuseRange(low.offset, "a range begins with a class");
    members.set |= low.set;
    return;
  }
  if (high.kind === "set") throw refuseRange(low.offset, "a range ends with a class");
  const from = low.kind === "byte" ? low.byte : low.codePoint;
  const to = high.kind === "byte" ? high.byte : high.codePoint;
  if (from > to) throw refuseRange(low.offset, "a range ends before it begins");
  if (high.kind === "byte" && low.kind === "byte") members.set |= byteRange(from, to);
  else if (low.kind === "character" && high.kind === "character") members.ranges.push([from, to]);
  else if (low.kind === "byte" && low.byte < 0x80) {
    members.set |= byteRange(from, 0x7f);
    members.ranges.push([0x80, to]);
  } else throw refuseRange(low.offset, "a range joins a byte and a character outside ascii");
}

function refuseRange(offset: number, what: string): Error {
  return refusal(offset, what, "write the smaller end first, as in [a-z], or \\- for a literal -");
}

function readMember(cursor: Cursor): Member {
  const offset = cursor.at;
  if (lookAt(cursor, /\[([:.=])[^\]]*\1\]/y) !== null) {
    throw refusal(offset, "posix classes are not in the dialect", "write [A-Za-z] for [[:alpha:]]");
  }
  if (cursor.text.startsWith("\\", offset)) return { ...readEscape(cursor), offset };
  const codePoint = readCharacter(cursor);
  if (codePoint < 0x80) return { kind: "byte", byte: codePoint, offset };
  return { kind: "character", codePoint, offset };
}
