// Up to when everything that was acknowledged can be found: where the consumers stand in the log.
import { setTimeout as sleep } from "node:timers/promises";
import type { PartitionLag } from "../../ingest/log/log.ts";

/** How old an answer may be; many polls share one look at the log. */
const KEEP_MS = 50;
const LOOK_AGAIN_MS = 20;

export class Freshness {
  readonly #lag: () => Promise<readonly PartitionLag[]>;
  #known: { readonly at: number; readonly searchableUntil: Promise<number> } | undefined;

  /** @param lag of the group that fills the store */
  constructor(lag: () => Promise<readonly PartitionLag[]>) {
    this.#lag = lag;
  }

  /** ms since the epoch: every event acknowledged before is in the store. */
  searchableUntil(): Promise<number> {
    const now = Date.now();
    if (this.#known === undefined || now - this.#known.at > KEEP_MS) {
      this.#known = { at: now, searchableUntil: this.#look(now) };
    }
    return this.#known.searchableUntil;
  }

  /**
   * Resolves when everything acknowledged until now can be found, or after the time given; so it does where the
   * log cannot tell, which whoever searches then finds out by themselves.
   */
  async caughtUp(withinMs: number): Promise<void> {
    const now = Date.now();
    while (Date.now() - now < withinMs && (await this.searchableUntil().catch(() => 0)) < now) {
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** The time is taken first: what is acknowledged during the look may be missing from it. */
  async #look(now: number): Promise<number> {
    const lags = await this.#lag();
    return lags.reduce((until, { storedUntil }) => Math.min(until, storedUntil), now);
  }
}
