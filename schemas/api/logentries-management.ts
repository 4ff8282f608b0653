// Management of Logentries' logs, keys, users and other resources, for the API description.
import { z } from "zod";
import { ids, log, logset, user, apikey, kept, given } from "./logentries-shapes.ts";
import { resource, signed, vendor } from "./logentries-vendor.ts";
import { describePaths, type Call } from "./operation.ts";

const account = "/management/accounts/{account}";
const keyCalls = resource(
  `${account}/apikeys`,
  ["apikey", "apikeys"],
  {
    shown: apikey,
    made: z.object({
      name: z.string().optional(),
      active: z.boolean().optional(),
      key_type: z.enum(["ro", "rw"]).optional(),
    }),
  },
  { changes: ["patch"], ...signed },
);
const userCalls = resource(
  `${account}/users`,
  ["user", "users"],
  {
    shown: user,
    made: z.object({
      email: z.string(),
      first_name: z.string().optional(),
      last_name: z.string().optional(),
    }),
  },
  { changes: [], ...signed },
);
const unsigned = { security: vendor.security, header: {} };
const all = keyCalls[`${account}/apikeys`] ?? {};
const single = keyCalls[`${account}/apikeys/{id}`] ?? {};

/** Each stands also below /log_search. */
export const logentriesManagementPaths = describePaths(vendor, {
  ...resource(
    "/management/logs",
    ["log", "logs"],
    {
      shown: log,
      made: z.object({
        name: z.string(),
        logsets_info: ids.optional(),
        source_type: z.string().optional(),
      }),
    },
    { changes: ["put", "patch"] },
  ),
  ...resource(
    "/management/logsets",
    ["logset", "logsets"],
    {
      shown: logset,
      made: z.object({
        name: z.string(),
        description: z.string().optional(),
        logs_info: ids.optional(),
      }),
    },
    { changes: ["put", "patch"] },
  ),
  [account]: {
    get: {
      id: "showAccount",
      summary: "The account",
      replies: {
        "200": [
          "the account",
          z.object({
            id: z.string(),
            name: z.string(),
            organization: z.string(),
            email: z.string().nullable(),
            retention_period: z.number().int().describe("days"),
            max_retention_period: z.number().int().describe("days"),
          }),
        ],
      },
      ...signed,
    },
  },
  ...userCalls,
  [`${account}/users/{id}`]: {
    ...userCalls[`${account}/users/{id}`],
    post: {
      id: "addUser",
      summary: "Add a user that is there",
      replies: { "200": ["the user", z.object({ user })] },
      ...signed,
    },
  },
  [`${account}/owners`]: {
    get: {
      id: "listOwners",
      summary: "Who holds owner keys",
      replies: {
        "200": ["twice the same", z.object({ owners: z.array(user), users: z.array(user) })],
      },
      ...signed,
    },
  },
  [`${account}/apikeys`]: { ...all, get: { ...(all["get"] as Call), ...unsigned } },
  [`${account}/apikeys/{id}`]: { ...single, get: { ...(single["get"] as Call), ...unsigned } },
  "/management/organizations/apikeys": {
    get: {
      id: "listOrganizationKeys",
      summary: "List API keys",
      replies: { "200": ["apikeys", z.object({ apikeys: z.array(apikey) })] },
    },
  },
  ...resource(
    `${account}/teams`,
    ["team", "teams"],
    { shown: kept, made: given.extend({ users: ids.optional() }) },
    {
      changes: ["put", "patch"],
      description: "PATCH adds the users that it names, PUT replaces them.",
    },
  ),
  ...["tag", "action", "label"].reduce(
    (paths, one) => ({
      ...paths,
      ...resource(
        `/management/${one}s`,
        [one, `${one}s`],
        // The vendor's actions have no names.
        one === "action"
          ? { shown: kept.partial({ name: true }), made: given.partial({ name: true }) }
          : { shown: kept, made: given },
        { changes: ["put", "patch"] },
      ),
    }),
    {},
  ),
  "/usage/accounts/{account}": {
    get: {
      id: "showUsage",
      summary: "Bytes stored by day",
      query: { from: "YYYY-MM-DD; absent = 30 days before", to: "YYYY-MM-DD; absent = today" },
      replies: {
        "200": [
          "bytes of messages",
          z.object({
            id: z.string(),
            name: z.string(),
            period_usage: z.number().int(),
            daily_usage: z.array(z.object({ day: z.string(), usage: z.number().int() })),
          }),
        ],
      },
    },
  },
  "/validate": {
    get: {
      id: "validateKey",
      summary: "Whether the key is good",
      replies: {
        "200": ['"Authorized"', z.object({ message: z.string() })],
        "401": ['"Unauthorized"', z.object({ message: z.string() })],
      },
    },
  },
});
