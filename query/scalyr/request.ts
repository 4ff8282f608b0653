// A request to Scalyr's API: parameters of the address or of a JSON body, the token among them, and refusals.
import type { Principal } from "../../ingest/keys/permission.ts";
import { parseScalyrBody, toPlain } from "../../ingest/protocols/scalyr-json.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import type { ErrorCode, LogboomError } from "../../schemas/errors.ts";
import type { TokenKind } from "../../schemas/token.ts";
import { makeQuestion, type Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField, type Fields } from "../exchange/json-body.ts";
import { parseScalyrFilter } from "../language/scalyr-filter.ts";
import type { Predicate } from "../language/predicate.ts";
import { effectivePrefixes } from "../search/scope.ts";
import { readSpan, type SpanDefaults } from "./times.ts";

/** Events of Scalyr's doors have this label. */
const DOOR = "scalyr";

export const readKinds = ["scalyr-read", "scalyr-config", "read"] as const;
export const configKinds = ["scalyr-config"] as const;

/** What a request says; a parameter with an empty text is absent, as the vendor's command line sends it. */
export interface ScalyrRequest {
  readonly fields: Fields;
  readonly principal: Principal;
}

export async function readRequest(
  tokens: TokenStore,
  exchange: Exchange,
  kinds: readonly TokenKind[],
): Promise<ScalyrRequest> {
  const { query, headers, address, method } = exchange;
  const body = method === "POST" ? await exchange.body() : Buffer.alloc(0);
  const fields = {
    ...withoutEmpty(Object.fromEntries(query)),
    ...withoutEmpty(body.length > 0 ? (toPlain(parseScalyrBody(body)) as Fields) : {}),
  };
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  const secret = readText(fields, "token") ?? bearer;
  return { fields, principal: tokens.authenticate(secret, kinds, address) };
}

/** The fields that say something. */
export function withoutEmpty(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== "" && value !== null),
  );
}

/** @throws LogboomError BAD_REQUEST */
export function questionOf(
  { customer, prefixes }: Principal,
  fields: Fields,
  defaults: SpanDefaults,
  predicate: Predicate = parseScalyrFilter(readText(fields, "filter") ?? ""),
): Question {
  return makeQuestion({
    customer,
    prefixes: effectivePrefixes(["", "", "", DOOR], prefixes),
    predicate,
    ...readSpan(
      { startTime: readText(fields, "startTime"), endTime: readText(fields, "endTime") },
      defaults,
    ),
  });
}

/** A text, or a number as one. */
export function readText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" && Math.abs(value) < 1e20)
    return BigInt(Math.round(value)).toString();
  throw badField(name, value, "a text");
}

export function readWhole(
  fields: Fields,
  name: string,
  {
    fallback,
    max,
    min = 1,
  }: { readonly fallback: number; readonly max: number; readonly min?: number },
): number {
  const value = fields[name] ?? fallback;
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= min && number <= max) {
    return number;
  }
  throw badField(name, value, `a whole number from ${min} to ${max}`);
}

/** @throws LogboomError BAD_REQUEST when the request names another type than its path. */
export function requireType(fields: Fields, type: string): void {
  const given = fields["queryType"] ?? type;
  if (given !== type) throw badField("queryType", given, `"${type}" here`);
}

/** Both are served alike. @throws LogboomError BAD_REQUEST for another one */
export function requirePriority(fields: Fields): void {
  const given = fields["priority"] ?? "low";
  if (given !== "low" && given !== "high") throw badField("priority", given, '"low" or "high"');
}

const statusOf: Readonly<Partial<Record<ErrorCode, readonly [status: number, text: string]>>> = {
  BAD_TOKEN: [401, "error/client/noPermission"],
  NO_PERMISSION: [403, "error/client/noPermission"],
  NOT_FOUND: [404, "error/client/notFound"],
  TOO_LARGE: [400, "error/client/badParam"],
  RATE_LIMITED: [429, "error/server/backoff"],
  OVERLOADED: [503, "error/server/backoff"],
  UNAVAILABLE: [503, "error/server/backoff"],
  INTERNAL: [500, "error/server"],
};

/** A token of another kind is no token for the vendor; `errorStatus: always200` leaves the error to the body. */
export function refuse(
  { code, message, details, status }: LogboomError,
  { headers }: Pick<Exchange, "headers">,
): Reply {
  const isWrongKind = details["reason"] === "wrong-kind";
  const [vendorStatus, text] = statusOf[isWrongKind ? "BAD_TOKEN" : code] ?? [
    status,
    "error/client/badParam",
  ];
  const reason = details["reason"] === "version" ? "error/client/versionMismatch" : text;
  return {
    status: headers["errorstatus"] === "always200" ? 200 : vendorStatus,
    json: {
      status: reason,
      message,
      ...(details["reason"] === "query-budget" && rateLimitOf(details)),
    },
  };
}

/** What is left of the customer's query budget, in ms. */
function rateLimitOf({ limit, remaining, refillPerHour }: LogboomError["details"]) {
  return {
    rateLimit: {
      budgetMillis: limit,
      remainingMillis: remaining,
      refillMillisPerHour: refillPerHour,
    },
  };
}
