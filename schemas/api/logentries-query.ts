// Logentries' queries and downloads, for the API description.
import { z } from "zod";
import { leql, event, answer, savedQuery, shownQuery } from "./logentries-shapes.ts";
import { resource, vendor } from "./logentries-vendor.ts";
import { describePaths, whole, words, type Call } from "./operation.ts";

const times = {
  from: "ms since the epoch",
  to: "ms since the epoch; absent = now",
  time_range: "in place of both: today, yesterday, last 10 minutes …",
};
const pages = {
  per_page: whole("events of a page; not for statistics", 1, 500),
  most_recent_first: words("", "false", "true"),
  sequence_number: "begin at the event of this number",
};
const asked = { query: "LEQL; absent = all events", ...times, ...pages };
const answers: Call["replies"] = {
  "200": ["the answer, or how far it has come", answer],
  "202": ["it runs; poll the link", answer],
};
const polled: Call["replies"] = { "200": answers["200"] as ["", z.ZodType] };

/** Each stands also below /log_search. */
export const logentriesQueryPaths = describePaths(vendor, {
  "/query/logs": {
    post: {
      id: "queryPosted",
      summary: "Ask logs",
      query: { per_page: pages.per_page, most_recent_first: pages.most_recent_first },
      body: z.object({ logs: z.array(z.string()), leql }),
      replies: answers,
    },
  },
  "/query/logs/{logs}": {
    get: { id: "queryLogs", summary: "Ask logs", query: asked, replies: answers },
  },
  "/query/logs/{logs}/{saved}": {
    get: {
      id: "queryLogsSaved",
      summary: "Ask logs by a saved query",
      query: { ...times, ...pages },
      replies: answers,
    },
  },
  "/query/logsets": {
    get: {
      id: "queryLogsetNamed",
      summary: "Ask the logs of a logset by its name",
      query: { logset_name: "name of the logset", ...asked },
      replies: answers,
    },
  },
  "/query/logsets/{logset}": {
    get: { id: "queryLogset", summary: "Ask the logs of a logset", query: asked, replies: answers },
  },
  "/query/saved_query/{saved}": {
    get: {
      id: "querySaved",
      summary: "Ask a saved query",
      query: { ...times, ...pages },
      replies: answers,
    },
  },
  ...resource(
    "/query/saved_queries",
    ["saved_query", "saved_queries"],
    { shown: shownQuery, made: savedQuery },
    { changes: ["put", "patch"], suffix: "{saved}" },
  ),
  "/query/live/logs": {
    post: {
      id: "liveLogs",
      summary: "Watch logs",
      body: z.object({
        logs: z.array(z.string()),
        leql: z.object({ statement: z.string() }).optional(),
      }),
      replies: polled,
    },
  },
  "/query/live/logs/{logs}/{saved}": {
    get: { id: "liveLogsSaved", summary: "Watch logs by a saved query", replies: polled },
  },
  "/query/live/saved_query/{saved}": {
    get: { id: "liveSaved", summary: "Watch a saved query", replies: polled },
  },
  "/query/live/{live}": {
    get: {
      id: "pollLive",
      summary: "What came since the answer that named the id",
      replies: polled,
    },
  },
  "/query/context/{sequence}": {
    get: {
      id: "showContext",
      summary: "The events around one",
      query: {
        timestamp: "of the event, ms since the epoch",
        log_keys: vendor.path["logs"] ?? "",
        context_type: words("", "SURROUND", "BEFORE", "AFTER"),
        per_page: pages.per_page,
      },
      replies: { "200": ["oldest first", z.object({ events: z.array(event) })] },
    },
  },
  "/query/{query}": {
    get: { id: "pollQuery", summary: "Poll a query, or go on with its next page", replies: polled },
  },
  "/download/logs/{logs}": {
    get: {
      id: "downloadLogs",
      summary: "The lines of up to ten logs, oldest first",
      query: { query: asked.query, ...times, limit: whole("lines", 1) },
      replies: { "200": ["a line an event", "text"] },
    },
  },
});

/** The older API, whose refusals are text. */
export const logentriesPullPaths = describePaths(
  { ...vendor, refusal: "text" },
  {
    "/{key}/hosts/{host}/{log}": {
      get: {
        id: "pullLog",
        summary: "The lines of a log, the key in the path",
        query: {
          start: "ms since the epoch",
          end: "ms since the epoch",
          filter: "LEQL",
          limit: whole("lines", 1),
        },
        replies: { "200": ["a line an event, oldest first", "text"] },
        security: [],
      },
    },
  },
);
