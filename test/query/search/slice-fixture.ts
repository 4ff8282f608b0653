// Slices as plans have them, of which a test says only what it is about.
import { CellCounts, type PackedCells } from "../../../query/search/cell-counts.ts";
import type { Slice } from "../../../query/search/slices.ts";

const HOUR_NS = 3_600_000_000_000n;

/** One hour of a few events, unless told otherwise. */
export function sliceOf(given: Partial<Slice> & Pick<Slice, "firstHour" | "lastHour">): Slice {
  return {
    source: "events",
    rows: 6,
    bytes: 60,
    blocks: 1,
    oldest: BigInt(given.firstHour) * HOUR_NS,
    newest: BigInt(given.lastHour + 1) * HOUR_NS - 1n,
    signature: "1",
    ...given,
  };
}

export function packCells(cells: Iterable<readonly [cell: number, count: number]>): PackedCells {
  const counts = new CellCounts();
  for (const [cell, count] of cells) counts.add(cell, count);
  return counts.pack();
}
