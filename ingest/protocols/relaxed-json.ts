// Scalyr's relaxed JSON, read from bytes: its agents write keys without quotes and strings with a length in front.
import { LogboomError } from "../../schemas/errors.ts";
import { KnownTexts } from "./known-texts.ts";

/** Texts with a length in front stay bytes. */
export type RelaxedValue =
  null | boolean | number | bigint | string | Buffer | readonly RelaxedValue[] | RelaxedObject;

export interface RelaxedObject {
  readonly [name: string]: RelaxedValue;
}

/** Deeper values are refused: each level takes a frame of the stack. */
const MAX_DEPTH = 100;
/** Digits up to which a whole number is exact as a number. */
const SAFE_DIGITS = 15;

/**
 * Beside JSON: keys without quotes, `//` and `/* *\/` comments, commas that may be left out at a line break or
 * stand before a closing bracket, `"a" + "b"`, `"""raw"""`, and `` `s `` or `` `b `` with a 32-bit big-endian length
 * and so many bytes. Of equal keys the last one counts. Whole numbers are exact.
 *
 * @throws LogboomError BAD_REQUEST with the offset of the first fault.
 */
export function parseRelaxedJson(bytes: Buffer): RelaxedValue {
  return new RelaxedParser(bytes).parse();
}

const LF = 0x0a;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const BACKTICK = 0x60;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const escapes: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const words: readonly (readonly [Buffer, RelaxedValue])[] = [
  [Buffer.from("true"), true],
  [Buffer.from("false"), false],
  [Buffer.from("null"), null],
];

class RelaxedParser {
  readonly #bytes: Buffer;
  readonly #texts = new KnownTexts();
  #position = 0;
  /** Whether a line break came before the current place, where a comma may be left out. */
  #hasBreak = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  parse(): RelaxedValue {
    const value = this.#value(0);
    this.#skipBlank();
    if (this.#position < this.#bytes.length) throw this.#fault("the end");
    return value;
  }

