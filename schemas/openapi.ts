// The API description, OpenAPI 3.1, rendered from the shapes.
import { z } from "zod";
import {
  addEventsBody,
  addEventsReply,
  failure,
  ingestBody,
  ingestEvent,
  ingestReply,
  logentriesFailure,
  logglyReply,
  logtraceBody,
  logtraceFailure,
  logtraceReply,
  scalyrReply,
} from "./api/ingest.ts";
import { searchForm, searchReply } from "./api/search.ts";
import { errorCatalogue, type ErrorCode } from "./errors.ts";

const text = { schema: { type: "string" } };

function json(schema: z.ZodType): object {
  return { "application/json": { schema: z.toJSONSchema(schema, { io: "input" }) } };
}

/** Responses of the catalogue's codes, one for each HTTP status. */
function failures(codes: readonly ErrorCode[], content: object): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, sharing]) => [
      String(status),
      {
        description: sharing.map((code) => `${code}: ${errorCatalogue[code].sentence}`).join("; "),
        content,
        ...([429, 503].includes(status) && {
          headers: { "Retry-After": { schema: { type: "integer" }, description: "seconds" } },
        }),
      },
    ]),
  );
}

const requestFailures = [
  "BAD_REQUEST",
  "BAD_TOKEN",
  "NO_PERMISSION",
  "METHOD_NOT_ALLOWED",
  "BODY_TIMEOUT",
  "TOO_LARGE",
  "UNSUPPORTED_MEDIA",
  "RATE_LIMITED",
  "OVERLOADED",
  "INTERNAL",
] as const;

const labelParameters = ["customer", "prefix0", "prefix1", "prefix2", "prefix3"].map((name) => ({
  name,
  in: "query",
  ...text,
}));

/** A vendor's token in the path. */
const tokenParameter = {
  name: "token",
  in: "path",
  required: true,
  schema: { type: "string", format: "uuid" },
};

