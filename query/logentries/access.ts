// Who asks Logentries' REST API: an API key, or an owner by signature; how they are limited and refused.
import { createHash } from "node:crypto";
import { denied, type Principal } from "../../ingest/keys/permission.ts";
import { rateLimitHeaders } from "../../ingest/limits/limits.ts";
import { LogboomError, type ErrorCode } from "../../schemas/errors.ts";
import type { EndpointFamily } from "../../schemas/token.ts";
import type { Exchange, Handler, Reply } from "../exchange/exchange.ts";
import { readJsonObject, type Fields } from "../exchange/json-body.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";

/** What an endpoint asks of the key: reading, writing, or the owner's signature. */
export type Need = "read" | "write" | "owner";

const readKinds = ["logentries-read", "logentries-write", "read"] as const;
const writeKinds = ["logentries-write"] as const;

/** A request of somebody known; its body is there once for all. */
export interface Asked {
  readonly exchange: Exchange;
  readonly principal: Principal;
  readonly body: Buffer;
}

export type Answer = (asked: Asked) => Promise<Reply> | Reply;

/** Knows who asks, counts the request against the key's window, and shows what is left of it. */
export function guarded(
  { tokens, limits }: Pick<VendorOptions, "tokens" | "limits">,
  need: Need,
  family: EndpointFamily,
  answer: Answer,
): Handler {
  return async (exchange) => {
    const { headers, address, method, path } = exchange;
    const authorization = headers["authorization-api-key"];
    const isSigned = authorization !== undefined;
    if (need === "owner" && !isSigned) {
      // The key is looked at first: one that is wrong is not merely of the wrong kind.
      tokens.authenticate(apiKeyOf(exchange), readKinds, address);
      throw denied("NO_PERMISSION", "wrong-kind", "this needs the signature of an owner key");
    }
    // A signature covers the body; who shows a key is known before it is read.
    const signedBody = isSigned ? await exchange.body() : undefined;
    const principal =
      signedBody !== undefined
        ? await tokens.authenticateOwner(
            {
              authorization: [authorization].flat()[0],
              method,
              contentType: headers["content-type"] ?? "",
              date: headers.date ?? "",
              path,
              body: signedBody,
            },
            address,
          )
        : tokens.authenticate(
            apiKeyOf(exchange),
            need === "read" ? readKinds : writeKinds,
            address,
          );
    const taken = limits.take(principal, family);
    const shown = rateLimitHeaders(taken);
    if (!taken.isAllowed) {
      const { limit = 0, resetSeconds } = taken;
      const error = new LogboomError(
        "RATE_LIMITED",
        `the key's limit of ${limit} ${family} requests is reached; the next window begins in ${resetSeconds} s`,
      );
      const headers = { ...shown, "Retry-After": String(resetSeconds) };
      return { ...refuse(error), headers, failure: error };
    }
    try {
      const body = signedBody ?? (await exchange.body());
      const reply = await answer({ exchange, principal, body });
      return { ...reply, headers: { ...shown, ...reply.headers } };
    } catch (error) {
      if (!(error instanceof LogboomError) || error.code === "INTERNAL") throw error;
      const { retryAfterSeconds } = error;
      const retry =
        retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) };
      return { ...refuse(error), headers: { ...shown, ...retry }, failure: error };
    }
  };
}

function apiKeyOf({ headers }: Exchange): string | undefined {
  return [headers["x-api-key"]].flat()[0];
}

/** An empty body is an empty object. */
export function readFields({ body }: Pick<Asked, "body">): Fields {
  return body.length === 0 ? {} : readJsonObject(body);
}

/** The object under a name; the vendor's documents leave the name out in places. */
export function readWrapped(asked: Pick<Asked, "body">, name: string): Fields {
  const fields = readFields(asked);
  const inner = fields[name];
  return typeof inner === "object" && inner !== null && !Array.isArray(inner)
    ? (inner as Fields)
    : fields;
}

/** The vendor's id of the customer's account: that of the owner keys, else one made of the customer's name. */
export function accountOf(tokens: VendorOptions["tokens"], customer: string): string {
  const owner = tokens
    .list()
    .findLast((record) => record.customer === customer && record.account !== undefined);
  return owner?.account ?? uuidOf("account", customer);
}

/** The same id for the same texts, always. */
export function uuidOf(...texts: readonly string[]): string {
  const hex = createHash("sha256").update(texts.join("\0")).digest("hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function notFound(what: string, id: string): LogboomError {
  return new LogboomError("NOT_FOUND", `there is no ${what} with the id "${id.slice(0, 100)}"`, {
    details: { value: id.slice(0, 100) },
  });
}

/** The vendor's code of a page asked of statistics. */
export const PAGED_STATISTICS = 101_009;

const errorCodes: Readonly<Partial<Record<ErrorCode, number>>> = {
  BAD_TOKEN: 101_401,
  NO_PERMISSION: 101_403,
  NOT_FOUND: 101_404,
  METHOD_NOT_ALLOWED: 101_405,
  RATE_LIMITED: 101_429,
  INTERNAL: 101_500,
};

export function refuse({ code, message, details, status }: LogboomError): Reply {
  const vendorStatus = code === "TOO_LARGE" ? 400 : status;
  const own = details["errorCode"];
  const fields = details["fields"];
  return {
    status: vendorStatus,
    json: {
      errorCode: typeof own === "number" ? own : (errorCodes[code] ?? 101_000 + vendorStatus),
      message,
      ...(typeof fields === "string" && { fields: fields.split(","), messages: [message] }),
    },
  };
}

/** A refusal that names fields of a resource. */
export function invalid(fields: readonly string[], message: string): LogboomError {
  return new LogboomError("BAD_REQUEST", message, { details: { fields: fields.join(",") } });
}
