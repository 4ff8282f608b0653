// Shares a bounded number of the store's threads among the statements of searches: to each customer a fair part of the reading.

interface Waiting {
  readonly search: string;
  readonly bytes: number;
  readonly start: (threads: number) => void;
}

interface Customer {
  readonly waiting: Waiting[];
  /** Bytes of the statements that were started, as far ahead of or behind the others'. */
  spentBytes: number;
}

/** What the store's users may ask for (schemas/users.sql). */
const MAX_THREADS = 4;
/** Below, starting threads takes longer than they save. */
const MANY_THREADS_BYTES = 8 * 1024 * 1024;

/**
 * A statement has as many threads as are free when its turn comes, up to four. One after the other over large slices they
 * cost no more than many of one thread over small ones, and something can be shown sooner.
 */
export class StatementPool {
  readonly #threads: number;
  /** Customers with statements that wait. */
  readonly #customers = new Map<string, Customer>();
  #freeThreads: number;
  /** Where the customer stood whose statement was started last: who comes anew starts there. */
  #spentBytes = 0;

  constructor(threads: number) {
    this.#threads = threads;
    this.#freeThreads = threads;
  }

  /** How many statements one search should ask for at a time: those that can run, and one that follows. */
  get width(): number {
    return Math.ceil(this.#threads / MAX_THREADS) + 1;
  }

  /**
   * Runs a task when it is its turn: of the customer who has been given the fewest bytes to read, and
   * within the customer of the search that was served least recently.
   *
   * @param bytes that the task reads at most
   * @param task is given the number of its threads
   */
  async run<Result>(
    customer: string,
    search: string,
    bytes: number,
    task: (threads: number) => Promise<Result>,
  ): Promise<Result> {
    const threads =
      this.#freeThreads > 0
        ? this.#take(bytes)
        : await new Promise<number>((start) => this.#enqueue(customer, { search, bytes, start }));
    try {
      return await task(threads);
    } finally {
      this.#freeThreads += threads;
      while (this.#freeThreads > 0) {
        const next = this.#takeNext();
        if (next === undefined) break;
        next.start(this.#take(next.bytes));
      }
    }
  }

  #take(bytes: number): number {
    const most = bytes < MANY_THREADS_BYTES ? 1 : MAX_THREADS;
    const threads = Math.min(most, this.#freeThreads);
    this.#freeThreads -= threads;
    return threads;
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
