// Scalyr's query budget: what a customer's queries may take of the store, as a bucket that fills up again.
import { LogboomError } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";

/** 30,000 ms at once and 36,000 ms an hour, as the vendor has it: 1.2 budgets an hour. */
const REFILLS_PER_HOUR = 1.2;
const HOUR_MS = 3_600_000;
/** From here on, buckets that are full again are forgotten. */
const MANY_CUSTOMERS = 1_000;

interface Bucket {
  /** ms that are left; below zero where queries took more. */
  leftMs: number;
  /** When that was. */
  atMs: number;
}

interface BudgetOptions {
  /** What a full bucket holds; 0: queries are not limited. */
  readonly budgetMs: number;
  readonly instruments: Pick<
    Instruments,
    "logboom_scalyr_query_seconds_total" | "logboom_scalyr_budget_refusals_total"
  >;
  /** ms of a clock that never goes back */
  readonly now?: () => number;
}

/** Of one process: several of them have a budget each, and a restart fills the buckets. */
export class QueryBudgets {
  readonly #budgetMs: number;
  readonly #instruments: BudgetOptions["instruments"];
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor({ budgetMs, instruments, now = () => performance.now() }: BudgetOptions) {
    this.#budgetMs = budgetMs;
    this.#instruments = instruments;
    this.#now = now;
  }

  /** @throws LogboomError RATE_LIMITED when the customer's bucket is empty */
  require(customer: string): void {
    const { leftMs } = this.#bucketOf(customer);
    if (this.#budgetMs === 0 || leftMs > 0) return;
    this.#instruments.logboom_scalyr_budget_refusals_total.inc();
    const hourlyMs = this.#budgetMs * REFILLS_PER_HOUR;
    throw new LogboomError(
      "RATE_LIMITED",
      `the query budget of ${this.#budgetMs} ms is spent; ${hourlyMs} ms come back in an hour`,
      {
        retryAfterSeconds: Math.max(1, Math.ceil((-leftMs / hourlyMs) * (HOUR_MS / 1000))),
        details: {
          reason: "query-budget",
          limit: this.#budgetMs,
          remaining: Math.floor(leftMs),
          refillPerHour: hourlyMs,
        },
      },
    );
  }

  /** Takes what a statement took. Debts end at one budget, so that nobody waits longer than the time of its refill. */
  charge(customer: string, takenMs: number): void {
    this.#instruments.logboom_scalyr_query_seconds_total.inc(takenMs / 1000);
    if (this.#budgetMs === 0) return;
    const bucket = this.#bucketOf(customer);
    bucket.leftMs = Math.max(-this.#budgetMs, bucket.leftMs - takenMs);
    this.#buckets.set(customer, bucket);
    if (this.#buckets.size <= MANY_CUSTOMERS) return;
    for (const name of this.#buckets.keys()) {
      if (this.#bucketOf(name).leftMs === this.#budgetMs) this.#buckets.delete(name);
    }
  }

  #bucketOf(customer: string): Bucket {
    const now = this.#now();
    const { leftMs, atMs } = this.#buckets.get(customer) ?? { leftMs: this.#budgetMs, atMs: now };
    const refilledMs = ((now - atMs) / HOUR_MS) * this.#budgetMs * REFILLS_PER_HOUR;
    return { leftMs: Math.min(this.#budgetMs, leftMs + refilledMs), atMs: now };
  }
}
