// The API description, OpenAPI 3.1, rendered from the shapes.
import { z } from "zod";
import { failure, ingestBody, ingestEvent, ingestReply, scalyrReply } from "./api/ingest.ts";
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
