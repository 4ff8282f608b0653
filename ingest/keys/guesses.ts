// Slows down who tries secrets: a bounded number of failures by address, refilled slower the longer it goes on.
import { createHash, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { LogboomError } from "../../schemas/errors.ts";

/** Failures in a row that an address may make at any speed: agents with an old key, people, tests. */
const FREE_FAILURES = 100;
/** Afterwards one attempt in this time, doubled with every 100 failures more. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 8_000;
/** From 200 failures on, each key has its turn in one second of so many, however many others are tried. */
const TURNS = 64;
const TURN_MS = 1_000;
/** Without a failure for so long, an address is as good as new. */
const FORGET_MS = 10 * 60_000;
/** About 200 bytes each. */
const MAX_ADDRESSES = 20_000;
const MAX_GOOD_KEYS = 50_000;

interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

interface GuessesOptions {
  readonly maxAddresses?: number;
  readonly maxGoodKeys?: number;
  readonly salt?: Buffer;
  readonly now?: () => number;
}

/**
 * A key that was good from an address passes there whatever else comes from it, so that one agent with a
 * wrong key does not shut out those behind the same gateway. A good key that was not seen there gets in when
 * the wait is over, or in its turn: who asks once a second is tried within {@link TURNS} seconds even while
 * somebody else takes every other chance. The turn depends on a secret, so nobody can try keys in its order.
 */
export class Guesses {
  /** By address, the one that failed longest ago first. */
  readonly #failures = new Map<string, Failures>();
  /** Pairs of address and key's name, the one that came in longest ago first. */
  readonly #good = new Set<string>();
  readonly #salt: Buffer;
  readonly #maxAddresses: number;
  readonly #maxGoodKeys: number;
  readonly #now: () => number;

  constructor({
    maxAddresses = MAX_ADDRESSES,
    maxGoodKeys = MAX_GOOD_KEYS,
    salt = randomBytes(16),
    now = Date.now,
  }: GuessesOptions = {}) {
    this.#salt = salt;
    this.#maxAddresses = maxAddresses;
    this.#maxGoodKeys = maxGoodKeys;
    this.#now = now;
  }

  get size(): { readonly addresses: number; readonly goodKeys: number } {
    return { addresses: this.#failures.size, goodKeys: this.#good.size };
  }

  /**
   * @param name of the key: a hash of its secret
   * @throws LogboomError RATE_LIMITED when the address has to wait before it may try another key.
   */
  admit(address: string, name: string): void {
    const source = sourceOf(address);
    const failures = this.#failures.get(source);
    if (failures === undefined || failures.count < FREE_FAILURES) return;
    if (this.#good.has(`${source} ${name}`)) return;
    const leftMs = failures.lastAt + pauseAfter(failures.count) - this.#now();
    if (leftMs <= 0) return;
    if (failures.count >= 2 * FREE_FAILURES && this.#hasTurn(name)) return;
    throw new LogboomError(
      "RATE_LIMITED",
      `${failures.count} requests of this address had a wrong key; the next key is tried in ${Math.ceil(leftMs / 1000)} s`,
      {
        retryAfterSeconds: Math.ceil(leftMs / 1000),
        details: { reason: "too-many-failures", limit: FREE_FAILURES },
      },
    );
  }

  failed(address: string): void {
    const source = sourceOf(address);
    const now = this.#now();
    const former = this.#failures.get(source);
    const isFresh = former === undefined || former.lastAt + FORGET_MS <= now;
    this.#failures.delete(source);
    this.#failures.set(source, { count: isFresh ? 1 : former.count + 1, lastAt: now });
    if (this.#failures.size > this.#maxAddresses) forgetFirst(this.#failures);
  }

  succeeded(address: string, name: string): void {
    // Set anew at the end only when others press: most requests come with a key that is there.
    const pair = `${sourceOf(address)} ${name}`;
    if (this.#good.has(pair) && this.#good.size < this.#maxGoodKeys / 2) return;
    this.#good.delete(pair);
    this.#good.add(pair);
    if (this.#good.size > this.#maxGoodKeys) forgetFirst(this.#good);
  }

  #hasTurn(name: string): boolean {
    const place = createHash("sha256").update(this.#salt).update(name).digest().readUInt32BE();
    return (place + Math.floor(this.#now() / TURN_MS)) % TURNS === 0;
  }
}

function pauseAfter(failures: number): number {
  const doublings = Math.floor(failures / FREE_FAILURES) - 1;
  return Math.min(FIRST_PAUSE_MS * 2 ** doublings, LONGEST_PAUSE_MS);
}

/** An IPv6 customer has a whole /64 of addresses. */
function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = "", tail] = address.replace(/%.*$/s, "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined ? [] : Array.from({ length: 8 - groups.length - after.length }, () => "0");
  return [...groups, ...zeros, ...after].slice(0, 4).join(":");
}

/** The one put in first. */
function forgetFirst(entries: Map<string, unknown> | Set<string>): void {
  for (const name of entries.keys()) {
    entries.delete(name);
    return;
  }
}
