// One request of a vendor's API and its answer: read within bounds, given up when the client goes, refused in the vendor's own form.
import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import { readBody } from "../../ingest/body.ts";
import { clientAddress } from "../../ingest/client-address.ts";
import { MemoryBudget, Reservation } from "../../ingest/memory-budget.ts";
import { LogboomError, toLogboomError } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import type { Asking } from "../ask/question.ts";
import { originOf } from "./origin.ts";

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const BODY_TIMEOUT_MS = 10_000;

export type Api = "loggly" | "logentries" | "logtrace" | "scalyr";

export interface Exchange extends Asking {
  readonly method: string;
  /** Without the query string. */
  readonly path: string;
  /** Of the pattern's names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Request["headers"];
  readonly address: string | undefined;
  /** Scheme and host, as the client sees them. */
  readonly origin: string;
  body(): Promise<Buffer>;
}

export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is; pieces are sent one by one. */
  readonly text?: string | AsyncIterable<string>;
  readonly contentType?: string;
  /** What the reply refuses, where the handler itself words it. */
  readonly failure?: LogboomError;
}

export type Handler = (exchange: Exchange) => Promise<Reply> | Reply;

export interface ServeOptions {
  readonly api: Api;
  readonly instruments: Instruments;
  readonly logger: Logger;
  /** Of all bodies that are being read. */
  readonly budget: MemoryBudget;
  /** A failure as the vendor words it. */
  readonly refuse: (error: LogboomError, exchange: Exchange) => Reply;
}

export function createBodyBudget(): MemoryBudget {
  return new MemoryBudget(32 * MAX_BODY_BYTES);
}

/** @param methods what is served by which method; others are refused with 405 */
export function serve(
  { api, instruments, logger, budget, refuse }: ServeOptions,
  methods: Readonly<Record<string, Handler>>,
): RequestHandler {
  return async (request, response) => {
    const reservation = new Reservation(budget);
    const gone = new AbortController();
    response.on("close", () => gone.abort(new Error("the client went away")));
    const exchange = toExchange(request, response, reservation, gone.signal);
    let outcome = "answered";
    try {
      const reply = await pick(methods, exchange)(exchange);
      if (reply.failure !== undefined) outcome = outcomeOf(reply.failure);
      await send(response, reply);
    } catch (thrown) {
      const error = toLogboomError(thrown);
      outcome = outcomeOf(error);
      if (gone.signal.aborted) outcome = "gone";
      else if (error.code === "INTERNAL") logger.error({ err: error.cause, api }, "query failed");
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) await send(response, withRetry(refuse(error, exchange), error));
    } finally {
      reservation.release();
      instruments.logboom_vendor_requests_total.inc({ api, outcome });
    }
  };
}

function outcomeOf({ status }: LogboomError): "failed" | "refused" {
  return status >= 500 ? "failed" : "refused";
}

/** The last handler of a vendor's router: a path that cannot be decoded is refused in its form, too. */
export function refuseMalformed({ refuse, budget }: ServeOptions): ErrorRequestHandler {
  return async (error, request, response, next) => {
    if (!(error instanceof URIError)) {
      next(error);
      return;
    }
    const gone = new AbortController();
    const exchange = toExchange(request, response, new Reservation(budget), gone.signal);
    const failure = new LogboomError("BAD_REQUEST", "the path is not percent-encoded UTF-8");
    await send(response, refuse(failure, exchange));
  };
}

function pick(methods: Readonly<Record<string, Handler>>, { method }: Exchange): Handler {
  const handler = methods[method === "HEAD" ? "GET" : method];
  if (handler !== undefined) return handler;
  const served = Object.keys(methods).join(", ");
  throw new LogboomError(
    "METHOD_NOT_ALLOWED",
    `the method ${method} is not served here; use ${served}`,
    { details: { allow: served } },
  );
}

function withRetry(reply: Reply, { retryAfterSeconds, code, details }: LogboomError): Reply {
  return {
    ...reply,
    headers: {
      ...(retryAfterSeconds !== undefined && { "Retry-After": String(retryAfterSeconds) }),
      ...(code === "METHOD_NOT_ALLOWED" && { Allow: String(details["allow"] ?? "") }),
      ...reply.headers,
    },
  };
}

function toExchange(
  request: Request,
  response: Response,
  reservation: Reservation,
  signal: AbortSignal,
): Exchange {
  const [path = "", ...rest] = request.originalUrl.split("?");
  return {
    method: request.method,
    path,
    params: request.params as Record<string, string>,
    query: new URLSearchParams(rest.join("?")),
    headers: request.headers,
    address: clientAddress(request),
    origin: originOf(request),
    signal,
    body: () =>
      readBody(
        request,
        response,
        { sentBytes: MAX_BODY_BYTES, decodedBytes: MAX_BODY_BYTES, pauseMs: BODY_TIMEOUT_MS },
        reservation,
      ),
  };
}

/** Express' own send() would add a charset, which the vendor's command line of Logentries does not take. */
async function send(response: Response, reply: Reply): Promise<void> {
  response.statusCode = reply.status ?? 200;
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.json !== undefined) {
    response.setHeader("Content-Type", reply.contentType ?? "application/json");
    response.end(JSON.stringify(reply.json));
    return;
  }
  if (reply.text === undefined) {
    response.end();
    return;
  }
  response.setHeader("Content-Type", reply.contentType ?? "text/plain; charset=utf-8");
  if (typeof reply.text === "string") {
    response.end(reply.text);
    return;
  }
  for await (const piece of reply.text) {
    if (!response.write(piece)) await drained(response);
  }
  response.end();
}

function drained(response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => void response.off("drain", onDrain).off("close", onClose);
    const onDrain = (): void => (stop(), resolve());
    const onClose = (): void => (stop(), reject(new Error("the client went away")));
    response.on("drain", onDrain).on("close", onClose);
  });
}
