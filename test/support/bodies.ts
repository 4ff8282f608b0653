// Request bodies that are large or broken on purpose.
import {
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  gzipSync,
} from "node:zlib";
import { buffer } from "node:stream/consumers";
import { Readable, type Transform } from "node:stream";

const mebibyte = 1024 * 1024;

/** `sizeMib` MiB of the letter a, compressed; built in small steps so that the test stays small. */
function compressLetters(sizeMib: number, compressor: Transform): Promise<Buffer> {
  const piece = Buffer.alloc(mebibyte, "a");
  const pieces = function* (): Generator<Buffer> {
    for (let index = 0; index < sizeMib; index += 1) yield piece;
  };
  return buffer(Readable.from(pieces()).pipe(compressor));
}

/** Small bodies that become `sizeMib` MiB when they are decoded, by content encoding. */
export async function createBombs(
  sizeMib: number,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const quickBrotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } };
  const compressors: readonly (readonly [string, Transform])[] = [
    ["gzip", createGzip({ level: 6 })],
    ["deflate", createDeflate({ level: 6 })],
    ["br", createBrotliCompress(quickBrotli)],
    ["zstd", createZstdCompress()],
  ];
  const bombs = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [name, compressor] of compressors) {
    bombs.set(name, new Uint8Array(await compressLetters(sizeMib, compressor)));
  }
  return bombs;
}

/** A gzip body whose end is missing. */
export function truncatedGzip(text: string): Uint8Array<ArrayBuffer> {
  const whole = gzipSync(text);
  return new Uint8Array(whole.subarray(0, Math.max(12, whole.length - 12)));
}

/** An object with `count` entries. */
export function manyEntries(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, "v"]));
}
