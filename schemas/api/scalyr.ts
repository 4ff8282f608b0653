// Scalyr's API beside ingest, for the API description.
import { z } from "zod";
import { scalyrReply } from "./ingest.ts";
import { describePaths, type Call, type Vendor } from "./operation.ts";

const vendor: Vendor = {
  tag: "scalyr",
  security: [{ scalyrToken: [] }, {}],
  path: {},
  refusals: {
    "400": "a parameter, the body or the query cannot be read",
    "401": "the token is missing, unknown, expired, revoked or of another kind",
    "403": "the token does not allow it",
    "405": "the method is not served here; Allow says which are",
    "429": "the address has to wait",
    "500": "an internal error",
    "503": "the store or the log does not answer in time",
  },
  refusal: scalyrReply,
};

const token = z.string().optional().describe("may also stand in the address, or be a bearer token");
const number = z.union([z.number(), z.string()]);
const asked = {
  token,
  filter: z.string().optional(),
  startTime: number.optional().describe("24h, NOW, a time of day, a date, or s, ms or ns"),
  endTime: number.optional(),
};
const done = { status: z.string(), executionTime: z.number().int().describe("ms") };
const values = z.array(z.number().nullable());
const numeric = z.object({
  ...asked,
  function: z.string().optional().describe("absent = rate of events"),
  buckets: number.optional().describe("1 to 5,000 equal parts of the time"),
});
const attributes = z.record(z.string(), z.string());

/** A call by POST with a JSON body, and by GET with the same as parameters. */
function both(
  path: string,
  summary: string,
  body: z.ZodObject,
  reply: z.ZodType,
  aliases: readonly string[] = [],
): Record<string, Record<string, Call>> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const replies = { "200": ["success", reply] } as const;
  const also = aliases.length === 0 ? {} : { description: `Also at ${aliases.join(", ")}.` };
  const parameters = Object.keys(body.shape).filter((key) => key !== "token");
  return {
    [path]: {
      get: {
        id: `${name}ByAddress`,
        summary,
        query: Object.fromEntries(parameters.map((key) => [key, `as ${key} of the body`])),
        replies,
        ...also,
      },
      post: { id: name, summary, body, isBodyOptional: true, replies, ...also },
    },
  };
}

const path = { token, path: z.string().describe('begins with "/"') };
const file = z.object({
  status: z.string(),
  path: z.string(),
  version: z.number().int().optional(),
});

export const scalyrPaths = describePaths(vendor, {
  ...both(
    "/api/query",
    "Events that match",
    z.object({
      ...asked,
      queryType: z.literal("log").optional(),
      maxCount: number.optional().describe("1 to 5,000; absent = 100"),
      pageMode: z.enum(["head", "tail"]).optional(),
      columns: z.string().optional(),
      continuationToken: z.string().optional(),
    }),
    z.object({
      ...done,
      matches: z.array(
        z.object({
          timestamp: z.string().describe("ns since the epoch"),
          message: z.string(),
          severity: z.number(),
          session: z.string(),
          thread: z.string(),
          attributes,
          fields: attributes.describe("the same"),
        }),
      ),
      sessions: z.record(z.string(), attributes),
      continuationToken: z.string().optional().describe("while there are more"),
    }),
  ),
  ...both(
    "/api/numericQuery",
    "A number for each part of the time",
    numeric.extend({ queryType: z.literal("numeric").optional() }),
    z.object({ ...done, values }),
  ),
  ...both(
    "/api/facetQuery",
    "The most frequent values of a field",
    z.object({
      ...asked,
      queryType: z.literal("facet").optional(),
      field: z.string(),
      maxCount: number.optional().describe("1 to 1,000; absent = 100"),
    }),
    z.object({
      ...done,
      values: z.array(z.object({ value: z.string(), count: z.number().int() })),
      matchCount: z.number().int(),
    }),
  ),
  ...both(
    "/api/timeseriesQuery",
    "Several numeric queries at once",
    numeric.extend({ queries: z.array(numeric).max(100).optional() }),
    z.object({
      ...done,
      results: z.array(
        z.object({ values, executionTime: z.number(), foundExistingSeries: z.boolean() }),
      ),
    }),
  ),
  ...both(
    "/api/powerQuery",
    "A table",
    z.object({
      token,
      query: z.string(),
      startTime: asked.startTime,
      endTime: asked.endTime,
    }),
    z.object({
      status: z.string(),
      matchingEvents: z.number(),
      omittedEvents: z.number(),
      columns: z.array(z.object({ name: z.string() })),
      values: z.array(z.array(z.unknown())),
    }),
  ),
  ...both(
    "/api/getFile",
    "A configuration file",
    z.object({ ...path, expectedVersion: number.optional() }),
    file.extend({
      createDate: z.number().optional().describe("ms since the epoch"),
      modDate: z.number().optional(),
      content: z.string().optional(),
    }),
    ["/getFile"],
  ),
  ...both(
    "/api/putFile",
    "Create, replace or delete a configuration file",
    z.object({
      ...path,
      content: z.string().optional(),
      deleteFile: z.union([z.boolean(), z.string()]).optional(),
      expectedVersion: number.optional(),
    }),
    file,
    ["/putFile"],
  ),
  ...both(
    "/api/listFiles",
    "Paths of configuration files",
    z.object({ token, pathPrefix: z.string().optional() }),
    z.object({ status: z.string(), paths: z.array(z.string()) }),
    ["/listFiles"],
  ),
  ...both(
    "/api/ajax",
    "Whether the agent's version is current",
    z.object({ token, method: z.string() }),
    z.object({ status: z.string(), upToDate: z.boolean() }),
    ["/ajax"],
  ),
});
