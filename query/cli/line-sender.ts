// Sends lines to the native ingest: each once, whatever becomes of requests, connections and the service.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LogboomError } from "../../schemas/errors.ts";
import type { Prefixes } from "../search/request.ts";
import { prefixParameters } from "./client-options.ts";
import type { Line } from "./line-splitter.ts";
import { tell } from "./output.ts";
import { callService, isRetriable, refusal, type Reply } from "./service-call.ts";

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;

export interface LineSenderOptions {
  readonly api: string;
  readonly token: string;
  readonly prefixes: Prefixes;
  readonly contentType: "text/plain" | "application/x-ndjson";
  /** How long one request is repeated; without it for ever. */
  readonly giveUpMs?: number;
  /** Ends waiting and sending with its reason. */
  readonly signal?: AbortSignal;
  /** Told of each line that the service will never take, and why. */
  readonly onRefused: (line: Line, reason: string) => void;
}

export class LineSender {
  readonly #options: LineSenderOptions;
  readonly #url: string;
  /** Events that the service acknowledged. */
  stored = 0;
  /** Lines of the last batch that are neither stored nor refused. */
  unsent = 0;

  constructor(options: LineSenderOptions) {
    this.#options = options;
    const query = new URLSearchParams(prefixParameters(options.prefixes));
    this.#url = `${options.api}/api/ingest/v1${query.size > 0 ? `?${query.toString()}` : ""}`;
  }

  /**
   * Returns when each line is stored or refused for itself. Of a refused request nothing is stored, so the
   * lines before the one at fault go first, and those behind it in requests that grow: if all are at fault, the
   * requests are small.
   *
   * @throws LogboomError when the service refuses whatever is sent, or does not answer until `giveUpMs`
   */
  async send(batch: readonly Line[]): Promise<void> {
    let rest = batch;
    let size = rest.length;
    while (rest.length > 0) {
      this.unsent = rest.length;
      const part = rest.slice(0, size);
      const reply = await this.#repeat(part);
      if (reply.status === 202) {
        this.stored += (reply.body as { accepted: number }).accepted;
        rest = rest.slice(part.length);
        size *= 2;
        continue;
      }
      const error = refusal(reply);
      const fault = faultyLine(error);
      const line = fault === undefined ? undefined : part[fault];
      if (fault !== undefined && line !== undefined) {
        this.#options.onRefused(line, withoutPlace(error.message));
        rest = [...rest.slice(0, fault), ...rest.slice(fault + 1)];
        size = Math.max(1, fault);
      } else if (error.code === "TOO_LARGE" && part.length > 1) {
        size = Math.ceil(part.length / 2);
      } else {
        throw error;
      }
    }
    this.unsent = 0;
  }

  /** One request until it is answered for good, always under the same key, so that it is stored once. */
  async #repeat(lines: readonly Line[]): Promise<Reply> {
    const { signal, giveUpMs = Infinity, token, contentType } = this.#options;
    const body = Buffer.concat(lines.flatMap(({ bytes }) => [bytes, LINE_FEED]));
    const headers = { "content-type": contentType, "idempotency-key": randomUUID() };
    const end = performance.now() + giveUpMs;
    for (let attempt = 0; ; attempt++) {
      const outcome = await callService(this.#url, token, {
        body,
        headers,
        ...(signal !== undefined && { signal }),
      }).catch((error: unknown) => {
        if (error instanceof LogboomError) return error;
        throw error;
      });
      const failure = whyAgain(outcome);
      if (failure === undefined) {
        if (attempt > 0) tell("the service takes lines again");
        return outcome as Reply;
      }
      const pauseMs =
        (outcome instanceof LogboomError ? undefined : outcome.retryAfterMs) ?? backOff(attempt);
      if (performance.now() + pauseMs > end) throw failure;
      if (attempt === 0) tell(`${failure.message}; trying again`);
      await sleep(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(
        () => undefined,
      );
      signal?.throwIfAborted();
    }
  }
}

const LINE_FEED = Buffer.from("\n");

/** The failure, if the same request may succeed later. */
function whyAgain(outcome: Reply | LogboomError): LogboomError | undefined {
  if (outcome instanceof LogboomError) return outcome;
  if (isRetriable(outcome.status)) return refusal(outcome);
  if (outcome.status !== 202) return undefined;
  const { accepted } = (outcome.body ?? {}) as { accepted?: unknown };
  if (typeof accepted === "number") return undefined;
  return new LogboomError("UNAVAILABLE", "the service answered 202 without saying what it took");
}

/** Doubles up to a bound; half of it at random, so that senders do not come all at once. */
function backOff(attempt: number): number {
  const most = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  return most * (0.5 + Math.random() / 2);
}

/** The place within a request means nothing to who knows the place in the file. */
function withoutPlace(message: string): string {
  return message.replace(/ in line \d+(?= )/, "").replace(/(?<=: )event \d+: /, "");
}

/** Where in the request the line is that it was refused for: lines count from 1, events from 0. */
function faultyLine({ details: { line, event } }: LogboomError): number | undefined {
  if (typeof event === "number") return event;
  return typeof line === "number" ? line - 1 : undefined;
}
