// Counts by cell: up to some millions of cells in bounded memory, few of which may hold something.

/** 8 KiB a page: a slice's counts lie close together, and a page that holds nothing is not made. */
const PAGE_CELLS = 1_024;
/** Cells whose JSON is made anew together, when one of them has changed. */
const PAGES_PER_CHUNK = 16;
const CHUNK_CELLS = PAGES_PER_CHUNK * PAGE_CELLS;
const COMMA = 0x2c;
const ZERO = 0x30;

/** The cells that hold something, ascending, with their counts: twelve bytes each. */
export class PackedCells {
  readonly #cells: Uint32Array;
  readonly #counts: Float64Array;

  constructor(cells: Uint32Array, counts: Float64Array) {
    this.#cells = cells;
    this.#counts = counts;
  }

  get sizeBytes(): number {
    return this.#cells.byteLength + this.#counts.byteLength;
  }

  *[Symbol.iterator](): Generator<readonly [cell: number, count: number]> {
    for (const [index, cell] of this.#cells.entries()) yield [cell, this.#counts[index] ?? 0];
  }
}

/** Counts that grow, and their JSON: what has not changed is not written again. */
export class CellCounts {
  readonly #pages: (Float64Array | undefined)[] = [];
  readonly #chunks: (Buffer | undefined)[] = [];
  #heldBytes = 0;

  /** of counts and of their JSON */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  add(cell: number, count: number): void {
    const number = Math.floor(cell / PAGE_CELLS);
    const page = this.#pages[number] ?? this.#addPage(number);
    const index = cell % PAGE_CELLS;
    page[index] = (page[index] ?? 0) + count;
    const chunk = Math.floor(cell / CHUNK_CELLS);
    const json = this.#chunks[chunk];
    if (json === undefined) return;
    this.#heldBytes -= json.length;
    this.#chunks[chunk] = undefined;
  }

  pack(): PackedCells {
    let held = 0;
    for (const page of this.#pages) if (page !== undefined) held += page.length - zerosIn(page);
    const cells = new Uint32Array(held);
    const counts = new Float64Array(held);
    let at = 0;
    for (const [number, page] of this.#pages.entries()) {
      for (const [index, count] of (page ?? []).entries()) {
        if (count === 0) continue;
        cells[at] = number * PAGE_CELLS + index;
        counts[at++] = count;
      }
    }
    return new PackedCells(cells, counts);
  }

  /**
   * The counts of the first cells, parted by commas, in pieces that are shared between calls.
   *
   * @param cells all that there are
   */
  render(cells: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let first = 0; first < cells; first += CHUNK_CELLS) {
      pieces.push(this.#chunk(first / CHUNK_CELLS, Math.min(CHUNK_CELLS, cells - first)));
    }
    return pieces;
  }

  #addPage(number: number): Float64Array {
    // An array with holes is slow.
    while (this.#pages.length <= number) this.#pages.push(undefined);
    const page = new Float64Array(PAGE_CELLS);
    this.#pages[number] = page;
    this.#heldBytes += page.byteLength;
    return page;
  }

  /** Each count but the very first has a comma before it. */
  #chunk(number: number, length: number): Buffer {
    const known = this.#chunks[number];
    if (known !== undefined) return known;
    const first = number * PAGES_PER_CHUNK;
    const pages = this.#pages.slice(first, first + PAGES_PER_CHUNK);
    const comma = number === 0 ? 1 : 0;
    if (pages.every((page) => page === undefined)) return zeros.subarray(comma, length * 2);
    let end = 0;
    for (let begin = 0; begin < length; begin += PAGE_CELLS) {
      const counts = pages[begin / PAGE_CELLS] ?? emptyPage;
      end = write(counts.subarray(0, length - begin), end);
    }
    const json = Buffer.from(scratch.subarray(comma, end));
    while (this.#chunks.length < number) this.#chunks.push(undefined);
    this.#chunks[number] = json;
    this.#heldBytes += json.length;
    return json;
  }
}

const emptyPage = new Float64Array(PAGE_CELLS);
const zeros = Buffer.alloc(CHUNK_CELLS * 2, ",0");
const MOST_DIGITS = String(Number.MAX_SAFE_INTEGER).length;
const scratch = Buffer.alloc(CHUNK_CELLS * (1 + MOST_DIGITS));

/** Writes `,count` for each count, and returns where it ends. Most counts have one digit. */
function write(counts: Float64Array, begin: number): number {
  let at = begin;
  for (const count of counts) {
    scratch[at++] = COMMA;
    if (count < 10) scratch[at++] = ZERO + count;
    else at += scratch.write(String(count), at, "latin1");
  }
  return at;
}

function zerosIn(page: Float64Array): number {
  let found = 0;
  for (const count of page) if (count === 0) found++;
  return found;
}
