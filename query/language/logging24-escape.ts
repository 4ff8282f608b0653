// Escapes of the logging24 dialect, inside and outside classes.
import { byteRange, bytesOf, complement, type ByteSet } from "./byte-set.ts";
import { lookAt, refusal, type Cursor } from "./cursor.ts";

const digits = byteRange(0x30, 0x39);
const word = digits | byteRange(0x41, 0x5a) | byteRange(0x61, 0x7a) | bytesOf("_");
const horizontal = bytesOf("\t ");
const vertical = bytesOf("\n\r\v\f");
const space = horizontal | vertical;

const classes: ReadonlyMap<string, ByteSet> = new Map([
  ["d", digits],
  ["D", complement(digits)],
  ["w", word],
  ["W", complement(word)],
  ["s", space],
  ["S", complement(space)],
  ["h", horizontal],
  ["H", complement(horizontal)],
  ["v", vertical],
  ["V", complement(vertical)],
  ["N", complement(bytesOf("\n"))],
]);

const controls: ReadonlyMap<string, number> = new Map([
  ["t", 0x09],
  ["n", 0x0a],
  ["r", 0x0d],
  ["f", 0x0c],
  ["a", 0x07],
  ["e", 0x1b],
]);

/** What other dialects mean by an escape that this one does not have: its name, what to write. */
const foreign: readonly (readonly [letters: string, what: string, advice: string])[] = [
  ["123456789gk", "back-references", "write the text again"],
  ["0", "octal escapes", "write \\x00"],
  ["bB", "word boundaries", "write the byte beside the word, like (^|\\W)word(\\W|$)"],
  ["AG", "anchors other than ^ and $", "write ^"],
  ["zZ", "anchors other than ^ and $", "write $"],
  ["pPX", "unicode properties", "write a class of the characters, like [a-zà-ÿ]"],
  ["QE", "quoted texts", "write a backslash before each punctuation mark"],
  ["uUoc", "escapes of this form", "write the character itself, or its bytes like \\xC3\\xA9"],
  ["R", "line break escapes", "write (\\r\\n|\\v)"],
  ["C", "escapes of this form", "write . for any byte"],
];

/** A byte that may begin or end a range in a class, or a set of bytes that may not. */
export type Escape =
  | { readonly kind: "byte"; readonly byte: number }
  | { readonly kind: "set"; readonly set: ByteSet };

/** Reads the escape whose backslash is next. */
export function readEscape(cursor: Cursor): Escape {
  const offset = cursor.at;
  const letter = cursor.text.charAt(offset + 1);
  const set = classes.get(letter);
  if (set !== undefined) {
    cursor.at += 2;
    return { kind: "set", set };
  }
  const control = controls.get(letter);
  if (control !== undefined) {
    cursor.at += 2;
    return { kind: "byte", byte: control };
  }
  if (/[!-/:-@[-`{-~]/.test(letter)) {
    cursor.at += 2;
    return { kind: "byte", byte: letter.charCodeAt(0) };
  }
  if (letter === "x") return readHex(cursor);
  throw refuseEscape(offset, letter);
}

function readHex(cursor: Cursor): Escape {
  const hex = lookAt(cursor, /\\x([0-9A-Fa-f]{2})/y);
  if (hex === null) {
    throw refusal(cursor.at, "\\x needs two hex digits", "write a byte like \\x0A");
  }
  cursor.at += 4;
  return { kind: "byte", byte: parseInt(hex[1] ?? "", 16) };
}

function refuseEscape(offset: number, letter: string): Error {
  if (letter === "") {
    return refusal(offset, "a backslash escapes nothing", "write \\\\ for a backslash");
  }
  for (const [letters, what, advice] of foreign) {
    if (!letters.includes(letter)) continue;
    return refusal(offset, `${what} such as "\\${letter}" are not in the dialect`, advice);
  }
  if (/[A-Za-z]/.test(letter)) {
    return refusal(offset, `"\\${letter}" is not in the dialect`, `write ${letter} for the letter`);
  }
  return refusal(
    offset,
    "only punctuation and the listed letters are escaped",
    "write the character without the backslash",
  );
}
