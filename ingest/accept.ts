// The one path of every door: bytes -> events -> defaults, labels, limits -> Avro -> the log -> acknowledgement.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Config } from "../schemas/config.ts";
import { LogboomError, toLogboomError } from "../schemas/errors.ts";
import type { Instruments } from "../schemas/instruments.ts";
import { readBody } from "./body.ts";
import { clientAddress } from "./client-address.ts";
import { Coalescer, recycleAll } from "./coalescer.ts";
import { ArrivalClock, encodeRequest, type EncodedRequest } from "./encode.ts";
import { startIdleCollector } from "./idle-collector.ts";
import { requireCustomer, requireScope, type Principal } from "./keys/permission.ts";
import type { Limits } from "./limits/limits.ts";
import type { Log, Receipt } from "./log/log.ts";
import { MemoryBudget, Reservation } from "./memory-budget.ts";
import { Partitions } from "./partitions.ts";
import type {
  Door,
  DoorName,
  DoorRequest,
  IncomingEvent,
  IncomingEvents,
  Outcome,
  Reply,
} from "./protocols/door.ts";
import { Repeats } from "./repeats.ts";
import { Sequences } from "./sequences.ts";
import type { TokenStore } from "./tokens.ts";

/** How long the rest of a refused request's body is read and thrown away. */
const DROP_MS = 5_000;
/** Of the log, for requests beyond their key's limit. */
const QUEUE_SHARE = 0.5;
const QUEUE_RETRY_AFTER_SECONDS = 2;
/** A day: what a door allows does not change while the service runs. */
const PREFLIGHT_SECONDS = 86_400;
/** Nobody waits for the answer to a line, and each append has its price: a trickle is gathered for longer than requests. */
const LINE_LINGER_MS = 25;
const POST_ONLY: readonly string[] = ["POST"];
/** Of the memory for ingest: what bodies may hold whose sender nobody knows yet. */
const NEWCOMERS_SHARE = 1 / 4;

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
  readonly #newcomers: MemoryBudget;
  readonly #coalescer: Coalescer;
  /** Of events that came without a request. */
  readonly #lines: Coalescer;
  readonly #repeats: Repeats;
  readonly #sequences: Sequences;
  readonly #partitions: Partitions;
  readonly #clock = new ArrivalClock();
  readonly #endCollector: () => void;

  constructor(options: AcceptorOptions) {
    const { config, log } = options;
    this.#options = options;
    this.#budget = new MemoryBudget(config.LOGBOOM_INGEST_MEMORY_BYTES);
    this.#newcomers = new MemoryBudget(config.LOGBOOM_INGEST_MEMORY_BYTES * NEWCOMERS_SHARE);
    this.#coalescer = new Coalescer(log, config.LOGBOOM_LINGER_MS);
    const lineLingerMs = Math.max(config.LOGBOOM_LINGER_MS, LINE_LINGER_MS);
    this.#lines = new Coalescer(log, lineLingerMs, { keepsBytes: true });
    this.#repeats = new Repeats(log);
    this.#sequences = new Sequences(log);
    this.#partitions = new Partitions(log.partitionCount);
    this.#endCollector = startIdleCollector(() => this.pendingBytes === 0);
  }

  /** Bytes received and not yet acknowledged. */
  get pendingBytes(): number {
    return this.#budget.usedBytes + this.#newcomers.usedBytes;
  }

  /** Answers one request; every failure becomes the door's own kind of reply. */
  async accept(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { instruments, logger } = this.#options;
    const url = new URL(request.url ?? "/", "http://localhost");
    const doorRequest: DoorRequest = {
      method: request.method ?? "",
      path: url.pathname,
      address: clientAddress(request),
      query: url.searchParams,
      headers: request.headers,
    };
    if (door.isForBrowsers === true) {
      response.setHeader("Access-Control-Allow-Origin", "*");
      if (request.method === "OPTIONS") {
        answerPreflight(door, request, response);
        return;
      }
    }
    const reservation = new Reservation(this.#budget);
    const read = { bodyBytes: 0 };
    const count = (outcome: string): void => {
      instruments.logboom_ingest_requests_total.inc({ door: door.name, outcome });
      instruments.logboom_ingest_body_bytes_total.inc({ door: door.name, outcome }, read.bodyBytes);
    };
    try {
      const outcome = await this.#store(door, doorRequest, request, response, reservation, read);
      count(outcome.isDuplicate ? "duplicate" : "accepted");
      if (!outcome.isDuplicate) this.#countEvents(door.name, outcome);
      send(response, door.accepted(outcome, doorRequest));
    } catch (thrown) {
      const error = toLogboomError(thrown);
      const outcome = error.status >= 500 ? "failed" : "refused";
      count(outcome);
      instruments.logboom_ingest_refused_total.inc({ door: door.name, code: error.code });
      if (error.code === "INTERNAL") logger.error({ err: error.cause }, "ingest request failed");
      // A peer that stalls would keep the connection for nothing.
      if (error.code === "METHOD_NOT_ALLOWED") response.setHeader("Allow", methodsOf(door));
      if (error.code === "BODY_TIMEOUT") response.setHeader("Connection", "close");
      send(response, door.refused(error, doorRequest), error.retryAfterSeconds);
      dropRestOf(request);
    } finally {
      reservation.release();
    }
  }

  /**
   * Encodes events that came in without a request; what is returned appends them, and rejects when the log
   * has no room: then it may be called again.
   *
   * @throws LogboomError when an event cannot be taken.
   */
  async take(
    door: DoorName,
    principal: Principal,
    events: Iterable<IncomingEvent>,
  ): Promise<() => Promise<void>> {
    const encoded = await this.#encode(principal, { events, mending: "all" });
    return async () => {
      await this.#lines.submit(encoded);
      recycleAll(encoded);
      this.#options.limits.countEvents(principal, encoded.accepted, encoded.sizeBytes);
      this.#options.instruments.logboom_ingest_encoded_bytes_total.inc({ door }, encoded.sizeBytes);
      this.#countEvents(door, { ...encoded, isDuplicate: false });
    };
  }

  /** Appends what has been taken in and waits until it is durable. */
  async close(): Promise<void> {
    this.#endCollector();
    await Promise.all([this.#coalescer.close(), this.#lines.close()]);
  }

  async #store(
    door: Door,
    doorRequest: DoorRequest,
    request: IncomingMessage,
    response: ServerResponse,
    reservation: Reservation,
    read: { bodyBytes: number },
  ): Promise<Outcome> {
    if (!(door.methods ?? POST_ONLY).includes(doorRequest.method)) {
      throw new LogboomError(
        "METHOD_NOT_ALLOWED",
        `the method ${request.method} is not served at ${door.path}; use ${methodsOf(door)}`,
      );
    }
    const { config, tokens, instruments } = this.#options;
    const authenticate = (secret: string | undefined): Principal => {
      const principal = tokens.authenticate(secret, door.keyKinds, doorRequest.address);
      if (principal.scopes !== undefined) requireScope(principal, "write:logs");
      this.#requireRoom(principal);
      return principal;
    };
    const early =
      door.secretInBody === undefined ? authenticate(door.secret(doorRequest)) : undefined;
    // Whoever has no key cannot take the room of those who have: elsewhere such a body is not read at all.
    if (early === undefined && !tokens.admitUnnamed(doorRequest.address)) {
      reservation.moveTo(this.#newcomers);
    }
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
    const principal = early ?? authenticateBody(door, doorRequest, body, authenticate);
    reservation.moveTo(this.#budget);

    return this.#repeats.once(
      { door: door.name, tokenId: principal.tokenId, key, query: String(doorRequest.query), body },
      async (makeReceipt) => {
        const incoming = door.read(doorRequest, body, principal);
        const { customer, session } = incoming;
        if (customer !== undefined) requireCustomer(principal, customer, "write");
        const outcome =
          session === undefined
            ? await this.#submit(principal, incoming, reservation, (made) => {
                const receipt = makeReceipt(made);
                return receipt === undefined ? [] : [receipt];
              })
            : await this.#sequences.inOrder(`${principal.tokenId}\0${session}`, async (places) => {
                const events = places.unseen(incoming.events);
                const submitted = await this.#submit(
                  principal,
                  { ...incoming, events },
                  reservation,
                  () => places.receipts(),
                );
                this.#drop(door.name, "repeated", places.repeated);
                return submitted;
              });
        endTimer();
        instruments.logboom_ingest_encoded_bytes_total.inc({ door: door.name }, outcome.sizeBytes);
        return { ...outcome, bodyBytes: body.length };
      },
    );
  }

  /**
   * LogTrace queues what an enterprise key sends beyond its limit; the queue is the log, of which it gets a half, so
   * that those within their limits have room whatever comes beyond others'.
   */
  #requireRoom(principal: Principal): void {
    const { limits, log } = this.#options;
    if (principal.tier !== "enterprise") {
      limits.require(principal, "ingest");
      return;
    }
    const queueBytes = log.maxBytes * QUEUE_SHARE;
    if (log.sizeBytes > queueBytes && !limits.has(principal, "ingest")) {
      throw new LogboomError(
        "OVERLOADED",
        `what exceeds the key's limit waits for room: ${log.sizeBytes} bytes are not stored yet; beyond limits up to ${queueBytes} are taken`,
        { retryAfterSeconds: QUEUE_RETRY_AFTER_SECONDS, details: { limit: queueBytes } },
      );
    }
    limits.take(principal, "ingest", 1, { isQueued: true });
  }

  #encode(
    principal: Principal,
    { events, mending }: Pick<IncomingEvents, "events" | "mending">,
  ): Promise<EncodedRequest> {
    return encodeRequest(events, {
      principal,
      partitions: this.#partitions,
      clock: this.#clock,
      maxEventBytes: this.#options.config.LOGBOOM_MAX_EVENT_BYTES,
      mending,
    });
  }

  async #submit(
    principal: Principal,
    incoming: IncomingEvents,
    reservation: Reservation,
    makeReceipts: (outcome: Outcome) => readonly Receipt[],
  ): Promise<Outcome & { readonly sizeBytes: number }> {
    const encoded = await this.#encode(principal, incoming);
    const { accepted, invalidUtf8, mended, sizeBytes } = encoded;
    reservation.add(sizeBytes);
    const omitted = incoming.omitted?.();
    const outcome = {
      accepted,
      invalidUtf8,
      mended,
      isDuplicate: false,
      ...(omitted !== undefined && { omitted }),
    };
    if (accepted > 0) await this.#coalescer.submit(encoded, ...makeReceipts(outcome));
    const { limits } = this.#options;
    limits.countEvents(principal, accepted, sizeBytes);
    await limits.settle(principal);
    return { ...outcome, sizeBytes };
  }

  #countEvents(door: DoorName, { accepted, invalidUtf8, mended = 0, omitted }: Outcome): void {
    const { instruments } = this.#options;
    instruments.logboom_ingest_events_total.inc({ door }, accepted);
    if (invalidUtf8 > 0) {
      instruments.logboom_ingest_invalid_utf8_events_total.inc({ door }, invalidUtf8);
    }
    if (mended > 0) instruments.logboom_ingest_mended_events_total.inc({ door }, mended);
    this.#drop(door, "malformed", omitted?.count ?? 0);
  }

  #drop(door: DoorName, reason: "repeated" | "malformed", count: number): void {
    if (count === 0) return;
    this.#options.instruments.logboom_ingest_dropped_events_total.inc({ door, reason }, count);
  }
}

