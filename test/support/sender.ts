// A client that sends uniquely numbered events and repeats each request until it is acknowledged.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { postIngest, toNdjson } from "./api.ts";
import type { Endpoint } from "./service.ts";

/** Through which door a lane sends. */
export type Door = "ndjson" | "json-gzip" | "text" | "uploadLogs";

const requestTimeoutMs = 15_000;
const giveUpMs = 120_000;
/** One request of so many is abandoned by the client before its reply, and then repeated. */
const abandonOneOf = 40;

export interface LaneStatistics {
  acknowledged: number;
  requests: number;
  repeats: number;
  duplicates: number;
}

/** The events' numbers have seven digits, so that a pattern can name a range of them. */
export function writeNumber(number: number): string {
  return String(number).padStart(7, "0");
}

/** The time of a numbered event where the door lets a client say it: 20 ms apart. */
export function timeOfNumber(number: number): bigint {
  return BigInt(Date.UTC(2026, 4, 1)) * 1_000_000n + BigInt(number) * 20_000_000n;
}

/** One lane: its batches follow one another, so that what is acknowledged is 0 … n-1 without gaps. */
export class Lane implements AsyncDisposable {
  readonly door: Door;
  readonly name: string;
  readonly statistics: LaneStatistics = { acknowledged: 0, requests: 0, repeats: 0, duplicates: 0 };
  #endpoint: Endpoint;
  #pauseMs: number;
  #isStopping = false;
  #done: Promise<void>;

  constructor(endpoint: Endpoint, door: Door, name: string, pauseMs: number) {
    this.#endpoint = endpoint;
    this.door = door;
    this.name = name;
    this.#pauseMs = pauseMs;
    this.#done = this.#run();
    // A failure is told by stop(); until then it must not end the test process.
    this.#done.catch(() => undefined);
  }

  /** Lets the batch under way be acknowledged, and throws when the lane failed. */
  async stop(): Promise<LaneStatistics> {
    this.#isStopping = true;
    await this.#done;
    return this.statistics;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#done.catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const size = 1 + Math.floor(Math.random() * 150);
      const first = this.statistics.acknowledged;
      await this.#sendUntilAcknowledged(
        Array.from({ length: size }, (_, index) => first + index),
        crypto.randomUUID(),
      );
      this.statistics.acknowledged += size;
      await sleep(Math.random() * 2 * this.#pauseMs);
    }
  }

  async #sendUntilAcknowledged(numbers: readonly number[], key: string): Promise<void> {
    const end = performance.now() + giveUpMs;
    for (let attempt = 0; performance.now() < end; attempt += 1) {
      this.statistics.requests += 1;
      if (attempt > 0) this.statistics.repeats += 1;
      const isAbandoned = Math.random() < 1 / abandonOneOf;
      const timeoutMs = isAbandoned ? 1 + Math.floor(Math.random() * 10) : requestTimeoutMs;
      const outcome = await this.#post(numbers, key, AbortSignal.timeout(timeoutMs));
      if (outcome === "acknowledged") return;
      if (outcome !== "again") throw new Error(`${this.name}: refused: ${outcome}`);
      await sleep(20 + Math.random() * 60);
    }
    throw new Error(`${this.name}: not acknowledged within ${giveUpMs} ms`);
  }

  /** "acknowledged", "again", or the refusal's text. */
  async #post(numbers: readonly number[], key: string, signal: AbortSignal): Promise<string> {
    let response: Response;
    let text: string;
    try {
      response = await this.#request(numbers, key, signal);
      text = await response.text();
    } catch {
      return "again"; // the connection or the process is gone, or the client gave up
    }
    if (response.status === 429 || response.status === 408 || response.status >= 500)
      return "again";
    const expected = this.door === "uploadLogs" ? 200 : 202;
    if (response.status !== expected) return `${response.status} ${text}`;
    if (this.door !== "uploadLogs") {
      const reply = JSON.parse(text) as { accepted: number; duplicate?: boolean };
      if (reply.accepted !== numbers.length) return `wrong number accepted: ${text}`;
      if (reply.duplicate === true) this.statistics.duplicates += 1;
    }
    return "acknowledged";
  }

  #request(numbers: readonly number[], key: string, signal: AbortSignal): Promise<Response> {
    const endpoint = this.#endpoint;
    const messageOf = (number: number): string => `lane=${this.name} n=${writeNumber(number)} end`;
    const headers = { "idempotency-key": key };
    const query = { prefix0: "kill", prefix1: this.name };
    const events = numbers.map((number) => ({
      time: String(timeOfNumber(number)),
      // A request's events go to several partitions of the log: all of them are stored, or none.
      prefix0: `kill-${number % 7}`,
      message: messageOf(number),
    }));
    const lines = numbers.map((number) => `${messageOf(number)}\n`).join("");
    switch (this.door) {
      case "ndjson":
        return postIngest(endpoint, toNdjson(events), { headers, query, signal });
      case "json-gzip":
        return postIngest(endpoint, gzipSync(JSON.stringify({ events })), {
          contentType: "application/json",
          headers: { ...headers, "content-encoding": "gzip" },
          query,
          signal,
        });
      case "text":
        return postIngest(endpoint, lines, { contentType: "text/plain", headers, query, signal });
      case "uploadLogs":
        return fetch(`${endpoint.url}/api/uploadLogs?host=kill&logfile=${this.name}`, {
          method: "POST",
          headers: {
            "content-type": "text/plain",
            authorization: `Bearer ${endpoint.writeToken}`,
            nonce: key,
          },
          body: lines,
          signal,
        });
    }
  }
}
