// Which partition of the log an event goes to, remembered by customer and prefix0.
import { partitionOf } from "../schemas/partition.ts";

/** Beyond it the memory starts anew, so that made-up labels cannot fill it. */
const MAX_REMEMBERED = 20_000;

export class Partitions {
  readonly #count: number;
  readonly #byCustomer = new Map<string, Map<string, number>>();
  #remembered = 0;

  constructor(count: number) {
    this.#count = count;
  }

  of(customer: string, prefix0: string): number {
    const known = this.#byCustomer.get(customer)?.get(prefix0);
    if (known !== undefined) return known;
    const partition = partitionOf(customer, prefix0, this.#count);
    if (++this.#remembered > MAX_REMEMBERED) {
      this.#byCustomer.clear();
      this.#remembered = 1;
    }
    this.#byCustomer.getOrInsertComputed(customer, () => new Map()).set(prefix0, partition);
    return partition;
  }
}
