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
import { logentriesManagementPaths } from "./api/logentries-management.ts";
import { logentriesPullPaths, logentriesQueryPaths } from "./api/logentries-query.ts";
import { logglyPaths } from "./api/loggly.ts";
import { logtracePaths } from "./api/logtrace.ts";
import { failures, json, text } from "./api/operation.ts";
import { scalyrPaths } from "./api/scalyr.ts";
import { searchForm, searchReply } from "./api/search.ts";
import type { ErrorCode } from "./errors.ts";

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
    { name: "loggly", description: "Loggly's retrieval" },
    { name: "logentries", description: "Logentries' REST API; also below /log_search" },
    { name: "logtrace", description: "LogTrace's queries and figures" },
    { name: "scalyr", description: "Scalyr's queries and files" },
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
      bearer: { type: "http", scheme: "bearer", description: "a LogTrace key, a Loggly token" },
      basic: { type: "http", scheme: "basic", description: "a Loggly token as the password" },
      logentriesKey: { type: "apiKey", in: "header", name: "x-api-key" },
      logentriesOwner: {
        type: "apiKey",
        in: "header",
        name: "authorization-api-key",
        description:
          "KEYID:SIGNATURE; base64 of HMAC-SHA1, under the owner key, of method, Content-Type, Date, path without slashes around it, and base64 of the body's SHA-256",
      },
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
          "Acknowledged once the events are durable. Content-Encoding: gzip, deflate, br, zstd, bz2, lz4.",
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
    "/inputs/{token}.gif": {
      get: {
        operationId: "logglyPixel",
        tags: ["ingest"],
        summary: "Store one event, as a pixel of Loggly",
        description: "Tags may follow in the path, /inputs/{token}/tag/T1,T2/pixel.gif.",
        security: [],
        parameters: [
          tokenParameter,
          {
            name: "PLAINTEXT",
            in: "query",
            description: "the event; else all parameters are fields of one, but for DT",
            ...text,
          },
        ],
        responses: {
          "200": { description: "the event is durable", content: { "image/gif": {} } },
          ...failures(
            requestFailures.filter((code) => code !== "BAD_TOKEN"),
            json(logglyReply),
          ),
        },
      },
    },
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
      get: {
        operationId: "logentriesPixel",
        tags: ["ingest"],
        summary: "Store a text as one event, as a pixel of Logentries",
        description: "Also at /noformat/logs/{token}.",
        security: [],
        parameters: [
          tokenParameter,
          { name: "e", in: "query", required: true, description: "the text, as base64", ...text },
        ],
        responses: {
          "200": { description: "the event is durable", content: { "image/gif": {} } },
          ...failures(requestFailures, json(logentriesFailure)),
        },
      },
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
    ...logglyPaths,
    ...logtracePaths,
    ...scalyrPaths,
    ...logentriesQueryPaths,
    ...logentriesManagementPaths,
    ...logentriesPullPaths,
    "/health": operation("health", "Whether the process is alive", "alive", []),
    "/ready": operation(
      "ready",
      "Whether every dependency is up, and each one's state",
      "all are up",
      ["UNAVAILABLE"],
    ),
    "/openapi.json": operation("openapi", "This description", "the description", []),
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
