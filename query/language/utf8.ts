// Ranges of characters as the UTF-8 byte sequences that spell them.
import type { ByteRange } from "./byte-set.ts";

/** First and last code point, both included; never a surrogate. */
export type CodePointRange = readonly [first: number, last: number];

/** One range of bytes for each place of the encoding. */
export type ByteSequence = readonly ByteRange[];

/** The last code point of each length of encoding, from two bytes on. */
const lastOfLength = [0x7ff, 0xffff, 0x10ffff];

function encode(codePoint: number): Buffer {
  return Buffer.from(String.fromCodePoint(codePoint), "utf8");
}

/**
 * Splits `first..last`, all of one encoded length, so that each part is a product of byte ranges:
 * below a cut, the lower places run over all their 64 values.
 */
function splitAligned(first: number, last: number, length: number, into: ByteSequence[]): void {
  for (let place = 1; place < length; place += 1) {
    const mask = (1 << (6 * place)) - 1;
    if ((first & ~mask) === (last & ~mask)) continue;
    if ((first & mask) !== 0) {
      splitAligned(first, first | mask, length, into);
      splitAligned((first | mask) + 1, last, length, into);
      return;
    }
    if ((last & mask) !== mask) {
      splitAligned(first, (last & ~mask) - 1, length, into);
      splitAligned(last & ~mask, last, length, into);
      return;
    }
  }
  const low = encode(first);
  const high = encode(last);
  into.push([...low].map((byte, place): ByteRange => [byte, high[place] ?? byte]));
}

/** The same characters in ascending ranges that neither overlap nor touch. */
export function mergeRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const merged: CodePointRange[] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = merged.at(-1);
    if (before === undefined || first > before[1] + 1) merged.push([first, last]);
    else merged[merged.length - 1] = [before[0], Math.max(before[1], last)];
  }
  return merged;
}

/** The byte sequences of the characters in a range outside ASCII, surrogates left out. */
export function utf8Sequences([first, last]: CodePointRange): ByteSequence[] {
  if (first <= 0xdfff && last >= 0xd800) {
    return [
      ...(first < 0xd800 ? utf8Sequences([first, 0xd7ff]) : []),
      ...(last > 0xdfff ? utf8Sequences([0xe000, last]) : []),
    ];
  }
  const sequences: ByteSequence[] = [];
  let begin = first;
  lastOfLength.forEach((end, index) => {
    if (begin > end || begin > last) return;
    splitAligned(begin, Math.min(end, last), index + 2, sequences);
    begin = end + 1;
  });
  return sequences;
}
