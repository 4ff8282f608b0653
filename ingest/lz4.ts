// Decompresses LZ4 frames (lz4_Frame_format.md 1.6.2), as Scalyr's agent sends them. The decoder is ours, since those on
// npm write as much as a frame holds: a body of 6 MB may hold 1.5 GB. This one stops at the limit.
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeBlock } from "./lz4-block.ts";
import { xxhash32 } from "./xxhash32.ts";

const FRAME = 0x184d2204;
/** The last four bits may be any. */
const SKIPPABLE_FRAME = 0x184d2a50;
const VERSION = 1;
/** By the code in the header. */
const BLOCK_BYTES: Readonly<Record<number, number>> = {
  4: 65_536,
  5: 262_144,
  6: 1_048_576,
  7: 4_194_304,
};
const IS_STORED = 0x80000000;
/** Others get a turn after so many bytes, read and written. */
const BYTES_PER_TURN = 2 * 1024 * 1024;

/** @throws Error with the code ERR_BUFFER_TOO_LARGE when there is more than `maxOutputLength` */
export async function decompressLz4(
  body: Buffer,
  { maxOutputLength }: { readonly maxOutputLength: number },
): Promise<Buffer> {
  const input = new Input(body);
  const output = new Output(maxOutputLength);
  do {
    const magic = input.uint32();
    if (magic === FRAME) await readFrame(input, output);
    else if ((magic & ~0xf) >>> 0 === SKIPPABLE_FRAME) input.take(input.uint32());
    else throw new Error("no frame of LZ4");
  } while (!input.isAtEnd);
  return output.taken();
}

async function readFrame(input: Input, output: Output): Promise<void> {
  const header = readHeader(input);
  const frameStart = output.length;
  if (header.contentBytes !== undefined) output.expect(header.contentBytes);
  let work = 0;
  for (;;) {
    const size = input.uint32();
    if (size === 0) break;
    const blockBytes = size & ~IS_STORED;
    if (blockBytes > header.blockBytes) {
      throw new Error(`a block of ${blockBytes} bytes where ${header.blockBytes} are allowed`);
    }
    const block = input.take(blockBytes);
    if (header.hasBlockChecksums) requireChecksum("a block", block, input.uint32());
    const before = output.length;
    if (size !== blockBytes) output.append(block);
    else output.decode(block, header.blockBytes, header.isLinked ? frameStart : before);
    work += blockBytes + output.length - before;
    if (work >= BYTES_PER_TURN) {
      work = 0;
      await nextTurn();
    }
  }
  const content = output.since(frameStart);
  if (header.contentBytes !== undefined && content.length !== header.contentBytes) {
    throw new Error(`${content.length} bytes where the header says ${header.contentBytes}`);
  }
  if (header.hasContentChecksum) requireChecksum("the content", content, input.uint32());
}

interface FrameHeader {
  readonly isLinked: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  /** Of a block, at most. */
  readonly blockBytes: number;
  readonly contentBytes: number | undefined;
}

function readHeader(input: Input): FrameHeader {
  const start = input.position;
  const flags = input.uint8();
  const blockBytes = BLOCK_BYTES[input.uint8() >>> 4];
  if (flags >>> 6 !== VERSION || (flags & 0b10) !== 0 || blockBytes === undefined) {
    throw new Error("an unknown form of frame");
  }
  if ((flags & 0b1) !== 0) throw new Error("a frame that needs a dictionary");
  const contentBytes = (flags & 0b1000) === 0 ? undefined : input.uint64();
  const descriptor = input.since(start);
  if (input.uint8() !== ((xxhash32(descriptor) >>> 8) & 0xff)) {
    throw new Error("the checksum of a frame's header is wrong");
  }
  return {
    isLinked: (flags & 0b100000) === 0,
    hasBlockChecksums: (flags & 0b10000) !== 0,
    hasContentChecksum: (flags & 0b100) !== 0,
    blockBytes,
    contentBytes,
  };
}

function requireChecksum(what: string, bytes: Buffer, checksum: number): void {
  if (xxhash32(bytes) !== checksum) throw new Error(`the checksum of ${what} is wrong`);
}

class Input {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.position === this.#bytes.length;
  }

  take(length: number): Buffer {
    const start = this.position;
    if (length > this.#bytes.length - start) throw new Error("the end of a frame is missing");
    this.position = start + length;
    return this.#bytes.subarray(start, this.position);
  }

  since(start: number): Buffer {
    return this.#bytes.subarray(start, this.position);
  }

  uint8(): number {
    return this.take(1).readUInt8();
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  /** Exact as far as any limit goes. */
  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }
}

/** Grows by doubling, up to the limit. */
class Output {
  readonly #limit: number;
  #bytes = Buffer.alloc(0);
  length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What a header promises is refused before anything is written, and else believed up to the limit. */
  expect(length: number): void {
    if (length > this.#limit - this.length) throw tooLarge();
  }

  append(piece: Buffer): void {
    if (piece.length > this.#limit - this.length) throw tooLarge();
    this.#reserve(this.length + piece.length);
    piece.copy(this.#bytes, this.length);
    this.length += piece.length;
  }

  decode(block: Buffer, maxBytes: number, windowStart: number): void {
    const end = Math.min(this.length + maxBytes, this.#limit);
    this.#reserve(end);
    const place = { out: this.#bytes, start: this.length, end, windowStart };
    const decodedEnd = decodeBlock(block, place);
    if (decodedEnd !== undefined) this.length = decodedEnd;
    else if (end === this.#limit) throw tooLarge();
    else throw new Error(`a block of more than ${maxBytes} bytes`);
  }

  since(start: number): Buffer {
    return this.#bytes.subarray(start, this.length);
  }

  /** A copy, of just the bytes that there are. */
  taken(): Buffer {
    return Buffer.from(this.since(0));
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const size = Math.min(this.#limit, Math.max(length, 2 * this.#bytes.length));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

function tooLarge(): Error {
  return Object.assign(new Error("more than is allowed"), { code: "ERR_BUFFER_TOO_LARGE" });
}
