// Lets searches run a bounded number of statements, in turn by customer and by search.

interface Waiting {
  readonly search: string;
  readonly start: () => void;
}

/** Statements of one thread each: as many at a time as there are cores beat one statement of many threads. */
export class StatementPool {
  readonly #limit: number;
  /** by customer, in the order of their turns */
  readonly #queues = new Map<string, Waiting[]>();
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  async run<Result>(
    customer: string,
    search: string,
    task: () => Promise<Result>,
  ): Promise<Result> {
    if (this.#running < this.#limit) this.#running++;
    else await new Promise<void>((start) => this.#enqueue(customer, { search, start }));
    try {
      return await task();
    } finally {
      const next = this.#takeNext();
      if (next === undefined) this.#running--;
      else next.start();
    }
  }

  #enqueue(customer: string, waiting: Waiting): void {
    const queue = this.#queues.get(customer);
    if (queue === undefined) this.#queues.set(customer, [waiting]);
    else queue.push(waiting);
  }

  /** The first customer's first; then the customer goes to the end, and within it the search does. */
  #takeNext(): Waiting | undefined {
    const [first] = this.#queues;
    if (first === undefined) return undefined;
    const [customer, queue] = first;
    const next = queue.shift();
    this.#queues.delete(customer);
    if (queue.length > 0) {
      const isOther = (waiting: Waiting) => waiting.search !== next?.search;
      const reordered = [...queue.filter(isOther), ...queue.filter((waiting) => !isOther(waiting))];
      this.#queues.set(customer, reordered);
    }
    return next;
  }
}
