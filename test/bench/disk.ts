// Bytes that a folder takes on disk, as `du` counts them: holes of sparse files take none.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Figure } from "./report.ts";

const BLOCK_BYTES = 512;

/** @param counted inodes that were met before: a file of several links, as mutations make them, takes its place once */
function diskBytes(path: string, counted: Set<number>): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || counted.has(stat.ino)) return 0;
  counted.add(stat.ino);
  const own = stat.blocks * BLOCK_BYTES;
  if (!stat.isDirectory()) return own;
  return readNames(path).reduce((sum, name) => sum + diskBytes(join(path, name), counted), own);
}

/** Nothing when the folder was merged away while we looked. */
function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** What a data directory takes for each byte of message, and each of its entries that matters. */
export function diskFigures(dataDir: string, messageBytes: number, target: number): Figure[] {
  const counted = new Set<number>();
  const entries = readNames(dataDir)
    .map((name) => ({ name, bytes: diskBytes(join(dataDir, name), counted) }))
    .toSorted((a, b) => b.bytes - a.bytes);
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    { name: "disk", value: total / messageBytes, unit: "of raw", target },
    ...entries
      .filter(({ bytes }) => bytes > total / 1000)
      .map(({ name, bytes }) => ({
        name: `  ${name}`,
        value: bytes / messageBytes,
        unit: "of raw",
      })),
  ];
}
