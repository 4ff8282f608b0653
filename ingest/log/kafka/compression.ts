// Batches of records in zstd, with contexts that are used again: a new one is more than a megabyte for V8 to collect.
import { promisify } from "node:util";
import { constants, createZstdCompress, zstdDecompress, type ZstdCompress } from "node:zlib";
import { Turns } from "../../turns.ts";

/**
 * The most that a batch of records shrinks on its way. A fetch is bounded by its bytes on the wire and
 * decompressed whole, so a consumer's memory is bounded only if the ratio is.
 */
export const MAX_COMPRESSION_RATIO = 32;
/** node:zlib's own are 16 KiB. */
const CHUNK_BYTES = 256 * 1024;
const FRAME_MAGIC = 0xfd2fb528;
const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024;
/** As many as threads compress at a time: those of libuv. */
const MAX_PACKERS = 4;

const decompress = promisify(zstdDecompress);
const turns = new Turns(MAX_PACKERS);
const idlePackers: Packer[] = [];

/** One context of zstd's, of one batch at a time. */
class Packer {
  readonly #stream: ZstdCompress;
  #parts: Buffer[] = [];

  constructor() {
    this.#stream = createZstdCompress({
      chunkSize: CHUNK_BYTES,
      // Each batch is a frame of its own.
      flush: constants.ZSTD_e_end,
      // Level 1 makes 5 % more bytes than 3, for two thirds of the CPU time.
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    });
    this.#stream.on("readable", () => this.#take());
    // The write that failed is told, too.
    this.#stream.on("error", () => {});
  }

  pack(batch: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#stream.write(batch, (error) => {
        this.#take();
        const parts = this.#parts;
        this.#parts = [];
        if (error) reject(error);
        // A copy: the parts stand in a chunk that others will be written to.
        else resolve(Buffer.concat(parts));
      });
    });
  }

  #take(): void {
    for (;;) {
      const part = this.#stream.read() as Buffer | null;
      if (part === null) return;
      this.#parts.push(part);
    }
  }
}

/** A batch in zstd, filled up where it would shrink more than {@link MAX_COMPRESSION_RATIO} times. */
export function packBatch(batch: Buffer): Promise<Buffer> {
  return turns.run(async () => {
    const packer = idlePackers.pop() ?? new Packer();
    const packed = await packer.pack(batch);
    // One that failed is not used again.
    idlePackers.push(packer);
    const missing = Math.ceil(batch.length / MAX_COMPRESSION_RATIO) - packed.length;
    return missing > 0 ? Buffer.concat([packed, skippableFrame(missing)]) : packed;
  });
}

/** Memory of unpacked batches, which is that of their records alone. */
const unpacked = new WeakSet<ArrayBufferLike>();

/** Whether nothing but the records of one batch stands in this memory. */
export function isOfOneBatch(memory: ArrayBufferLike): boolean {
  return unpacked.has(memory);
}

export async function unpackBatch(bytes: Buffer): Promise<Buffer> {
  const size = contentSizeOf(bytes);
  const isCredible = size !== undefined && size <= bytes.length * MAX_COMPRESSION_RATIO;
  const batch = await decompress(bytes, {
    // One byte more: where none is left node:zlib prepares another chunk.
    chunkSize: isCredible ? Math.max(size + 1, constants.Z_MIN_CHUNK) : CHUNK_BYTES,
    maxOutputLength: MAX_DECOMPRESSED_BYTES,
  });
  unpacked.add(batch.buffer);
  return batch;
}

/** What a zstd frame says to hold, so that it needs no joining (RFC 8878, 3.1.1.1); most say it. */
function contentSizeOf(frame: Buffer): number | undefined {
  const LONGEST_HEADER = 18;
  if (frame.length < LONGEST_HEADER || frame.readUInt32LE(0) !== FRAME_MAGIC) return undefined;
  const descriptor = frame.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? frame.readUInt8(at) : undefined;
    case 1:
      return frame.readUInt16LE(at) + 256;
    case 2:
      return frame.readUInt32LE(at);
    default:
      return Number(frame.readBigUInt64LE(at));
  }
}

/** A zstd frame of at least this many bytes that readers step over. */
function skippableFrame(sizeBytes: number): Buffer {
  const frame = Buffer.alloc(8 + sizeBytes);
  frame.writeUInt32LE(0x184d2a50, 0);
  frame.writeUInt32LE(sizeBytes, 4);
  return frame;
}
