// The shapes of the ingest doors, for the API description.
import { z } from "zod";

const label = z
  .string()
  .max(255)
  .describe("label of the stream; up to 255 bytes, no control characters");
const labels = {
  prefix0: label.optional(),
  prefix1: label.optional(),
  prefix2: label.optional(),
  prefix3: label.optional(),
};

export const ingestEvent = z.strictObject({
  time: z
    .string()
    .optional()
    .describe(
      "ns since the epoch as a decimal string, or YYYY-MM-DD[T ]HH:MM:SS[.f][Z|+HH:MM]; absent = time of arrival",
    ),
  ...labels,
  message: z.string().describe("the line as received; up to LOGBOOM_MAX_EVENT_BYTES"),
  attributes: z
    .record(z.string(), z.string())
    .optional()
    .describe("up to 64, values up to 32,768 bytes"),
});

export const ingestBody = z.strictObject({
  customer: z.string().optional().describe("must be the token's"),
  ...labels,
  events: z.array(ingestEvent),
});

export const ingestReply = z.object({
  accepted: z.number().int().describe("events that are durable now"),
  duplicate: z
    .boolean()
    .optional()
    .describe("this request was acknowledged before; nothing was stored again"),
  invalidUtf8: z
    .number()
    .int()
    .optional()
    .describe("events in which invalid UTF-8 was replaced by U+FFFD"),
});

export const failure = z.object({
  error: z.string(),
  errorCode: z.string().describe("a code of the error catalogue"),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export const scalyrReply = z.object({
  status: z
    .string()
    .describe('"success", or hierarchical: "error/client/badParam", "error/server/backoff" …'),
  message: z.string().optional(),
});

export const logglyReply = z.object({
  response: z.string().describe('"ok", or why the request is refused'),
});

export const logentriesFailure = z.object({
  errorCode: z.number().int().describe("the HTTP status"),
  message: z.string(),
});

export const logtraceBody = z.object({
  logs: z
    .array(
      z.looseObject({
        message: z.string(),
        timestamp: z
          .union([z.string(), z.number()])
          .optional()
          .describe(
            "ISO 8601, ns since the epoch as text, or seconds or ms; absent = time of arrival",
          ),
        level: z.string().optional().describe("absent = INFO"),
        service: z.string().optional(),
        environment: z.string().optional().describe("must be the key's"),
      }),
    )
    .min(1)
    .max(5000)
    .describe("other fields become attributes"),
});

export const logtraceReply = z.object({ status: z.string(), accepted: z.number().int() });

export const logtraceFailure = z.object({
  status: z.string(),
  error: z.string(),
  code: z.string().describe("a code of the error catalogue"),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export const addEventsBody = z.looseObject({
  token: z.string().optional(),
  session: z.string().optional().describe("its requests are taken in order"),
  sessionInfo: z.record(z.string(), z.unknown()).optional(),
  events: z.array(z.looseObject({})).optional(),
  threads: z.array(z.looseObject({})).optional(),
  logs: z.array(z.looseObject({})).optional(),
});

export const addEventsReply = scalyrReply.extend({ bytesCharged: z.number().int().optional() });
