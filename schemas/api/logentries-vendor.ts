// What all calls of Logentries' REST API share, and the calls on a kind of resource.
import { z } from "zod";
import { logentriesFailure } from "./ingest.ts";
import type { Call, Vendor } from "./operation.ts";

export const vendor: Vendor = {
  tag: "logentries",
  security: [{ logentriesKey: [] }],
  path: {
    logs: "ids of logs, or of tokens of theirs, parted by colons",
    logset: "id of a logset",
    saved: "id of a saved query",
    query: "id of a query that was started, or of a further page",
    live: "id of a live query",
    sequence: "sequence_number_str of an event",
    id: "id of the one",
    account: "id of the account",
    key: "a key that reads",
    host: "name of the logset",
    log: "name of the log",
  },
  refusals: {
    "400":
      "a parameter, the body or the statement cannot be read; a resource's own names its fields",
    "401": "the key or the signature is missing, unknown, expired, revoked or used before",
    "403": "a key of another kind is needed",
    "404": "there is no such resource",
    "405": "the method is not served here; Allow says which are",
    "429": "the window's limit is reached, or the address has to wait",
    "503": "the store or the log does not answer in time",
  },
  refusal: logentriesFailure.extend({
    errorCode: z.number().int().describe("101000 and the HTTP status; 101009: pages of statistics"),
    fields: z.array(z.string()).optional(),
    messages: z.array(z.string()).optional(),
  }),
};

/** Requests of the account's owner: signed, not by x-api-key. */
export const signed: Pick<Call, "security" | "header"> = {
  security: [{ logentriesOwner: [] }],
  header: { Date: "RFC 9110 date that is signed, within 15 minutes of the clock" },
};
const gone = ["it is no more"] as const;

/** The calls on all and on one of a kind of resource. */
export function resource(
  path: string,
  [one, many]: readonly [string, string],
  shapes: { readonly shown: z.ZodType; readonly made: z.ZodType },
  {
    changes,
    suffix = "{id}",
    ...more
  }: { readonly changes: readonly ("put" | "patch")[]; readonly suffix?: string } & Partial<Call>,
): Record<string, Record<string, Call>> {
  const name = one.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
  const body = z.object({ [one]: shapes.made });
  const single = z.object({ [one]: shapes.shown });
  const listed = z.object({ [many]: z.array(shapes.shown) });
  return {
    [path]: {
      get: {
        id: `list${name}s`,
        summary: `List ${many}`,
        replies: { "200": [many, listed] },
        ...more,
      },
      post: {
        id: `create${name}`,
        summary: `Make a ${one}`,
        body,
        replies: { "201": ["it is made", single] },
        ...more,
      },
    },
    [`${path}/${suffix}`]: {
      get: {
        id: `show${name}`,
        summary: `Show a ${one}`,
        replies: { "200": [one, single] },
        ...more,
      },
      ...Object.fromEntries(
        changes.map((method) => [
          method,
          {
            id: `${method}${name}`,
            summary: `Change a ${one}`,
            body,
            replies: { "200": ["as it is now", single] as const },
            ...more,
          },
        ]),
      ),
      delete: {
        id: `delete${name}`,
        summary: `Delete a ${one}`,
        replies: { "204": gone },
        ...more,
      },
    },
  };
}