  #value(depth: number): RelaxedValue {
    this.#skipBlank();
    const byte = this.#bytes[this.#position];
    switch (byte) {
      case OPEN_BRACE:
        return this.#object(depth + 1);
      case OPEN_BRACKET:
        return this.#array(depth + 1);
      case QUOTE:
        return this.#concatenation();
      case BACKTICK:
        return this.#lengthPrefixed();
      default:
        if (byte === MINUS || isDigit(byte)) return this.#number();
        return this.#word();
    }
  }

  #object(depth: number): RelaxedObject {
    this.#open(depth);
    const object: Record<string, RelaxedValue> = {};
    while (!this.#closes(CLOSE_BRACE)) {
      const name = this.#key();
      this.#skipBlank();
      this.#expect(COLON, '":"');
      const value = this.#value(depth);
      // JavaScript's own name would change the object instead.
      if (name !== "__proto__") object[name] = value;
      this.#separator(CLOSE_BRACE);
    }
    return object;
  }

  #array(depth: number): RelaxedValue[] {
    this.#open(depth);
    const items: RelaxedValue[] = [];
    while (!this.#closes(CLOSE_BRACKET)) {
      items.push(this.#value(depth));
      this.#separator(CLOSE_BRACKET);
    }
    return items;
  }

  #open(depth: number): void {
    if (depth > MAX_DEPTH) throw this.#fault(`at most ${MAX_DEPTH} levels`);
    this.#position++;
  }

  #closes(bracket: number): boolean {
    this.#skipBlank();
    if (this.#bytes[this.#position] !== bracket) return false;
    this.#position++;
    return true;
  }

  #separator(bracket: number): void {
    this.#hasBreak = false;
    this.#skipBlank();
    const byte = this.#bytes[this.#position];
    if (byte === COMMA) this.#position++;
    else if (byte !== bracket && !this.#hasBreak) throw this.#fault('"," or a closing bracket');
  }

  #key(): string {
    const byte = this.#bytes[this.#position];
    if (byte === QUOTE) return this.#quoted();
    const bytes = this.#bytes;
    const start = this.#position;
    if (!isNameByte(byte) || isDigit(byte)) throw this.#fault("a name");
    let end = start + 1;
    while (isNameByte(bytes[end])) end++;
    this.#position = end;
    return this.#texts.read(bytes, start, end);
  }

  #concatenation(): string {
    let text = this.#quoted();
    for (;;) {
      const end = this.#position;
      this.#skipBlank();
      if (this.#bytes[this.#position] !== PLUS) {
        // The blanks may hold the line break that stands for a comma.
        this.#position = end;
        return text;
      }
      this.#position++;
      this.#skipBlank();
      if (this.#bytes[this.#position] !== QUOTE) throw this.#fault("a string");
      text += this.#quoted();
    }
  }

  #quoted(): string {
    const bytes = this.#bytes;
    const start = this.#position + 1;
    if (bytes[start] === QUOTE) {
      if (bytes[start + 1] === QUOTE) return this.#raw();
      this.#position = start + 1;
      return "";
    }
    let position = start;
    let isAscii = true;
    for (;;) {
      const byte = bytes[position];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) return this.#escaped(start, position);
      if (byte === undefined) throw this.#fault("the closing quote of the string", start - 1);
      if (byte > 0x7f) isAscii = false;
      position++;
    }
    this.#position = position + 1;
    if (!isAscii) return bytes.toString("utf8", start, position);
    // Numbers as texts are times and places, each another one.
    return isDigit(bytes[start])
      ? bytes.toString("latin1", start, position)
      : this.#texts.read(bytes, start, position);
  }

  /** A string with escapes, of which the first is at `position`. */
  #escaped(start: number, position: number): string {
    const bytes = this.#bytes;
    let text = "";
    let pieceStart = start;
    let at = position;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) throw this.#fault("the closing quote of the string", start - 1);
      if (byte === QUOTE) break;
      if (byte !== BACKSLASH) {
        at++;
        continue;
      }
      text += bytes.toString("utf8", pieceStart, at);
      const letter = bytes.toString("latin1", at + 1, at + 2);
      if (letter === "u") {
        const digits = bytes.toString("latin1", at + 2, at + 6);
        if (!/^[0-9a-f]{4}$/i.test(digits)) throw this.#fault("four hexadecimal digits", at + 2);
        text += String.fromCharCode(Number.parseInt(digits, 16));
        at += 6;
      } else {
        // Of any other character the backslash is left out; it may be the first byte of several.
        text += escapes[letter] ?? "";
        at += escapes[letter] === undefined ? 1 : 2;
        if (escapes[letter] === undefined) {
          if (at >= bytes.length) throw this.#fault("a character after the backslash", at);
          pieceStart = at;
          at++;
          continue;
        }
      }
      pieceStart = at;
    }
    this.#position = at + 1;
    return text + bytes.toString("utf8", pieceStart, at);
  }

  /** `"""` up to the next `"""`, without escapes. */
  #raw(): string {
    const start = this.#position + 3;
    const end = this.#bytes.indexOf('"""', start);
    if (end < 0) throw this.#fault('the closing """ of the string', start - 3);
    this.#position = end + 3;
    return this.#bytes.toString("utf8", start, end);
  }

  #lengthPrefixed(): Buffer {
    const start = this.#position + 6;
    const kind = this.#bytes[this.#position + 1];
    if ((kind !== 0x73 && kind !== 0x62) || start > this.#bytes.length) {
      throw this.#fault("`s or `b and a length of four bytes");
    }
    const length = this.#bytes.readInt32BE(this.#position + 2);
    if (length < 0 || start + length > this.#bytes.length) {
      throw this.#fault(
        `a string of at most the ${this.#bytes.length - start} bytes that follow, not ${length}`,
      );
    }
    this.#position = start + length;
    return this.#bytes.subarray(start, start + length);
  }

  #number(): number | bigint {
    const bytes = this.#bytes;
    const start = this.#position;
    let position = start;
    if (bytes[position] === MINUS) position++;
    const firstDigit = position;
    while (isDigit(bytes[position])) position++;
    const digits = position - firstDigit;
    let isWhole = true;
    // What belongs to a number beside its digits: . e E + -
    for (;;) {
      const byte = bytes[position];
      const isPart =
        isDigit(byte) ||
        byte === 0x2e ||
        byte === 0x65 ||
        byte === 0x45 ||
        (byte === PLUS && position > firstDigit) ||
        (byte === MINUS && position > firstDigit);
      if (!isPart) break;
      isWhole = false;
      position++;
    }
    const text = bytes.toString("latin1", start, position);
    const isNumber = isWhole
      ? digits > 0
      : position - start < 64 && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text);
    if (!isNumber || digits > 64) throw this.#fault("a number");
    this.#position = position;
    return isWhole && digits > SAFE_DIGITS ? exact(text) : Number(text);
  }

  #word(): RelaxedValue {
    const bytes = this.#bytes;
    const start = this.#position;
    for (const [word, value] of words) {
      const end = start + word.length;
      if (bytes[start] !== word[0] || isNameByte(bytes[end])) continue;
      if (bytes.compare(word, 0, word.length, start, Math.min(end, bytes.length)) === 0) {
        this.#position = end;
        return value;
      }
    }
    throw this.#fault("a value");
  }

  #skipBlank(): void {
    const bytes = this.#bytes;
    for (;;) {
      const byte = bytes[this.#position];
      if (byte !== undefined && byte > SLASH) return;
      if (byte === 0x20 || byte === 0x09 || byte === 0x0d) this.#position++;
      else if (byte === LF) {
        this.#hasBreak = true;
        this.#position++;
      } else if (byte === SLASH) this.#skipComment();
      else return;
    }
  }

  #skipComment(): void {
    const next = this.#bytes[this.#position + 1];
    if (next === SLASH) {
      const end = this.#bytes.indexOf(LF, this.#position);
      this.#position = end < 0 ? this.#bytes.length : end;
    } else if (next === STAR) {
      const end = this.#bytes.indexOf("*/", this.#position + 2);
      if (end < 0) throw this.#fault("the end of the comment");
      const lineBreak = this.#bytes.indexOf(LF, this.#position);
      if (lineBreak >= 0 && lineBreak < end) this.#hasBreak = true;
      this.#position = end + 2;
    } else {
      throw this.#fault("a comment");
    }
  }

  #expect(byte: number, name: string): void {
    if (this.#bytes[this.#position] !== byte) throw this.#fault(name);
    this.#position++;
  }

  #fault(expected: string, offset = this.#position): LogboomError {
    const found =
      offset >= this.#bytes.length
        ? "the end of the body"
        : JSON.stringify(this.#bytes.subarray(offset, offset + 20).toString("utf8"));
    return new LogboomError(
      "BAD_REQUEST",
      `invalid JSON at offset ${offset}: expected ${expected}, found ${found}`,
      { details: { offset } },
    );
  }
}

/** A number where that is exact, so that equal numbers are equal values. */
function exact(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Letters, digits, underscore. */
function isNameByte(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x61 && byte <= 0x7a) ||
      (byte >= 0x41 && byte <= 0x5a) ||
      byte === 0x5f ||
      isDigit(byte))
  );
}
