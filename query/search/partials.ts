// Keeps what slices were found to hold, so that a search scans only what no earlier one has.
import { createHash } from "node:crypto";
import type { Prefixes, SearchRequest } from "./request.ts";
import { joinPrefixes } from "./scope.ts";
import type { Slice } from "./slices.ts";
import { tallyBytes, type Finds } from "./tally.ts";

/** What an event without its message costs about, or the entry of a slice's finds. */
const ENTRY_BYTES = 100;

/**
 * Names the finds of a slice by everything that they depend on: scope, pattern, what the range cuts off, what
 * the slice holds, by its statistics, and the meaning of the cells.
 *
 * @param prefixes of query and token both: two scopes never share finds
 * @returns from the name of the layout of counts
 */
export function partialKeys(
  request: SearchRequest,
  prefixes: Prefixes,
  slice: Slice,
): (cells: string) => string {
  const { customer, type, regex, begin, end, xSplits, ySplits } = request;
  const parts = [
    customer,
    joinPrefixes(prefixes),
    type,
    regex,
    type === "EXACT_XY_HISTOGRAM_BINNED" ? [xSplits, ySplits] : [],
    slice.firstHour,
    slice.lastHour,
    begin > slice.oldest ? String(begin) : "",
    end <= slice.newest ? String(end) : "",
    slice.signature,
  ];
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("base64");
  return (cells) => `${hash}/${cells}`;
}

/** Finds by their name, the least recently used forgotten first. */
export class Partials {
  readonly #maxBytes: number;
  readonly #finds = new Map<string, { readonly finds: Finds; readonly sizeBytes: number }>();
  #heldBytes = 0;

  /** @param maxBytes 0 keeps nothing */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @param limit events that are wanted; finds that were cut to fewer are not given */
  find(key: string, limit: number): Finds | undefined {
    const known = this.#finds.get(key);
    if (known === undefined) return undefined;
    const { finds } = known;
    if (finds.kind === "events" && finds.cutAt !== undefined && finds.cutAt < limit)
      return undefined;
    this.#finds.delete(key);
    this.#finds.set(key, known);
    return finds;
  }

  keep(key: string, finds: Finds): void {
    const sizeBytes = sizeOf(finds);
    // One that is large would push out all others.
    if (sizeBytes > this.#maxBytes / 8) return;
    this.#forget(key);
    this.#finds.set(key, { finds, sizeBytes });
    this.#heldBytes += sizeBytes;
    for (const oldest of this.#finds.keys()) {
      if (this.#heldBytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#heldBytes -= this.#finds.get(key)?.sizeBytes ?? 0;
    this.#finds.delete(key);
  }
}

function sizeOf(finds: Finds): number {
  if (finds.kind === "tally") {
    return ENTRY_BYTES + tallyBytes(finds.tally);
  }
  return finds.events.reduce((sum, { message }) => sum + ENTRY_BYTES + message.length, ENTRY_BYTES);
}
