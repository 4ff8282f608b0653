// LogTrace's API beside ingest, for the API description.
import { z } from "zod";
import { logtraceFailure } from "./ingest.ts";
import { describePaths, type Vendor } from "./operation.ts";

const time = z
  .union([z.string(), z.number()])
  .describe("-24h, now, ISO 8601, or s or ms since the epoch");
const requests = z.object({
  requests: z.int().describe("answered, or queued beyond the limit"),
  refused: z.int().describe("with 429"),
});
const limited = requests.extend({
  limit: z.int().nullable().describe("of the hour; null where nothing was asked"),
});
const bytes = z.int().describe("of the events, encoded");

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

const page = z.object({
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
});

export const logtracePaths = describePaths(vendor, {
  "/v1/logs/query": {
    get: {
      id: "logtraceQueryByAddress",
      summary: "Ask for events by a filter in KQL, newest first",
      query: {
        filter: 'needed: KQL; "" for all',
        from: "-24h, now, ISO 8601, or s or ms since the epoch; absent = -24h",
        to: "likewise; absent = now",
        limit: "events of a page, up to 10,000; absent = 100",
        page: "from 1 on",
        cursor: "next_cursor of an answer",
        environment: "must be the key's",
      },
      replies: { "200": ["a page", page] },
    },
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
      replies: { "200": ["a page", page] },
    },
  },
  "/v1/analytics/consumption": {
    get: {
      id: "logtraceConsumption",
      summary: "What keys consumed of their limits by hour and environment, newest first",
      query: {
        from: "-24h, now, ISO 8601 or ms since the epoch, within its hour; absent = -24h",
        to: "likewise, at most 366 days later; absent = now",
        environment: "must be the key's; with a native read token, one of all",
        key: "id of one key",
        limit: "rows of a page, up to 10,000; absent = 1,000",
        cursor: "next_cursor of an answer",
      },
      replies: {
        "200": [
          "a page of rows, and the sums of all pages",
          z.object({
            from: z.string().describe("begin of the first hour"),
            to: z.string().describe("end of the last hour"),
            environment: z.string().nullable(),
            data: z.array(
              z.object({
                hour: z.string().describe("its begin, UTC"),
                environment: z.string(),
                key: z.string().describe("its id"),
                ingest: limited,
                query: limited,
                events: z.int(),
                bytes,
              }),
            ),
            totals: z.object({ ingest: requests, query: requests, events: z.int(), bytes }),
            keys: z
              .array(
                z.object({
                  id: z.string(),
                  environment: z.string(),
                  tier: z.string(),
                  revoked: z.boolean(),
                  limits: z.object({
                    ingest: z.int().nullable(),
                    query: z.int().nullable(),
                  }),
                }),
              )
              .describe("those that the rows name, and the one that asks, as they are now"),
            limit: z.int(),
            next_cursor: z.string().nullable(),
          }),
        ],
      },
    },
  },
  "/v1/analytics": {
    get: {
      id: "logtracePage",
      summary: "A page for people, which shows the consumption of a key that is entered there",
      security: [],
      replies: { "200": ["the page (text/html)"] },
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
