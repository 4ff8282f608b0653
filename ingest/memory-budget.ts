// Bounds the bytes that ingest holds: bodies on their way in, decoded, encoded, until acknowledged.
import { LogboomError } from "../schemas/errors.ts";

const RETRY_AFTER_SECONDS = 1;

/** What one request holds of the budget; released as a whole, once. */
export class Reservation {
  #budget: MemoryBudget;
  #bytes = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** @throws LogboomError OVERLOADED when the budget is spent. */
  add(bytes: number): void {
    this.#budget.take(bytes);
    this.#bytes += bytes;
  }

  /** From now on it counts against another budget. @throws LogboomError OVERLOADED when that one is spent. */
  moveTo(budget: MemoryBudget): void {
    if (budget === this.#budget) return;
    budget.take(this.#bytes);
    this.#budget.give(this.#bytes);
    this.#budget = budget;
  }

  release(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}

export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.limitBytes) {
      throw new LogboomError(
        "OVERLOADED",
        `requests of ${this.#usedBytes} bytes wait for their acknowledgement; ${bytes} more exceed the limit of ${this.limitBytes}`,
        { retryAfterSeconds: RETRY_AFTER_SECONDS, details: { limit: this.limitBytes } },
      );
    }
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
