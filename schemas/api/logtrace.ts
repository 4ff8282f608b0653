// LogTrace's API beside ingest, for the API description.
import { z } from "zod";
import { logtraceFailure } from "./ingest.ts";
import { describePaths, type Vendor } from "./operation.ts";

const time = z
  .union([z.string(), z.number()])
  .describe("-24h, now, ISO 8601, or s or ms since the epoch");
const counts = z.object({ used: z.int(), limit: z.int().nullable() });

const vendor: Vendor = {
  tag: "logtrace",
  security: [{ bearer: [] }],
  path: {},
  refusals: {
    "400": "a parameter, the body or the filter cannot be read",
    "401": "the key is missing, unknown, expired or revoked",
    "403": "a key of another kind, or one that lacks the scope, or is for another environment",
    "405": "the method is not served here; Allow says which are",
    "429": "the hour's limit is reached, or the address has to wait",
    "503": "the store does not answer in time",
  },
  refusal: logtraceFailure,
};

export const logtracePaths = describePaths(vendor, {
  "/v1/logs/query": {
    post: {
      id: "logtraceQuery",
      summary: "Ask for events by a filter in KQL, newest first",
      body: z.object({
        filter: z.string().describe('KQL; "" for all'),
        from: time.optional(),
        to: time.optional(),
        limit: z.int().min(1).max(10_000).optional(),
        page: z.int().min(1).optional(),
        cursor: z.string().optional().describe("next_cursor of an answer"),
        environment: z.string().optional().describe("must be the key's"),
      }),
      replies: {
        "200": [
          "a page",
          z.object({
            data: z.array(
              z.looseObject({
                timestamp: z.string(),
                level: z.string(),
                message: z.string(),
                service: z.string().optional(),
                environment: z.string(),
              }),
            ),
            total: z.int(),
            page: z.int().nullable(),
            limit: z.int(),
            next_cursor: z.string().nullable(),
          }),
        ],
      },
    },
  },
  "/v1/analytics/consumption": {
    get: {
      id: "logtraceConsumption",
      summary: "What is stored by hour, and what keys have used of their limits",
      query: {
        from: "-24h, now, ISO 8601 or ms since the epoch; absent = -24h",
        to: "likewise; absent = now",
        environment: "must be the key's",
      },
      replies: {
        "200": [
          "by environment and hour",
          z.object({
            from: z.string(),
            to: z.string(),
            hours: z.array(
              z.object({
                hour: z.string(),
                environment: z.string(),
                events: z.int(),
                bytes: z.int(),
              }),
            ),
            keys: z.array(
              z.object({
                id: z.string(),
                environment: z.string().optional(),
                tier: z.string(),
                requests_this_hour: z.object({ ingest: counts, query: counts }),
              }),
            ),
          }),
        ],
      },
    },
  },
  "/v1/health": {
    get: {
      id: "logtraceHealth",
      summary: "Whether queries are answered, and how many events come in",
      replies: {
        "200": [
          "they are",
          z.object({
            status: z.string(),
            workers: z.int(),
            uptime_seconds: z.int(),
            ingestion_rps: z.number(),
          }),
        ],
      },
    },
  },
});