/** By the key that the body begins with, or by the one that is found when the whole of it is parsed. */
function authenticateBody(
  door: Door,
  request: DoorRequest,
  body: Buffer,
  authenticate: (secret: string | undefined) => Principal,
): Principal {
  const first = door.secretAtStart?.(body);
  const principal = first === undefined ? undefined : authenticate(first);
  const secret = door.secretInBody?.(body) ?? door.secret(request);
  return principal !== undefined && secret === first ? principal : authenticate(secret);
}

/** What a browser asks before it sends to another origin. */
function answerPreflight(door: Door, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("Access-Control-Allow-Methods", methodsOf(door));
  response.setHeader(
    "Access-Control-Allow-Headers",
    request.headers["access-control-request-headers"] ?? "*",
  );
  response.setHeader("Access-Control-Max-Age", PREFLIGHT_SECONDS);
  send(response, { status: 204 });
}

function methodsOf({ methods = POST_ONLY }: Door): string {
  return methods.join(", ");
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
  if (retryAfterSeconds !== undefined) response.setHeader("Retry-After", retryAfterSeconds);
  if (reply.body === undefined) {
    response.writeHead(reply.status).end();
    return;
  }
  const body = Buffer.isBuffer(reply.body) ? reply.body : Buffer.from(JSON.stringify(reply.body));
  // Without a charset: one vendor's client compares the type as a whole.
  response.writeHead(reply.status, {
    "Content-Type": reply.contentType ?? "application/json",
    "Content-Length": body.length,
  });
  response.end(body);
}
