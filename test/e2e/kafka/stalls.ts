// Watches where consumers stand, for the longest time that a partition did not move while it got events.
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster-fixture.ts";

const LOOK_MS = 200;

export class Stalls {
  readonly #cluster: Cluster;
  readonly #moves = new Map<number, { offset: number; at: number }>();
  readonly #watching: Promise<void>;
  #longestMs = 0;
  #isStopping = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#watching = this.#watch();
  }

  /** Seconds of the longest stall since it was asked last, one that still lasts included. */
  takeLongestSeconds(): number {
    for (const { at } of this.#moves.values()) this.#note(performance.now() - at);
    const seconds = this.#longestMs / 1000;
    this.#longestMs = 0;
    return seconds;
  }

  /** Forgets what lies behind, so that a stall counts for one fault only. */
  begin(): void {
    for (const move of this.#moves.values()) move.at = performance.now();
    this.#longestMs = 0;
  }

  /** Resolves when every partition has moved since the call. */
  async waitUntilAllMove(): Promise<void> {
    const before = new Map([...this.#moves].map(([partition, { offset }]) => [partition, offset]));
    const isMoving = () =>
      [...before].every(
        ([partition, offset]) => (this.#moves.get(partition)?.offset ?? 0) > offset,
      );
    for (let tries = 0; !isMoving(); tries++) {
      if (tries > 3_000) throw new Error("a partition does not move any more");
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#isStopping) {
      // Brokers may be away.
      const positions = await this.#cluster.positions().catch(() => undefined);
      const at = performance.now();
      for (const [partition, offset] of positions ?? []) {
        const last = this.#moves.get(partition);
        if (last !== undefined && offset <= last.offset) continue;
        if (last !== undefined) this.#note(at - last.at);
        this.#moves.set(partition, { offset, at });
      }
      await sleep(LOOK_MS);
    }
  }

  #note(ms: number): void {
    this.#longestMs = Math.max(this.#longestMs, ms);
  }
}
