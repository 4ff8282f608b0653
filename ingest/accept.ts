// The one path of every door: bytes -> events -> defaults, labels, limits -> Avro -> the log -> acknowledgement.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Config } from "../schemas/config.ts";
import { LogboomError, toLogboomError } from "../schemas/errors.ts";
import type { Instruments } from "../schemas/instruments.ts";
import { readBody } from "./body.ts";
import { Coalescer } from "./coalescer.ts";
import { ArrivalClock, encodeRequest } from "./encode.ts";
import { startIdleCollector } from "./idle-collector.ts";
import { requireCustomer, requireScope } from "./keys/permission.ts";
import type { Limits } from "./limits/limits.ts";
import type { Log } from "./log/log.ts";
import { MemoryBudget, Reservation } from "./memory-budget.ts";
import { Partitions } from "./partitions.ts";
import type { Door, DoorRequest, Outcome, Reply } from "./protocols/door.ts";
import { Repeats } from "./repeats.ts";
import type { TokenStore } from "./tokens.ts";

/** How long the rest of a refused request's body is read and thrown away. */
const DROP_MS = 5_000;

interface AcceptorOptions {
  readonly config: Config;
  readonly log: Log;
  readonly tokens: TokenStore;
  readonly limits: Limits;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

/** Takes requests of any door in; holds what they share. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #budget: MemoryBudget;
  readonly #coalescer: Coalescer;
  readonly #repeats: Repeats;
  readonly #partitions: Partitions;
  readonly #clock = new ArrivalClock();
  readonly #endCollector: () => void;

  constructor(options: AcceptorOptions) {
    const { config, log } = options;
    this.#options = options;
    this.#budget = new MemoryBudget(config.LOGBOOM_INGEST_MEMORY_BYTES);
    this.#coalescer = new Coalescer(log, config.LOGBOOM_LINGER_MS);
    this.#repeats = new Repeats(log);
    this.#partitions = new Partitions(log.partitionCount);
    this.#endCollector = startIdleCollector(() => this.#budget.usedBytes === 0);
  }

  /** Bytes received and not yet acknowledged. */
  get pendingBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Answers one request; every failure becomes the door's own kind of reply. */
  async accept(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { instruments, logger } = this.#options;
    const url = new URL(request.url ?? "/", "http://localhost");
    const doorRequest = { query: url.searchParams, headers: request.headers };
    const reservation = new Reservation(this.#budget);
    const read = { bodyBytes: 0 };
    const count = (outcome: string): void => {
      instruments.logboom_ingest_requests_total.inc({ door: door.name, outcome });
      instruments.logboom_ingest_body_bytes_total.inc({ door: door.name, outcome }, read.bodyBytes);
    };
    try {
      const outcome = await this.#store(door, doorRequest, request, response, reservation, read);
      count(outcome.isDuplicate ? "duplicate" : "accepted");
      this.#countEvents(door, outcome);
      send(response, door.accepted(outcome));
    } catch (thrown) {
      const error = toLogboomError(thrown);
      const outcome = error.status >= 500 ? "failed" : "refused";
      count(outcome);
      instruments.logboom_ingest_refused_total.inc({ door: door.name, code: error.code });
      if (error.code === "INTERNAL") logger.error({ err: error.cause }, "ingest request failed");
      // A peer that stalls would keep the connection for nothing.
      if (error.code === "METHOD_NOT_ALLOWED") response.setHeader("Allow", "POST");
      if (error.code === "BODY_TIMEOUT") response.setHeader("Connection", "close");
      send(response, door.refused(error, doorRequest), error.retryAfterSeconds);
      dropRestOf(request);
    } finally {
      reservation.release();
    }
  }

  /** Appends what has been taken in and waits until it is durable. */
  async close(): Promise<void> {
    this.#endCollector();
    await this.#coalescer.close();
  }

  async #store(
    door: Door,
    doorRequest: DoorRequest,
    request: IncomingMessage,
    response: ServerResponse,
    reservation: Reservation,
    read: { bodyBytes: number },
  ): Promise<Outcome> {
    if (request.method !== "POST") {
      throw new LogboomError(
        "METHOD_NOT_ALLOWED",
        `the method ${request.method} is not served at ${door.path}; use POST`,
      );
    }
    const { config, tokens, instruments } = this.#options;
    const principal = tokens.authenticate(
      door.secret(doorRequest),
      door.keyKinds,
      request.socket.remoteAddress,
    );
    if (principal.scopes !== undefined) requireScope(principal, "write:logs");
    this.#options.limits.require(principal, "ingest");
    const key = door.idempotencyKey(doorRequest);
    const bounded = (limit: number) => Math.min(limit, door.maxBodyBytes ?? limit);
    const limits = {
      sentBytes: bounded(config.LOGBOOM_MAX_BODY_BYTES),
      decodedBytes: bounded(config.LOGBOOM_MAX_DECODED_BODY_BYTES),
      pauseMs: config.LOGBOOM_BODY_TIMEOUT_MS,
    };
    const body = await readBody(request, response, limits, reservation);
    read.bodyBytes = body.length;
    const endTimer = instruments.logboom_ingest_acknowledge_seconds.startTimer({ door: door.name });

    return this.#repeats.once(
      { door: door.name, tokenId: principal.tokenId, key, query: String(doorRequest.query), body },
      async (makeReceipt) => {
        const { customer, events } = door.read(doorRequest, body);
        if (customer !== undefined) requireCustomer(principal, customer, "write");
        const encoded = await encodeRequest(events, {
          principal,
          partitions: this.#partitions,
          clock: this.#clock,
          maxEventBytes: config.LOGBOOM_MAX_EVENT_BYTES,
        });
        reservation.add(encoded.sizeBytes);
        const outcome = {
          accepted: encoded.accepted,
          invalidUtf8: encoded.invalidUtf8,
          isDuplicate: false,
        };
        if (encoded.accepted > 0) await this.#coalescer.submit(encoded, makeReceipt(outcome));
        instruments.logboom_ingest_encoded_bytes_total.inc({ door: door.name }, encoded.sizeBytes);
        endTimer();
        return outcome;
      },
    );
  }

  #countEvents(door: Door, { accepted, invalidUtf8, isDuplicate }: Outcome): void {
    const { instruments } = this.#options;
    if (isDuplicate) return;
    instruments.logboom_ingest_events_total.inc({ door: door.name }, accepted);
    if (invalidUtf8 > 0) {
      instruments.logboom_ingest_invalid_utf8_events_total.inc({ door: door.name }, invalidUtf8);
    }
  }
}

/** Lets the client finish sending and read the refusal, but not go on for ever. */
function dropRestOf(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  setTimeout(() => {
    if (!request.complete) request.destroy();
  }, DROP_MS).unref();
}

function send(response: ServerResponse, reply: Reply, retryAfterSeconds?: number): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(JSON.stringify(reply.body));
  if (retryAfterSeconds !== undefined) response.setHeader("Retry-After", retryAfterSeconds);
  // Without a charset: one vendor's client compares the type as a whole.
  response.writeHead(reply.status, {
    "Content-Type": "application/json",
    "Content-Length": body.length,
  });
  response.end(body);
}
