// What general compressors make of the messages, for orientation: data that compresses too well flatters a store.
import { closeSync, openSync, readSync } from "node:fs";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { Part } from "./prepare.ts";
import type { Figure } from "./report.ts";

const SAMPLE_BYTES = 64 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;

function zstd(bytes: Buffer): number {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }).length;
}

/** Ratios of compressed to raw messages, in the order of time. */
export function measureCompressibility(part: Part): Figure[] {
  const file = openSync(part.path, "r");
  const lines = Buffer.allocUnsafe(SAMPLE_BYTES);
  const length = readSync(file, lines, 0, SAMPLE_BYTES, 0);
  closeSync(file);
  const messages = lines
    .toString("latin1", 0, lines.lastIndexOf("\n", length - 1))
    .split("\n")
    .map((line) => (JSON.parse(line) as { message: string }).message);
  const raw = Buffer.from(messages.join("\n"));
  let inBlocks = 0;
  for (let from = 0; from < raw.length; from += BLOCK_BYTES) {
    inBlocks += zstd(raw.subarray(from, from + BLOCK_BYTES));
  }
  return [
    { name: "gzip -1", value: gzipSync(raw, { level: 1 }).length / raw.length, unit: "of raw" },
    { name: "zstd -1", value: zstd(raw) / raw.length, unit: "of raw" },
    { name: "zstd -1, 64 KiB blocks", value: inBlocks / raw.length, unit: "of raw" },
  ];
}
