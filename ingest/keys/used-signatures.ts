// Signatures that were used: each is good once, over all processes and restarts, while its date is.
//
// Who uses one appends a claim to the account stream, and waits until it reads it there: of the claims of one
// signature the first in the order of the stream holds, and every process sees the same order.
import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import { LogboomError } from "../../schemas/errors.ts";
import type { Log, LogRecord } from "../log/log.ts";

/** Only holders of a valid owner key put entries in: about 300 bytes each. */
const MAX_SIGNATURES = 100_000;
/** A claim is kept so much longer than its signature is good: another process's clock may be behind. */
const CLOCKS_MS = 60_000;
/** Records of others are read within a second. */
const READ_BACK_MS = 10_000;
const SWEEP_MS = 60_000;
/** Records of one append. */
const MAX_BATCH = 1_000;

const claimKey = /^signature\/([\w-]+)\/([\w-]+)$/;
const claimValue = z.object({
  type: z.literal("signature"),
  /** ms since the epoch */
  expiresAt: z.int().nonnegative(),
});

interface UsedSignaturesOptions {
  readonly now?: () => number;
  readonly limit?: number;
}

export class UsedSignatures {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #limit: number;
  /** The claim that holds, by the hash of the signature. */
  readonly #claims = new Map<string, { readonly claim: string; readonly expiresAt: number }>();
  /** Own claims that are not read back yet; told whether they hold. */
  readonly #waiting = new Map<string, (isFirst: boolean) => void>();
  #sweptAt = 0;

  constructor(log: Log, { now = Date.now, limit = MAX_SIGNATURES }: UsedSignaturesOptions = {}) {
    this.#log = log;
    this.#now = now;
    this.#limit = limit;
  }

  get size(): number {
    return this.#claims.size;
  }

  /** Takes in a record of the account stream; false when it is of something else. */
  take({ key, value }: Pick<LogRecord, "key" | "value">): boolean {
    const [, name, claim] = claimKey.exec(key ?? "") ?? [];
    if (name === undefined || claim === undefined) return false;
    const holder = this.#claims.get(name);
    if (value.length === 0) {
      if (holder?.claim === claim) this.#claims.delete(name);
      return true;
    }
    const expiresAt = readExpiry(value);
    if (holder === undefined && expiresAt !== undefined)
      this.#claims.set(name, { claim, expiresAt });
    this.#waiting.get(claim)?.((holder?.claim ?? claim) === claim);
    return true;
  }

  /**
   * Whether the signature is used for the first time; from now on it is not, anywhere.
   *
   * @param goodUntil ms since the epoch, when its date is out of bounds
   * @throws LogboomError RATE_LIMITED when more are in use than are remembered, UNAVAILABLE when the log cannot tell.
   */
  async use(keyId: string, signature: string, goodUntil: number): Promise<boolean> {
    const name = createHash("sha256").update(`${keyId}\0${signature}`).digest("base64url");
    if (this.#claims.has(name)) return false;
    await this.#sweep();
    if (this.#claims.size >= this.#limit) {
      throw new LogboomError(
        "RATE_LIMITED",
        `more than ${this.#limit} signed requests are within the window of their dates`,
        { retryAfterSeconds: 60, details: { limit: this.#limit } },
      );
    }
    const claim = randomUUID();
    const isFirst = await this.#claim(nameOf(name, claim), claim, goodUntil + CLOCKS_MS);
    // What does not hold is of no use to anybody; if it stays, it is swept with the one that does.
    if (!isFirst) await this.#remove([nameOf(name, claim)]).catch(() => undefined);
    return isFirst;
  }

  async #claim(key: string, claim: string, expiresAt: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
    this.#waiting.set(claim, resolve);
    const timer = setTimeout(() => resolve(undefined), READ_BACK_MS);
    try {
      const value = Buffer.from(JSON.stringify({ type: "signature", expiresAt }));
      await this.#log.append([{ stream: "accounts", partition: 0, key, value }]);
      const isFirst = await promise;
      if (isFirst !== undefined) return isFirst;
      throw new LogboomError("UNAVAILABLE", "the log does not tell whether the signature was used");
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(claim);
    }
  }

  /** Forgets what is out of date, once a minute at most, and removes it from the stream. */
  async #sweep(): Promise<void> {
    const now = this.#now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    const expired = [...this.#claims].filter(([, { expiresAt }]) => expiresAt <= now);
    for (const [name] of expired) this.#claims.delete(name);
    const keys = expired.map(([name, { claim }]) => nameOf(name, claim));
    for (let begin = 0; begin < keys.length; begin += MAX_BATCH) {
      await this.#remove(keys.slice(begin, begin + MAX_BATCH));
    }
  }

  #remove(keys: readonly string[]): Promise<void> {
    const value = Buffer.alloc(0);
    return this.#log.append(keys.map((key) => ({ stream: "accounts", partition: 0, key, value })));
  }
}

function nameOf(name: string, claim: string): string {
  return `signature/${name}/${claim}`;
}

/** What a later version wrote is not this one's to judge. */
function readExpiry(value: Buffer): number | undefined {
  try {
    return claimValue.safeParse(JSON.parse(value.toString("utf8"))).data?.expiresAt;
  } catch {
    return undefined;
  }
}
