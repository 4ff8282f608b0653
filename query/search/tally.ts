// What a slice found, and how the finds of slices become one.
import { CellCounts, type PackedCells } from "./cell-counts.ts";
import type { Prefixes } from "./request.ts";

/** A found event; `key` only when the search is for keys. */
export interface FoundEvent {
  readonly time: bigint;
  readonly ingested: bigint;
  readonly labels: Prefixes;
  readonly message: string;
  readonly key?: string;
}

/** Counts by cell and by context; only what is not zero. */
export interface Tally {
  readonly cells: PackedCells;
  /** by the labels, joined by NUL, which no label holds */
  readonly contexts: ReadonlyMap<string, number>;
}

/** The finds of one slice. */
export type Finds =
  | {
      readonly kind: "events";
      readonly events: readonly FoundEvent[];
      /** How many were asked for, when the slice may hold more. */
      readonly cutAt: number | undefined;
    }
  /** The cells are those of the slice's layout. */
  | { readonly kind: "tally"; readonly tally: Tally };

export function joinLabels(labels: Prefixes): string {
  return labels.join("\0");
}

export function splitLabels(joined: string): Prefixes {
  return joined.split("\0") as unknown as Prefixes;
}

/** Newest first; of equal times the one that came in later first. */
export function compareNewestFirst(a: FoundEvent, b: FoundEvent): number {
  if (a.time !== b.time) return a.time > b.time ? -1 : 1;
  if (a.ingested !== b.ingested) return a.ingested > b.ingested ? -1 : 1;
  // Two edges may have given the same number: any order will do as long as it is always the same.
  return (
    compareText(joinLabels(a.labels), joinLabels(b.labels)) || compareText(a.message, b.message)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps the newest events, all or one of each key, up to a limit; holds at most twice as many. */
export class NewestEvents {
  readonly #limit: number;
  readonly #oneByKey: boolean;
  #events: FoundEvent[] = [];

  constructor(limit: number, oneByKey: boolean) {
    this.#limit = limit;
    this.#oneByKey = oneByKey;
  }

  add(event: FoundEvent): void {
    this.#events.push(event);
    if (this.#events.length >= this.#limit * 2) this.#events = this.newest();
  }

  /** Newest first. */
  newest(): FoundEvent[] {
    const sorted = this.#events.toSorted(compareNewestFirst);
    return (this.#oneByKey ? firstByKey(sorted) : sorted).slice(0, this.#limit);
  }
}

/** Of events that are newest first, the first of each key. */
export function firstByKey(events: readonly FoundEvent[]): FoundEvent[] {
  const seen = new Set<string>();
  return events.filter(({ key = "" }) => {
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** What an entry of a map costs about, beside the text of its key. */
const ENTRY_BYTES = 100;

/** What a tally takes in memory. */
export function tallyBytes({ cells, contexts }: Tally): number {
  let bytes = cells.sizeBytes;
  for (const context of contexts.keys()) bytes += ENTRY_BYTES + context.length;
  return bytes;
}

/** Counts that grow event by event. */
export class RunningTally {
  readonly #cells = new CellCounts();
  readonly #contexts = new Map<string, number>();

  countOne(cell: number, context: string): void {
    this.addCell(cell, 1);
    this.addContext(context, 1);
  }

  addCell(cell: number, count: number): void {
    this.#cells.add(cell, count);
  }

  addContext(context: string, count: number): void {
    this.#contexts.set(context, (this.#contexts.get(context) ?? 0) + count);
  }

  finish(): Tally {
    return { cells: this.#cells.pack(), contexts: this.#contexts };
  }
}
