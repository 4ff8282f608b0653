// Patterns of what people write to find a text: equal, somewhere within, with wildcards, by words.
//
// A word is a run of letters, digits and "_" in any script. An escape of JSON as \n ends a word, too:
// a message that is JSON is searched as it was received.
import { bytesOf, byteRange, complement, asciiBytes, type ByteSet } from "./byte-set.ts";
import { literalCharacter } from "./literal.ts";
import {
  anyByte,
  bytes,
  characters,
  concat,
  end,
  repeat,
  start,
  union,
  type Pattern,
} from "./pattern.ts";
import type { CodePointRange } from "./utf8.ts";

const wordBytes =
  byteRange(0x30, 0x39) | byteRange(0x41, 0x5a) | byteRange(0x61, 0x7a) | bytesOf("_");
const separatorBytes: ByteSet = asciiBytes & complement(wordBytes);
/** Spaces, punctuation and signs outside ASCII. */
const separatorRanges: readonly CodePointRange[] = [
  [0x80, 0xa9],
  [0xab, 0xb4],
  [0xb6, 0xb9],
  [0xbb, 0xbf],
  [0xd7, 0xd7],
  [0xf7, 0xf7],
  [0x2000, 0x206f],
  [0x20a0, 0x20cf],
  [0x2190, 0x2bff],
  [0x3000, 0x3004],
  [0x3008, 0x3020],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff0f],
  [0xff1a, 0xff20],
  [0xff3b, 0xff3e],
  [0xff5b, 0xff65],
];
const outside = characters([[0x80, 0x10ffff]]);
const separator = union([bytes(separatorBytes), characters(separatorRanges)]);
const blankBytes = bytesOf(" \t\n\r\f\v");
const unbroken = repeat(union([bytes(asciiBytes & complement(blankBytes)), outside]), 0, Infinity);
const unbrokenOne = union([bytes(asciiBytes & complement(blankBytes)), outside]);
const anything = repeat(anyByte, 0, Infinity);
const anyCharacter = union([bytes(asciiBytes), outside]);
const jsonEscape = concat([bytes(bytesOf("\\")), bytes(bytesOf("bfnrt"))]);

const beforeWord = union([start, separator, jsonEscape]);
const afterWord = union([end, separator]);
const betweenWords = repeat(union([separator, jsonEscape]), 1, Infinity);

/** The text itself; without case, letters of ASCII and those with one other case stand for both. */
export function literal(text: string, ignoreCase: boolean): Pattern {
  return concat([...text].map((character) => letter(character, ignoreCase)));
}

function letter(character: string, ignoreCase: boolean): Pattern {
  const codePoint = character.codePointAt(0) ?? 0;
  if (!ignoreCase) return literalCharacter(codePoint);
  const cases = new Set([codePoint]);
  for (const other of [character.toLowerCase(), character.toUpperCase()]) {
    const [first = character, ...more] = [...other];
    const folded = first.codePointAt(0) ?? codePoint;
    // K stands for k, and not for the sign of Kelvin: ClickHouse has searches for ASCII letters.
    if (more.length === 0 && folded < 0x80 === codePoint < 0x80) cases.add(folded);
  }
  return union([...cases].map(literalCharacter));
}

/** A blank of ASCII stands somewhere within the value. */
export const holdsBlank: Pattern = concat([anything, bytes(blankBytes), anything]);

/** Somewhere within the value. */
export function containing(text: string, ignoreCase: boolean): Pattern {
  return concat([anything, literal(text, ignoreCase), anything]);
}

export function startingWith(text: string, ignoreCase: boolean): Pattern {
  return concat([literal(text, ignoreCase), anything]);
}

export function endingWith(text: string, ignoreCase: boolean): Pattern {
  return concat([anything, literal(text, ignoreCase)]);
}

/** A text in which `*` is any text and `?`, where the language has it, any character. */
export type Glob = readonly (string | { readonly wildcard: "*" | "?" })[];

/** The whole value is as the glob says. */
export function globbed(glob: Glob, ignoreCase: boolean): Pattern {
  return concat(
    glob.map((part) => {
      if (typeof part === "string") return literal(part, ignoreCase);
      return part.wildcard === "*" ? anything : anyCharacter;
    }),
  );
}

const wordCharacter = /^[\p{L}\p{N}\p{M}_]$/u;

/** Within the value, from the begin to the end of words, is what the glob says; `*` has no blanks. */
export function globbedWords(glob: Glob): Pattern {
  const first = glob[0];
  const last = glob.at(-1);
  const isWordFirst = typeof first === "string" && wordCharacter.test([...first][0] ?? "");
  const isWordLast = typeof last === "string" && wordCharacter.test([...last].at(-1) ?? "");
  const parts = glob.map((part) => {
    if (typeof part === "string") return literal(part, true);
    return part.wildcard === "*" ? unbroken : unbrokenOne;
  });
  return concat([
    anything,
    ...(isWordFirst ? [beforeWord] : []),
    ...parts,
    ...(isWordLast ? [afterWord] : []),
    anything,
  ]);
}

const separatorsText = new RegExp(
  `[\\0-/:-@\\[-^\`{-\\x7f${separatorRanges.map(([a, b]) => `\\u{${a.toString(16)}}-\\u{${b.toString(16)}}`).join("")}]+`,
  "u",
);

/** The words of a text. */
export function wordsOf(text: string): string[] {
  return text.split(separatorsText).filter((word) => word !== "");
}

/** The words of the text stand in the value, one after another; a text of none stands as it is. */
export function phrase(text: string, ignoreCase = true): Pattern {
  const words = wordsOf(text).map((word) => literal(word, ignoreCase));
  if (words.length === 0) return containing(text.trim(), ignoreCase);
  const parts = words.flatMap((word, index) => (index === 0 ? [word] : [betweenWords, word]));
  return concat([anything, beforeWord, ...parts, afterWord, anything]);
}
