// Senders that number their events under the name of the fault that is on, and repeat each request until it is acknowledged.
import { setTimeout as sleep } from "node:timers/promises";
import { postIngest, toNdjson } from "../../support/api.ts";
import type { Endpoint } from "../../support/service.ts";

const SENDERS = 8;
const MOST_EVENTS = 40;
const PAUSE_MS = 40;
/** Many values, so that every partition gets events all the time. */
const PREFIXES = 64;
const REQUEST_TIMEOUT_MS = 25_000;
/** One request of so many is given up by its sender before the reply, and then repeated. */
const ABANDONED_ONE_OF = 30;

export interface Tally {
  acknowledged: number;
  repeats: number;
}

export class NumberedLoad {
  readonly tallies = new Map<string, Tally>();
  /** What the events of new requests are counted under. */
  fault = "none";
  readonly #edges: readonly Endpoint[];
  readonly #sending: Promise<unknown>;
  #isStopping = false;

  constructor(edges: readonly Endpoint[]) {
    this.#edges = edges;
    this.#sending = Promise.all(Array.from({ length: SENDERS }, (_, sender) => this.#send(sender)));
    // A failure is told by stop(); until then it must not end the test process.
    this.#sending.catch(() => undefined);
  }

  /** Acknowledged under all faults. */
  get acknowledged(): number {
    return [...this.tallies.values()].reduce((sum, tally) => sum + tally.acknowledged, 0);
  }

  /** Waits until events go in again; 40 s is twice what an append may take. */
  async waitForProgress(): Promise<void> {
    const wanted = this.acknowledged + 400;
    for (let tries = 0; this.acknowledged < wanted; tries++) {
      if (tries > 2_000) throw new Error(`during "${this.fault}" nothing is acknowledged any more`);
      await sleep(20);
    }
  }

  /** Lets every request be acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#sending;
  }

  async #send(sender: number): Promise<void> {
    for (let request = 0; !this.#isStopping; request++) {
      const { fault } = this;
      const tally = this.tallies.getOrInsertComputed(fault, () => ({
        acknowledged: 0,
        repeats: 0,
      }));
      const count = 1 + Math.floor(Math.random() * MOST_EVENTS);
      const events = Array.from({ length: count }, (_, index) => ({
        prefix0: `p-${(request * MOST_EVENTS + index) % PREFIXES}`,
        prefix1: fault,
        message: `${fault} ${sender}/${request}/${index}`,
      }));
      const key = crypto.randomUUID();
      for (
        let attempt = 0;
        !(await this.#post(events, key, sender + request + attempt));
        attempt++
      ) {
        tally.repeats++;
        await sleep(20 + Math.random() * 100);
      }
      tally.acknowledged += count;
      await sleep(Math.random() * 2 * PAUSE_MS);
    }
  }

  /** Whether the request is acknowledged; false when it is to be repeated, at the next edge. */
  async #post(events: readonly object[], key: string, turn: number): Promise<boolean> {
    const edge = this.#edges[turn % this.#edges.length];
    if (edge === undefined) throw new TypeError("no edge");
    const isAbandoned = Math.random() < 1 / ABANDONED_ONE_OF;
    const timeoutMs = isAbandoned ? 1 + Math.random() * 15 : REQUEST_TIMEOUT_MS;
    let status: number;
    let text: string;
    try {
      const headers = { "idempotency-key": key };
      const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
      const response = await postIngest(edge, toNdjson(events), { headers, signal });
      status = response.status;
      text = await response.text();
    } catch {
      return false; // the process is gone, or the sender gave up
    }
    if (status === 202) return true;
    if (status >= 500 || status === 429) return false;
    throw new Error(`refused: ${status} ${text}`);
  }
}
