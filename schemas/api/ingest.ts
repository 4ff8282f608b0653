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
