// Lets searches run a bounded number of statements, so that each customer gets a fair share of the reading.

interface Waiting {
  readonly search: string;
  readonly bytes: number;
  readonly start: () => void;
}

interface Customer {
  readonly waiting: Waiting[];
  /** Bytes of the statements that were started, as far ahead of or behind the others'. */
  spentBytes: number;
}

/** Statements of one thread each: as many at a time as there are cores beat one statement of many threads. */
export class StatementPool {
  readonly #limit: number;
  /** Customers with statements that wait. */
  readonly #customers = new Map<string, Customer>();
  #running = 0;
  /** Where the customer stood whose statement was started last: who comes anew starts there. */
  #spentBytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  /**
   * Runs a task when it is its turn: of the customer who has been given the fewest bytes to read, and
   * within the customer of the search that was served least recently.
   *
   * @param bytes that the task reads at most
   */
  async run<Result>(
    customer: string,
    search: string,
    bytes: number,
    task: () => Promise<Result>,
  ): Promise<Result> {
    if (this.#running < this.#limit) this.#running++;
    else await new Promise<void>((start) => this.#enqueue(customer, { search, bytes, start }));
    try {
      return await task();
    } finally {
      const next = this.#takeNext();
      if (next === undefined) this.#running--;
      else next.start();
    }
  }

  #enqueue(name: string, waiting: Waiting): void {
    this.#customers
      .getOrInsertComputed(name, () => ({ waiting: [], spentBytes: this.#spentBytes }))
      .waiting.push(waiting);
  }

  #takeNext(): Waiting | undefined {
    let poorest: [name: string, customer: Customer] | undefined;
    for (const entry of this.#customers) {
      if (poorest === undefined || entry[1].spentBytes < poorest[1].spentBytes) poorest = entry;
    }
    if (poorest === undefined) return undefined;
    const [name, customer] = poorest;
    const next = customer.waiting.shift();
    this.#spentBytes = customer.spentBytes;
    customer.spentBytes += Math.max(1, next?.bytes ?? 0);
    this.#customers.delete(name);
    if (customer.waiting.length > 0) {
      const isOther = (waiting: Waiting): boolean => waiting.search !== next?.search;
      const { waiting } = customer;
      waiting.splice(
        0,
        waiting.length,
        ...waiting.filter(isOther),
        ...waiting.filter((one) => !isOther(one)),
      );
      this.#customers.set(name, customer);
    }
    return next;
  }
}
