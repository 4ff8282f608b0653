// The search endpoint, POST /api/search/v1.
import { Router, type Request, type Response } from "express";
import type { Logger } from "pino";
import { readBody } from "../../ingest/body.ts";
import { clientAddress } from "../../ingest/client-address.ts";
import { MemoryBudget, Reservation } from "../../ingest/memory-budget.ts";
import { requireCustomer } from "../../ingest/keys/permission.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import { LogboomError, toLogboomError } from "../../schemas/errors.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import type { Plan } from "./plan.ts";
import { isSearchType, readPollOptions, readSearchRequest, type SearchRequest } from "./request.ts";
import type { Scan } from "./scan.ts";
import type { Searches } from "./searches.ts";

const PATH = "/api/search/v1";
/** A pattern of the largest size, percent-encoded, and room for the rest. */
const MAX_FORM_BYTES = 1024 * 1024;
const FORM_TIMEOUT_MS = 10_000;
const FORM_TYPE = "application/x-www-form-urlencoded";

/** The reply of a search that has not begun. */
const emptyReply = {
  fullHash: "",
  events: [],
  contexts: [],
  counts: [],
  totalBlocks: 0,
  relevantBlocks: 0,
  scannedBlocks: 0,
  failedBlocks: 0,
  scannedBytes: 0,
  scanProgress: 0,
  complete: false,
  stopped: true,
  searchableUntil: null,
  error: null,
  errorCode: null,
} as const;

interface SearchRoutesOptions {
  readonly searches: Searches;
  readonly tokens: TokenStore;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

export function createSearchRoutes(options: SearchRoutesOptions): Router {
  const budget = new MemoryBudget(64 * MAX_FORM_BYTES);
  const router = Router();
  router.all(PATH, async (request, response) => {
    const reservation = new Reservation(budget);
    const seen = { type: "unknown" };
    try {
      const { pieces, outcome } = await answer(request, response, reservation, seen, options);
      count(outcome);
      send(response, pieces);
    } catch (thrown) {
      const error = toLogboomError(thrown);
      count(error.status >= 500 ? "failed" : "refused");
      if (error.code === "INTERNAL") options.logger.error({ err: error.cause }, "search failed");
      refuse(response, error);
    } finally {
      reservation.release();
    }

    function count(outcome: string): void {
      options.instruments.logboom_search_requests_total.inc({ type: seen.type, outcome });
    }
  });
  return router;
}

async function answer(
  request: Request,
  response: Response,
  reservation: Reservation,
  seen: { type: string },
  { searches, tokens }: SearchRoutesOptions,
): Promise<{ pieces: readonly Buffer[]; outcome: Scan["outcome"] }> {
  if (request.method !== "POST") {
    throw new LogboomError(
      "METHOD_NOT_ALLOWED",
      `the method ${request.method} is not served at ${PATH}; use POST`,
    );
  }
  const principal = tokens.authenticate(readToken(request), "read", clientAddress(request));
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== FORM_TYPE) {
    throw new LogboomError(
      "UNSUPPORTED_MEDIA",
      `unknown content type "${type}"; expected ${FORM_TYPE}`,
      {
        details: { field: "content-type", value: type ?? "" },
      },
    );
  }
  const body = await readBody(
    request,
    response,
    { sentBytes: MAX_FORM_BYTES, decodedBytes: MAX_FORM_BYTES, pauseMs: FORM_TIMEOUT_MS },
    reservation,
  );
  const form = new URLSearchParams(body.toString("utf8"));
  const asked = form.get("type") ?? "UNSORTED_RESULTS";
  if (isSearchType(asked)) seen.type = asked;
  const search = readSearchRequest(form);
  requireCustomer(principal, search.customer, "read");
  const { waitMs, isDryRun } = readPollOptions(form);
  if (isDryRun) {
    const plan = await searches.plan(search, principal.prefixes, waitMs);
    return { pieces: [Buffer.from(renderPlan(search, plan))], outcome: "complete" };
  }
  const scan = await searches.poll(search, principal.prefixes, waitMs);
  return { pieces: scan.render(), outcome: scan.outcome };
}

/** Polls share what they send: no copy of an answer of megabytes is made for each, nor is it hashed. */
function send(response: Response, pieces: readonly Buffer[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": length,
  });
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.end();
}

/** What would be read, in the reply's usual shape, all keys present. */
function renderPlan({ fullHash }: SearchRequest, plan: Plan): string {
  const { totalBlocks, relevantBlocks, relevantBytes } = plan;
  return JSON.stringify({
    ...emptyReply,
    fullHash,
    totalBlocks,
    relevantBlocks,
    bytesToScan: plan.slices.reduce(
      (sum, { source, bytes }) => sum + (source === "events" ? bytes : 0),
      0,
    ),
    relevantBytes,
  });
}

/** From the header, else from the cookie. */
function readToken({ headers }: Request): string | undefined {
  if (headers.authorization !== undefined) {
    return /^Token\s+(\S+)$/i.exec(headers.authorization)?.[1];
  }
  return /(?:^|;\s*)read_token=([^;\s]*)/.exec(headers.cookie ?? "")?.[1];
}

/** The error in the reply's usual shape, all keys present. */
function refuse(response: Response, error: LogboomError): void {
  if (response.headersSent || response.destroyed) return;
  if (error.retryAfterSeconds !== undefined)
    response.set("Retry-After", String(error.retryAfterSeconds));
  if (error.code === "METHOD_NOT_ALLOWED") response.set("Allow", "POST");
  response.status(error.status).json({
    ...emptyReply,
    error: error.message,
    errorCode: error.code,
    // The parser knows where in the pattern, and not what it is called here.
    details: error.code === "BAD_REGEX" ? { field: "regex", ...error.details } : error.details,
  });
}
