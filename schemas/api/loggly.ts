// Loggly's retrieval API, for the API description.
import { z } from "zod";
import { describePaths, whole, words, type Vendor } from "./operation.ts";

const ms = z.number().int().describe("ms since the epoch");
const event = z.object({
  id: z.string(),
  timestamp: ms,
  logmsg: z.string(),
  raw: z.string(),
  unparsed: z.null(),
  logtypes: z.array(z.string()),
  tags: z.array(z.string()),
  event: z.record(z.string(), z.unknown()).describe("json, syslog, http, as far as there are"),
});

const vendor: Vendor = {
  tag: "loggly",
  security: [{ bearer: [] }, { basic: [] }],
  path: {
    field: "name of a field, as json.status",
    stat: "avg, sum, min, max, percentiles, value_count, cardinality, stats, extended_stats or all",
  },
  refusals: {
    "400": "a parameter or the query cannot be read",
    "401": "the token is missing, unknown, expired or revoked",
    "403": "a token of another kind",
    "404": "there is no such resource",
    "405": "the method is not served here; Allow says which are",
    "410": "the search has expired",
    "503": "too many failures of the address, or the store does not answer",
    "504": "the query took too long",
  },
  refusal: z.object({
    message: z.string(),
    code: z.string().describe("a code of the error catalogue"),
    details: z.record(z.string(), z.unknown()),
  }),
};

const span = {
  from: "-24h, an ISO 8601 time or ms since the epoch; absent = -24h",
  until: "likewise; absent = now",
};
const asked = { q: 'the query; "*" for all events', ...span };
const callback = { callback: "function of an answer as JSONP" };
const listed = {
  ...asked,
  order: words("by time", "desc", "asc"),
  size: whole("events of a page; 50 unless said, more than the most are cut to it", 1),
};

export const logglyPaths = describePaths(vendor, {
  "/apiv2/search": {
    get: {
      id: "logglySearch",
      summary: "Name a search; its events are at /apiv2/events",
      query: { ...listed, ...callback },
      replies: {
        "200": [
          "the search's id",
          z.object({
            rsid: z.object({
              id: z.string(),
              status: z.string(),
              date_from: ms,
              date_to: ms,
              elapsed_time: z.number(),
            }),
          }),
        ],
      },
    },
  },
  "/apiv2/events": {
    get: {
      id: "logglyEvents",
      summary: "A page of a search",
      description: "As CSV or lines where the format says so.",
      query: {
        rsid: "id of the search",
        page: whole("from 0 on", 0, 1_000_000),
        format: words("", "json", "raw", "csv"),
        columns: "of a table, parted by commas",
        ...callback,
      },
      replies: {
        "200": [
          "the events",
          z.object({ total_events: z.int(), page: z.int(), events: z.array(event) }),
        ],
      },
    },
  },
  "/apiv2/events/iterate": {
    get: {
      id: "logglyIterate",
      summary: "Events without a bound, page by page",
      query: { ...listed, next: "of the answer before; it says all", ...callback },
      replies: {
        "200": [
          "a page",
          z.object({
            events: z.array(event),
            next: z.string().optional().describe("address of the next one while there are more"),
          }),
        ],
      },
    },
  },
  "/apiv2/events/count": {
    get: {
      id: "logglyCount",
      summary: "Count events",
      query: { ...asked, include_volume: words("", "false", "true"), ...callback },
      replies: {
        "200": [
          "the count",
          z.object({
            count: z.int(),
            volume: z.int().optional().describe("bytes of messages"),
          }),
        ],
      },
    },
  },
  "/apiv2/fields": {
    get: {
      id: "logglyFields",
      summary: "Names of fields, most frequent first",
      query: { ...asked, facet_size: whole("names", 1, 2_000), ...callback },
      replies: {
        "200": [
          "the names",
          z.object({
            fields: z.array(z.object({ name: z.string() })),
            total_events: z.int(),
          }),
        ],
      },
    },
  },
  "/apiv2/fields/{field}": {
    get: {
      id: "logglyTerms",
      summary: "A field's most frequent values",
      query: { ...asked, facet_size: whole("values", 1, 2_000), ...callback },
      replies: {
        "200": [
          "the values under the field's name, as {term, count}",
          z.looseObject({ unique_field_count: z.int(), total_events: z.int() }),
        ],
      },
    },
  },
  "/apiv2/stats/{stat}/{field}": {
    get: {
      id: "logglyStatistics",
      summary: "Statistics of a field's numbers",
      query: { ...asked, ...callback },
      replies: { "200": ["the figure under its name", z.record(z.string(), z.unknown())] },
    },
  },
  "/apiv2/volume-metrics": {
    get: {
      id: "logglyVolume",
      summary: "Events and bytes",
      query: {
        ...span,
        group_by: "host, app or both, parted by commas",
        measurement_types: "volume_bytes, count or both",
        host: "only of these",
        app: "only of these",
        ...callback,
      },
      replies: {
        "200": [
          "largest first",
          z.object({
            from: ms,
            until: ms,
            group_by: z.array(z.string()),
            measurement_types: z.array(z.string()),
            metrics: z.array(
              z.object({
                host: z.string().optional(),
                app: z.string().optional(),
                volume_bytes: z.int().optional(),
                count: z.int().optional(),
              }),
            ),
          }),
        ],
      },
    },
  },
  "/apiv2/customer": {
    get: {
      id: "logglyCustomer",
      summary: "The customer",
      query: callback,
      replies: {
        "200": [
          "the customer",
          z.object({
            tokens: z.array(z.string()).describe("ids of the customer tokens"),
            subdomain: z.string(),
            subscription: z.object({ retention_days: z.int(), volume_limit_mb: z.null() }),
          }),
        ],
      },
    },
  },
  "/apiv2/user-list": {
    get: {
      id: "logglyUsers",
      summary: "The customer's users",
      query: callback,
      replies: {
        "200": [
          "the users",
          z.object({
            message: z.string(),
            users: z.array(z.record(z.string(), z.string().optional())),
          }),
        ],
      },
    },
  },
});
