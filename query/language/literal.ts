// Patterns of given texts and numbers, and the bytes that characters are spelled with.
import { byteRange, bytesOf, type ByteSet } from "./byte-set.ts";
import { bytes, characters, concat, repeat, type Characters, type Pattern } from "./pattern.ts";
import { utf8Sequences } from "./utf8.ts";

/** One character by its code point, which is not a surrogate. */
export function literalCharacter(codePoint: number): Pattern {
  if (codePoint < 0x80) return bytes(1n << BigInt(codePoint));
  return characters([[codePoint, codePoint]]);
}

const digit = bytes(byteRange(0x30, 0x39));

/** A fixed-precision number: sign if any, digits, and exactly `decimals` digits after a point. */
export function decimalNumber(decimals: number): Pattern {
  const whole = [repeat(bytes(bytesOf("+-")), 0, 1), repeat(digit, 1, Infinity)];
  if (decimals === 0) return concat(whole);
  return concat([...whole, bytes(bytesOf(".")), repeat(digit, decimals, decimals)]);
}

/** The sequences of byte sets that spell these characters in UTF-8. */
export function spell({ ranges }: Characters): ByteSet[][] {
  return ranges
    .flatMap(utf8Sequences)
    .map((sequence) => sequence.map(([first, last]) => byteRange(first, last)));
}
