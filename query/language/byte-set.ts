// Sets of bytes, the alphabet of every pattern, as 256-bit masks.

/** Bit b is set when byte b is a member. */
export type ByteSet = bigint;

/** First and last member of a run, both included. */
export type ByteRange = readonly [first: number, last: number];

export function byteRange(first: number, last: number): ByteSet {
  return ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
}

export const allBytes: ByteSet = byteRange(0, 0xff);
export const asciiBytes: ByteSet = byteRange(0, 0x7f);
/** The bytes that UTF-8 uses only inside characters outside ASCII. */
export const highBytes: ByteSet = byteRange(0x80, 0xff);

/** The set of the bytes of an ASCII text. */
export function bytesOf(ascii: string): ByteSet {
  let set: ByteSet = 0n;
  for (const character of ascii) set |= 1n << BigInt(character.charCodeAt(0));
  return set;
}

export function complement(set: ByteSet): ByteSet {
  return allBytes ^ set;
}

export function isSubset(inner: ByteSet, outer: ByteSet): boolean {
  return (inner & outer) === inner;
}

const knownRanges = new Map<ByteSet, readonly ByteRange[]>();
const maxKnownRanges = 1000;

/** The members as maximal runs, ascending. */
export function rangesOf(set: ByteSet): readonly ByteRange[] {
  let ranges = knownRanges.get(set);
  if (ranges === undefined) {
    // Queries of many words ask for the same few sets again and again.
    if (knownRanges.size >= maxKnownRanges) knownRanges.clear();
    ranges = findRanges(set);
    knownRanges.set(set, ranges);
  }
  return ranges;
}

function findRanges(set: ByteSet): ByteRange[] {
  const ranges: ByteRange[] = [];
  let first = -1;
  for (let byte = 0; byte <= 256; byte += 1) {
    const isMember = ((set >> BigInt(byte)) & 1n) === 1n;
    if (isMember && first < 0) first = byte;
    if (!isMember && first >= 0) {
      ranges.push([first, byte - 1]);
      first = -1;
    }
  }
  return ranges;
}

/** The only member, or undefined when the set does not have exactly one. */
export function onlyByteOf(set: ByteSet): number | undefined {
  if (set === 0n || (set & (set - 1n)) !== 0n) return undefined;
  return set.toString(2).length - 1;
}
