// Decodes one block of LZ4 (lz4_Block_format.md 1.6): literals, and copies of what was decoded before.

/** Up to this length a loop beats a call into native code. */
const SHORT_COPY = 32;
const LONG_LENGTH = 15;
const SHORTEST_MATCH = 4;

/** Where a block's decoded bytes go. */
export interface BlockPlace {
  readonly out: Buffer;
  readonly start: number;
  /** They must end here at the latest. */
  readonly end: number;
  /** Copies are taken from here on: from the block itself, or also from those before it. */
  readonly windowStart: number;
}

/** Returns where the decoded bytes end; undefined when they would not fit. @throws Error when it is none */
export function decodeBlock(
  block: Buffer,
  { out, start, end, windowStart }: BlockPlace,
): number | undefined {
  let at = 0;
  let position = start;
  const readLength = (): number => {
    let length = LONG_LENGTH;
    for (;;) {
      const more = block[at++];
      if (more === undefined) throw new Error("a block ends within a length");
      length += more;
      if (more < 255) return length;
    }
  };
  for (;;) {
    const token = block[at++];
    if (token === undefined) throw new Error("a block ends without its last literals");
    const literals = token >>> 4 === LONG_LENGTH ? readLength() : token >>> 4;
    if (literals > block.length - at) throw new Error("a block ends within its literals");
    if (literals > end - position) return undefined;
    if (literals > SHORT_COPY) block.copy(out, position, at, at + literals);
    else
      for (let index = 0; index < literals; index++) out[position + index] = block[at + index] ?? 0;
    at += literals;
    position += literals;
    if (at === block.length) return position;

    const low = block[at++];
    const high = block[at++];
    if (low === undefined || high === undefined) throw new Error("a block ends within an offset");
    const offset = low | (high << 8);
    const from = position - offset;
    if (offset === 0 || from < windowStart) {
      throw new Error(`an offset of ${offset} after ${position - windowStart} bytes`);
    }
    const rest = (token & 0xf) === LONG_LENGTH ? readLength() : token & 0xf;
    const length = rest + SHORTEST_MATCH;
    if (length > end - position) return undefined;
    // A copy that runs into itself repeats what it has just written.
    if (length > SHORT_COPY && length <= offset) out.copyWithin(position, from, from + length);
    else
      for (let index = 0; index < length; index++) out[position + index] = out[from + index] ?? 0;
    position += length;
  }
}
