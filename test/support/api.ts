// A small typed client of the native ingest and search API, as a user would write it.
import type { Endpoint } from "./service.ts";
import { checkSnapshot, createWatch, type SearchReply } from "./snapshots.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultBegin, formatTime } from "./time.ts";

export type SearchType =
  | "UNSORTED_RESULTS"
  | "BACKWARD_RESULTS"
  | "EXACT_COUNTS_BINNED"
  | "EXACT_XY_HISTOGRAM_BINNED"
  | "BACKWARD_RESULTS_ONE_PER_KEY31";

/** Parameters as they go over the wire; what is absent gets the service's default. */
export interface SearchParameters {
  readonly regex: string;
  readonly type?: SearchType;
  readonly customer?: string;
  readonly prefix0?: string;
  readonly prefix1?: string;
  readonly prefix2?: string;
  readonly prefix3?: string;
  readonly limit?: number;
  readonly beginTime?: string;
  readonly endTime?: string;
  readonly timeBins?: number;
  readonly xSplits?: string;
  readonly ySplits?: string;
  /** ms */
  readonly wait?: number;
}

const searchTimeoutMs = 120_000;

/** One POST to the search API; `parameters` may also be a body as it stands. */
export function postSearch(
  endpoint: Endpoint,
  parameters: SearchParameters | string,
  headers: Record<string, string> = { authorization: `Token ${endpoint.readToken}` },
): Promise<Response> {
  const body =
    typeof parameters === "string"
      ? parameters
      : new URLSearchParams(
          Object.entries({ customer: "acme", ...parameters }).map(([name, value]) => [
            name,
            String(value),
          ]),
        ).toString();
  return fetch(`${endpoint.url}/api/search/v1`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body,
    signal: AbortSignal.timeout(60_000),
  });
}

/** One snapshot of a search; anything but 200 throws. */
export async function pollSearch(
  endpoint: Endpoint,
  parameters: SearchParameters,
): Promise<SearchReply> {
  const response = await postSearch(endpoint, parameters);
  const text = await response.text();
  if (response.status !== 200) {
    throw new Error(`search ${JSON.stringify(parameters)}: ${response.status} ${text}`);
  }
  return JSON.parse(text) as SearchReply;
}

/** Polls the identical search until it is complete, and checks every snapshot on the way. */
export async function search(
  endpoint: Endpoint,
  parameters: SearchParameters,
): Promise<SearchReply> {
  const watch = createWatch(parameters.type ?? "UNSORTED_RESULTS");
  const end = performance.now() + searchTimeoutMs;
  while (performance.now() < end) {
    const reply = await pollSearch(endpoint, parameters);
    checkSnapshot(watch, reply);
    if (reply.complete) return reply;
    await sleep(50);
  }
  throw new Error(`search ${JSON.stringify(parameters)} is not complete in ${searchTimeoutMs} ms`);
}

/** The number of events that a search counts. */
export async function countEvents(
  endpoint: Endpoint,
  parameters: SearchParameters,
): Promise<number> {
  const reply = await search(endpoint, { ...parameters, type: "EXACT_COUNTS_BINNED" });
  return reply.counts.reduce((sum, count) => sum + count, 0);
}

// A complete answer may be served from the cache for a while, so every question is a new one: its
// range begins some nanoseconds later, at times that no test uses.
let questionNumber = 0n;

/**
 * Asks until the events of `parameters` are as many as expected, and returns the seconds this took.
 * The service promises two seconds; on a busy machine we wait longer and let the caller print it.
 */
export async function waitForCount(
  endpoint: Endpoint,
  parameters: SearchParameters,
  expected: number,
  timeoutMs = 60_000,
): Promise<number> {
  const begin = performance.now();
  let count = -1;
  while (performance.now() - begin < timeoutMs) {
    questionNumber += 1n;
    const beginTime = formatTime(defaultBegin + questionNumber);
    count = await countEvents(endpoint, { beginTime, ...parameters });
    if (count === expected) return (performance.now() - begin) / 1000;
    if (count > expected) break;
    await sleep(100);
  }
  throw new Error(`${count} events match ${JSON.stringify(parameters)}, expected ${expected}`);
}

export interface IngestOptions {
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One POST to the native ingest; a text body is sent as UTF-8. */
export function postIngest(
  endpoint: Endpoint,
  body: string | Uint8Array<ArrayBuffer>,
  options: IngestOptions = {},
): Promise<Response> {
  const query = new URLSearchParams(options.query).toString();
  return fetch(`${endpoint.url}/api/ingest/v1${query === "" ? "" : `?${query}`}`, {
    method: "POST",
    headers: {
      authorization: `Token ${endpoint.writeToken}`,
      "content-type": options.contentType ?? "application/x-ndjson",
      ...options.headers,
    },
    body,
    signal: options.signal ?? AbortSignal.timeout(60_000),
  });
}

export interface IngestReply {
  readonly accepted: number;
  readonly duplicate?: boolean;
  readonly invalidUtf8?: number;
}

/** Ingests and returns the reply; anything but 202 throws. */
export async function ingest(
  endpoint: Endpoint,
  body: string | Uint8Array<ArrayBuffer>,
  options: IngestOptions = {},
): Promise<IngestReply> {
  const response = await postIngest(endpoint, body, options);
  const text = await response.text();
  if (response.status !== 202) throw new Error(`ingest: ${response.status} ${text}`);
  return JSON.parse(text) as IngestReply;
}

/** Objects as the lines of an NDJSON body. */
export function toNdjson(events: readonly object[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
