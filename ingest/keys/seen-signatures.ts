// Signatures that were used: each is good once while its date is.
import { createHash } from "node:crypto";
import { LogboomError } from "../../schemas/errors.ts";

/** Only holders of a valid owner key put entries in: about 100 bytes each. */
const MAX_SIGNATURES = 100_000;

export class SeenSignatures {
  /** By hash, with the time in ms at which the signature's date is out of bounds; oldest use first. */
  readonly #expiries = new Map<string, number>();
  readonly #limit: number;

  constructor(limit = MAX_SIGNATURES) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#expiries.size;
  }

  /**
   * Whether the signature is used for the first time; from now on it is not.
   *
   * @throws LogboomError RATE_LIMITED when more are in use than are remembered.
   */
  use(keyId: string, signature: string, expiresAt: number, now: number): boolean {
    const name = createHash("sha256").update(`${keyId}\0${signature}`).digest("base64");
    if ((this.#expiries.get(name) ?? 0) > now) return false;
    if (this.#expiries.size >= this.#limit) this.#forgetExpired(now);
    if (this.#expiries.size >= this.#limit) {
      throw new LogboomError(
        "RATE_LIMITED",
        `more than ${this.#limit} signed requests are within the window of their dates`,
        { retryAfterSeconds: 60, details: { limit: this.#limit } },
      );
    }
    this.#expiries.set(name, expiresAt);
    return true;
  }

  #forgetExpired(now: number): void {
    for (const [name, expiresAt] of this.#expiries) {
      if (expiresAt <= now) this.#expiries.delete(name);
    }
  }
}
