// Writes LZ4: blocks of given sequences, frames around them, and a body's bytes as a simple encoder would.
import { xxhash32 } from "../../ingest/xxhash32.ts";

/** Literals, and then a copy of `length` bytes from `offset` bytes before. */
export interface Sequence {
  readonly literals: Buffer;
  readonly match?: { readonly offset: number; readonly length: number };
}

/** The last sequence of a block has no match. */
export function blockOf(sequences: readonly Sequence[]): Buffer {
  const pieces = sequences.flatMap(({ literals, match }): Buffer[] => {
    const first = Math.min(15, literals.length);
    const second = match === undefined ? 0 : Math.min(15, match.length - 4);
    const offset = match === undefined ? [] : [match.offset & 0xff, match.offset >> 8];
    return [
      Buffer.from([(first << 4) | second, ...restOf(literals.length)]),
      literals,
      Buffer.from([...offset, ...(match === undefined ? [] : restOf(match.length - 4))]),
    ];
  });
  return Buffer.concat(pieces);
}

/** What a length has beside its four bits. */
function restOf(length: number): number[] {
  if (length < 15) return [];
  const rest = length - 15;
  return [...Array.from({ length: Math.floor(rest / 255) }, () => 255), rest % 255];
}

interface FrameOptions {
  readonly isLinked?: boolean;
  readonly hasChecksums?: boolean;
  /** 4 to 7: 64 KiB to 4 MiB */
  readonly blockCode?: number;
  /** As the header says it. */
  readonly contentBytes?: number;
  /** For the checksum at the end. */
  readonly content?: Buffer;
}

/** @param blocks a stored one is marked */
export function frameOf(
  blocks: readonly (Buffer | { readonly stored: Buffer })[],
  {
    isLinked = false,
    hasChecksums = false,
    blockCode = 7,
    contentBytes,
    content,
  }: FrameOptions = {},
): Buffer {
  const flags =
    0x40 |
    (isLinked ? 0 : 0x20) |
    (hasChecksums ? 0x10 : 0) |
    (contentBytes === undefined ? 0 : 8) |
    (content === undefined ? 0 : 4);
  const descriptor: Buffer[] = [Buffer.from([flags, blockCode << 4])];
  if (contentBytes !== undefined) descriptor.push(uint64(contentBytes));
  const header = Buffer.concat(descriptor);
  return Buffer.concat([
    uint32(0x184d2204),
    header,
    Buffer.from([(xxhash32(header) >>> 8) & 0xff]),
    ...blocks.flatMap((block) => {
      const isStored = !Buffer.isBuffer(block);
      const bytes = isStored ? block.stored : block;
      return [
        uint32(isStored ? bytes.length + 0x80000000 : bytes.length),
        bytes,
        ...(hasChecksums ? [uint32(xxhash32(bytes))] : []),
      ];
    }),
    uint32(0),
    ...(content === undefined ? [] : [uint32(xxhash32(content))]),
  ]);
}

/** Blocks of 64 KiB; copies only what repeats at the same distance, as in lines that are alike. */
export function compressLz4(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += 65_536) {
    const part = bytes.subarray(from, from + 65_536);
    const distance = part.indexOf(part.subarray(0, 8), 1);
    const head = distance < 0 ? part : part.subarray(0, distance);
    let end = head.length;
    while (end < part.length && part[end] === part[end - distance]) end++;
    blocks.push(
      end - head.length < 4
        ? blockOf([{ literals: part }])
        : blockOf([
            { literals: head, match: { offset: distance, length: end - head.length } },
            { literals: part.subarray(end) },
          ]),
    );
  }
  return frameOf(blocks, { blockCode: 4, contentBytes: bytes.length });
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
