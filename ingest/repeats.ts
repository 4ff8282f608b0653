// Recognises the repeat of a request by its idempotency key, so that a retry stores nothing twice.
import { createHash } from "node:crypto";
import { LogboomError } from "../schemas/errors.ts";
import type { Log, Receipt } from "./log/log.ts";
import type { IdempotencyKey, Outcome } from "./protocols/door.ts";

interface KeyedRequest {
  readonly door: string;
  readonly tokenId: string;
  readonly key: IdempotencyKey | undefined;
  /** Labels may stand in it, so it belongs to what a key is bound to. */
  readonly query?: string;
  readonly body: Buffer;
}

export class Repeats {
  readonly #log: Log;
  /** Requests on their way: a repeat that comes before the first is durable waits for it. */
  readonly #inFlight = new Map<string, Promise<unknown>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Runs `store` unless this request was acknowledged before; then the outcome is that of the first time.
   * `store` has to make the receipt durable together with the events.
   *
   * @throws LogboomError IDEMPOTENCY_MISMATCH when the key was used for another body or query string.
   */
  async once(
    request: KeyedRequest,
    store: (makeReceipt: (outcome: Outcome) => Receipt | undefined) => Promise<Outcome>,
  ): Promise<Outcome> {
    const { key } = request;
    if (key === undefined) return store(() => undefined);

    const name = sha256(`${request.door}\0${request.tokenId}\0${key.value}`);
    for (let first = this.#inFlight.get(name); first; first = this.#inFlight.get(name)) await first;
    const known = this.#log.findReceipt(name);
    // Kept for every key: block ids are derived from receipts, and a key that is not bound to its body
    // may come with another one.
    const bodyHash = sha256(`${request.query ?? ""}\0${sha256(request.body)}`);
    if (known !== undefined) return repeatOutcome(known, bodyHash, key);

    const storing = store(({ accepted, invalidUtf8 }) => ({
      key: name,
      value: JSON.stringify({ accepted, invalidUtf8, bodyHash }),
      expiresAt: Date.now() + key.windowMs,
    }));
    this.#inFlight.set(
      name,
      storing.catch(() => {}),
    );
    try {
      return await storing;
    } finally {
      this.#inFlight.delete(name);
    }
  }
}

function repeatOutcome(receipt: string, bodyHash: string, key: IdempotencyKey): Outcome {
  const first = JSON.parse(receipt) as { accepted: number; invalidUtf8: number; bodyHash: string };
  if (key.bindsBody && first.bodyHash !== bodyHash) {
    const value = key.value.slice(0, 100);
    throw new LogboomError(
      "IDEMPOTENCY_MISMATCH",
      `the idempotency key "${value}" was used for a request with another body or query string`,
      { details: { field: "Idempotency-Key", value } },
    );
  }
  return { accepted: first.accepted, invalidUtf8: first.invalidUtf8, isDuplicate: true };
}

/** Hashed, so that neither keys nor nonces of any length end up in the log. */
function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
