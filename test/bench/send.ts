// Sends the prepared data set, a fixed number of requests in flight, and repeats what the service refuses for now.
import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { post } from "./post.ts";
import type { Part } from "./prepare.ts";
import { WRITE_TOKEN } from "./service.ts";

const RUN = crypto.randomUUID();

/** Where batches go, and whether each has a key that makes its repeat harmless even when a reply is lost. */
export interface Target {
  readonly url: string;
  readonly hasKeys: boolean;
}

/** Sends one batch until it is accepted; returns how often it was refused: of such a request nothing was stored. */
export async function sendBatch(
  { url, hasKeys }: Target,
  name: string,
  body: Buffer | string,
): Promise<number> {
  const headers = {
    authorization: `Token ${WRITE_TOKEN}`,
    "content-type": "application/x-ndjson",
    ...(hasKeys && { "idempotency-key": `${RUN}-${name}` }),
  };
  for (let refused = 0; ; refused++) {
    const reply = await post(`${url}/api/ingest/v1`, headers, body);
    if (reply.status === 202 || reply.status === 200) return refused;
    if (reply.status !== 429 && reply.status !== 503) {
      throw new Error(`batch ${name} was answered ${reply.status}: ${reply.body.slice(0, 500)}`);
    }
    await sleep(reply.retryAfterMs);
  }
}

export interface SendOptions {
  readonly target: Target;
  readonly requestsInFlight: number;
  /** Called when all events of a part are acknowledged. */
  readonly onPartAcknowledged: (part: Part) => void;
}

/** Sends all parts in order; returns how many requests were refused and repeated. */
export async function sendParts(parts: readonly Part[], options: SendOptions): Promise<number> {
  const batches = readBatches(parts);
  const unacknowledged = new Map(parts.map((part) => [part, part.batches.length]));
  let refused = 0;
  const work = async (): Promise<void> => {
    for (const { part, name, body } of batches) {
      const times = await sendBatch(options.target, name, body);
      refused += times; // not in one statement: other senders add while this one waits
      const left = (unacknowledged.get(part) ?? 0) - 1;
      unacknowledged.set(part, left);
      if (left === 0) options.onPartAcknowledged(part);
    }
  };
  await Promise.all(Array.from({ length: options.requestsInFlight }, work));
  return refused;
}

/** The batches of all parts; several senders may take from it. */
function* readBatches(
  parts: readonly Part[],
): Generator<{ part: Part; name: string; body: Buffer }, void> {
  for (const [number, part] of parts.entries()) {
    const file = openSync(part.path, "r");
    for (const [index, { sizeBytes }] of part.batches.entries()) {
      const body = Buffer.allocUnsafe(sizeBytes);
      readSync(file, body, 0, sizeBytes, null);
      yield { part, name: `${number}-${index}`, body };
    }
    closeSync(file);
  }
}
