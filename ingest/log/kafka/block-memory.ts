// The block ids of a partition's newest records, by which a record that stands in it twice is recognised.
import { blockIdOf } from "../../../schemas/event-codec.ts";

const MAX_REMEMBERED = 65_536;

export class BlockMemory {
  readonly #offsets = new Map<string, number>();
  #next = 0;

  /** Everything before it, as far back as memory goes, is remembered without a gap. */
  get next(): number {
    return this.#next;
  }

  /** Forgets what it knows when records between that and the offset were not seen. */
  beginAt(offset: number): void {
    if (offset > this.#next) this.#offsets.clear();
    this.#next = offset;
  }

  /**
   * Remembers a record, and says whether an earlier one of the partition has its block id. Asked again
   * about the same record it says the same.
   */
  isRepeat(offset: number, record: Buffer): boolean {
    this.#next = Math.max(this.#next, offset + 1);
    const id = blockIdOf(record);
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