export const openApiDocument = {
  openapi: "3.1.0",
  info: {
    title: "Logboom",
    version: "0.1.0",
    description: "Ingest of log events and exact searches over them.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
  tags: [
    { name: "ingest", description: "events in" },
    { name: "search", description: "answers out" },
    { name: "operations", description: "what operators ask" },
  ],
  components: {
    securitySchemes: {
      token: {
        type: "apiKey",
        in: "header",
        name: "Authorization",
        description: '"Token <token>": a write token for ingest, a read token for search',
      },
      cookie: { type: "apiKey", in: "cookie", name: "read_token" },
      bearer: { type: "http", scheme: "bearer", description: "a LogTrace key" },
      scalyrToken: { type: "apiKey", in: "query", name: "token" },
    },
  },
  paths: {
    "/api/ingest/v1": {
      post: {
        operationId: "ingest",
        tags: ["ingest"],
        summary: "Store events",
        description:
          "Acknowledged once the events are durable. Content-Encoding: gzip, deflate, br, zstd.",
        security: [{ token: [] }],
        parameters: [
          ...labelParameters,
          {
            name: "Idempotency-Key",
            in: "header",
            description: "makes a repeat of the request within 24 hours harmless",
            schema: { type: "string", maxLength: 255 },
          },
        ],
        requestBody: {
          required: true,
          content: {
            ...json(ingestBody),
            "application/x-ndjson": { schema: z.toJSONSchema(ingestEvent, { io: "input" }) },
            "text/plain": text,
          },
        },
        responses: {
          "202": { description: "the events are durable", content: json(ingestReply) },
          ...failures([...requestFailures, "IDEMPOTENCY_MISMATCH"], json(failure)),
        },
      },
    },
    "/api/uploadLogs": {
      post: {
        operationId: "uploadLogs",
        tags: ["ingest"],
        summary: "Store lines, as Scalyr's uploadLogs",
        description: "Other parameters or headers that begin with server- become attributes.",
        security: [{ scalyrToken: [] }],
        parameters: [
          ...["host", "logfile", "parser"].map((name) => ({ name, in: "query", ...text })),
          {
            name: "Nonce",
            in: "header",
            description: "a repeat within one minute is answered and not stored",
            schema: { type: "string" },
          },
        ],
        requestBody: { required: true, content: { "text/plain": text } },
        responses: {
          "200": { description: "the lines are durable", content: json(scalyrReply) },
          ...failures(
            requestFailures.filter((code) => code !== "TOO_LARGE"),
            json(scalyrReply),
          ),
        },
      },
    },
    "/api/addEvents": {
      post: {
        operationId: "addEvents",
        tags: ["ingest"],
        summary: "Store a session's events, as Scalyr's addEvents",
        description:
          "Also at /addEvents. The token may stand in the body; relaxed JSON is read too.",
        security: [{ scalyrToken: [] }, {}],
        requestBody: { required: true, content: json(addEventsBody) },
        responses: {
          "200": { description: "the events are durable", content: json(addEventsReply) },
          ...failures(
            requestFailures.filter((code) => code !== "TOO_LARGE"),
            json(scalyrReply),
          ),
        },
      },
    },
    "/inputs/{token}": logglyOperation("logglyInput", "Store one event, as Loggly", "text/plain"),
    "/bulk/{token}": logglyOperation(
      "logglyBulk",
      "Store an event a line, as Loggly",
      "text/plain",
    ),
    "/v1/logs/ingest": {
      post: {
        operationId: "logtraceIngest",
        tags: ["ingest"],
        summary: "Store events, as LogTrace",
        security: [{ bearer: [] }],
        requestBody: { required: true, content: json(logtraceBody) },
        responses: {
          "202": { description: "the events are durable", content: json(logtraceReply) },
          ...failures([...requestFailures, "RATE_LIMITED"], json(logtraceFailure)),
        },
      },
    },
    "/v1/logs/{token}": {
      post: {
        operationId: "logentriesIngest",
        tags: ["ingest"],
        summary: "Store the body as one event, as Logentries",
        description: "Also at /noformat/logs/{token}.",
        security: [],
        parameters: [tokenParameter],
        requestBody: { required: true, content: { "application/json": {}, "text/plain": text } },
        responses: {
          "204": { description: "the event is durable" },
          ...failures(requestFailures, json(logentriesFailure)),
        },
      },
    },
    "/api/search/v1": {
      post: {
        operationId: "search",
        tags: ["search"],
        summary: "Start, poll or resume a search",
        description:
          "Repeat the same request, about once a second, until complete. A search that nobody polls stops.",
        security: [{ token: [] }, { cookie: [] }],
        requestBody: {
          required: true,
          content: {
            "application/x-www-form-urlencoded": {
              schema: z.toJSONSchema(searchForm, { io: "input" }),
            },
          },
        },
        responses: {
          "200": { description: "what was found so far", content: json(searchReply) },
          ...failures([...requestFailures, "BAD_REGEX", "RATE_LIMITED"], json(searchReply)),
        },
      },
    },
    "/health": operation("health", "Whether the process is alive", "alive", []),
    "/ready": operation(
      "ready",
      "Whether every dependency is up, and each one's state",
      "all are up",
      ["UNAVAILABLE"],
    ),
    "/metrics": operation("metrics", "Metrics in the Prometheus text format", "the metrics", []),
  },
} as const;

function operation(
  operationId: string,
  summary: string,
  description: string,
  codes: readonly ErrorCode[],
): object {
  return {
    get: {
      operationId,
      tags: ["operations"],
      summary,
      security: [],
      responses: { "200": { description }, ...failures([...codes, "NOT_FOUND"], json(failure)) },
    },
  };
}

/** A wrong token is 403 there, and a body of any type is taken. */
function logglyOperation(operationId: string, summary: string, type: string): object {
  return {
    post: {
      operationId,
      tags: ["ingest"],
      summary,
      description:
        "Tags may follow in the path, /tag/T1,T2, or stand in X-LOGGLY-TAG. A pixel is GET, the path ending in .gif.",
      security: [],
      parameters: [
        tokenParameter,
        { name: "X-LOGGLY-TAG", in: "header", description: "tags, parted by commas", ...text },
      ],
      requestBody: { required: true, content: { [type]: text } },
      responses: {
        "200": { description: "the events are durable", content: json(logglyReply) },
        ...failures(
          requestFailures.filter((code) => code !== "BAD_TOKEN"),
          json(logglyReply),
        ),
      },
    },
  };
}
