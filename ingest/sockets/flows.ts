// Lets connections send, or makes them all wait: TCP carries the waiting to the senders.

/** Connections that go on at a time: each may bring a piece of 64 KiB before the next look at the room. */
const RESUMED_AT_ONCE = 64;

interface Flow {
  pause(): unknown;
  resume(): unknown;
}

export class Flows {
  readonly #running = new Set<Flow>();
  /** The one that has waited longest is first. */
  readonly #waiting = new Set<Flow>();
  #isHeld = false;

  add(flow: Flow): void {
    if (this.#isHeld) {
      flow.pause();
      this.#waiting.add(flow);
    } else {
      this.#running.add(flow);
    }
  }

  delete(flow: Flow): void {
    this.#running.delete(flow);
    this.#waiting.delete(flow);
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  hold(): void {
    this.#isHeld = true;
    for (const flow of this.#running) {
      flow.pause();
      this.#waiting.add(flow);
    }
    this.#running.clear();
  }

  /** Some at a time, until all run or they are held again. */
  release(): void {
    this.#isHeld = false;
    this.#resumeSome();
  }

  #resumeSome(): void {
    if (this.#isHeld) return;
    let left = RESUMED_AT_ONCE;
    for (const flow of this.#waiting) {
      if (left-- === 0) break;
      this.#waiting.delete(flow);
      this.#running.add(flow);
      flow.resume();
    }
    if (this.#waiting.size > 0) setImmediate(() => this.#resumeSome());
  }
}
