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
  /** How many of those pairs an address has. */
  readonly #goodKeysOf = new Map<string, number>();
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
    const leftMs = this.#leftMs(failures);
    if (failures === undefined || leftMs <= 0) return;
    if (this.#good.has(`${source} ${name}`)) return;
    if (failures.count >= 2 * FREE_FAILURES && this.#hasTurn(name)) return;
    throw tooManyFailures(failures.count, leftMs);
  }

  /**
   * For a request that has to be read before its key is known.
   *
   * @throws LogboomError RATE_LIMITED when the address has to wait, and no key was good there before.
   */
  admitUnnamed(address: string): void {
    const failures = this.#failures.get(sourceOf(address));
    const leftMs = this.#leftMs(failures);
    if (failures === undefined || leftMs <= 0 || this.isProven(address)) return;
    throw tooManyFailures(failures.count, leftMs);
  }

  /** Whether a key was good there before. */
  isProven(address: string): boolean {
    return this.#goodKeysOf.has(sourceOf(address));
  }

  #leftMs(failures: Failures | undefined): number {
    if (failures === undefined || failures.count < FREE_FAILURES) return 0;
    return failures.lastAt + pauseAfter(failures.count) - this.#now();
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
    const source = sourceOf(address);
    const pair = `${source} ${name}`;
    const isKnown = this.#good.has(pair);
    if (isKnown && this.#good.size < this.#maxGoodKeys / 2) return;
    this.#good.delete(pair);
    this.#good.add(pair);
    if (!isKnown) this.#goodKeysOf.set(source, (this.#goodKeysOf.get(source) ?? 0) + 1);
    if (this.#good.size > this.#maxGoodKeys) this.#forgetGood(forgetFirst(this.#good));
  }

  #forgetGood(pair = ""): void {
    const source = pair.slice(0, pair.indexOf(" "));
    const left = (this.#goodKeysOf.get(source) ?? 0) - 1;
    if (left > 0) this.#goodKeysOf.set(source, left);
    else this.#goodKeysOf.delete(source);
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

function tooManyFailures(count: number, leftMs: number): LogboomError {
  const seconds = Math.ceil(leftMs / 1000);
  return new LogboomError(
    "RATE_LIMITED",
    `${count} requests of this address had a wrong key; the next key is tried in ${seconds} s`,
    {
      retryAfterSeconds: seconds,
      details: { reason: "too-many-failures", limit: FREE_FAILURES },
    },
  );
}

/** The one put in first, which is named. */
function forgetFirst(entries: Map<string, unknown> | Set<string>): string | undefined {
  const [first] = entries.keys();
  if (first !== undefined) entries.delete(first);
  return first;
}
