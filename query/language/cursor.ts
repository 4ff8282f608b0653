// Where a parser stands in the text of a pattern, and how it refuses what it finds there.
import { LogboomError } from "../../schemas/errors.ts";
import type { CaptureName } from "./pattern.ts";

export interface Cursor {
  readonly text: string;
  /** Offset of the next character, in UTF-16 code units. */
  at: number;
  /** How many groups are open. */
  depth: number;
  /** The captures read so far and the offsets of their groups. */
  readonly captures: Map<CaptureName, number>;
}

/**
 * Builds the refusal of a pattern.
 * @param offset of the construct, in UTF-16 code units of the pattern
 * @param what names the construct, with its verb where it needs one
 * @param advice says what to write instead
 */
export function refusal(offset: number, what: string, advice: string): LogboomError {
  return new LogboomError("BAD_REGEX", `${what}, at offset ${String(offset)}; ${advice}`, {
    details: { offset },
  });
}

/** The match of a sticky expression at the cursor, which stays where it is. */
export function lookAt(cursor: Cursor, sticky: RegExp): RegExpExecArray | null {
  sticky.lastIndex = cursor.at;
  return sticky.exec(cursor.text);
}

/** Moves past the text when it is next. */
export function skip(cursor: Cursor, text: string): boolean {
  if (!cursor.text.startsWith(text, cursor.at)) return false;
  cursor.at += text.length;
  return true;
}

/** Reads one character as its code point; an unpaired surrogate has no bytes and is refused. */
export function readCharacter(cursor: Cursor): number {
  const codePoint = cursor.text.codePointAt(cursor.at) ?? 0;
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) {
    throw refusal(cursor.at, "an unpaired surrogate has no utf-8 form", "write bytes like \\xED");
  }
  cursor.at += codePoint > 0xffff ? 2 : 1;
  return codePoint;
}
