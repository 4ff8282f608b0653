// The block ids of a partition's newest records, by which a record that stands in it twice is recognised.
import { blockIdOf } from "../../../schemas/event-codec.ts";
import type { LogRecord } from "../log.ts";

const MAX_REMEMBERED = 65_536;
/** As far apart two records of one block id are looked for, ms. */
const APART_MS = 120_000;

export class BlockMemory {
  readonly #offsets = new Map<string, number>();
  /** Everything between these is remembered without a gap, as far back as memory goes. */
  #from = 0;
  #next = 0;
  /** When the first of it was appended. */
  #since = Number.POSITIVE_INFINITY;

  /** Forgets what it knows when records between that and the offset were not seen. */
  beginAt(offset: number): void {
    if (offset > this.#next) {
      this.#offsets.clear();
      this.#from = offset;
      this.#since = Number.POSITIVE_INFINITY;
    }
    this.#from = Math.min(this.#from, offset);
    this.#next = offset;
  }

  /** Whether it knows what was appended from an offset on, or all that a record appended then could repeat. */
  reaches(offset: number, appendedAt: number): boolean {
    return this.#from <= offset || this.#since <= appendedAt - APART_MS;
  }

  /**
   * Remembers a record, and says whether an earlier one of the partition has its block id. Asked again
   * about the same record it says the same.
   */
  isRepeat({ offset, value, appendedAt }: LogRecord): boolean {
    this.#next = Math.max(this.#next, offset + 1);
    this.#since = Math.min(this.#since, appendedAt);
    const id = blockIdOf(value);
    if (id === undefined) return false;
    const first = this.#offsets.get(id);
    if (first !== undefined && first <= offset) return first < offset;
    this.#offsets.set(id, offset);
    if (this.#offsets.size > MAX_REMEMBERED) {
      const [oldest] = this.#offsets.keys();
      if (oldest !== undefined) this.#offsets.delete(oldest);
    }
    return false;
  }
}
