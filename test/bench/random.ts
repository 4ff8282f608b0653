// A small seeded generator of random numbers, so that every run of the benchmark sends the same bytes.

const HEX4 = Array.from({ length: 65536 }, (_, n) => n.toString(16).padStart(4, "0"));

/** mulberry32: 32 bits of state, a few nanoseconds a number, no visible pattern in what we draw. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer of 0 .. 2^32-1. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A number of [0, 1). */
  fraction(): number {
    return this.bits() / 4294967296;
  }

  /** An integer of 0 .. limit-1. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** An integer of 0 .. limit-1 of which small ones are much more frequent, as users and pages are. */
  skewed(limit: number): number {
    const fraction = this.fraction();
    return Math.floor(limit * fraction * fraction * fraction);
  }

  /** A positive number with a long tail around the median, as durations and sizes have. */
  longTailed(median: number): number {
    const sum = this.fraction() + this.fraction() + this.fraction() + this.fraction() - 2;
    return median * Math.exp(sum * 2.2);
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined) throw new Error("cannot pick from an empty list");
    return chosen;
  }

  hex4(): string {
    return HEX4[this.bits() >>> 16] ?? "";
  }

  hex8(): string {
    const bits = this.bits();
    return `${HEX4[bits >>> 16]}${HEX4[bits & 0xffff]}`;
  }

  hex16(): string {
    return this.hex8() + this.hex8();
  }

  uuid(): string {
    return `${this.hex8()}-${this.hex4()}-4${this.hex4().slice(1)}-a${this.hex4().slice(1)}-${this.hex8()}${this.hex4()}`;
  }
}
