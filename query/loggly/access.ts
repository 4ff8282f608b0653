// Who asks Loggly's API, what of the events they see, and how they are refused.
import type { Principal } from "../../ingest/keys/permission.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import type { LogboomError } from "../../schemas/errors.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { effectivePrefixes } from "../search/scope.ts";
import { parseLoggly } from "../language/loggly.ts";
import { makeQuestion, type Question } from "../ask/question.ts";
import { badParameter, textParameter } from "../exchange/parameters.ts";
import { readSpan } from "./times.ts";

/** Events of Loggly's doors have this label. */
const DOOR = "loggly";

/** `Authorization: bearer TOKEN`, or Basic with an API token as the password. */
export function authenticate(tokens: TokenStore, { headers, address }: Exchange): Principal {
  const { authorization = "" } = headers;
  const bearer = /^bearer\s+(\S+)$/i.exec(authorization)?.[1];
  const basic = /^basic\s+(\S+)$/i.exec(authorization)?.[1];
  const password =
    basic === undefined
      ? undefined
      : Buffer.from(basic, "base64")
          .toString("utf8")
          .replace(/^[^:]*:/, "");
  return tokens.authenticate(bearer ?? password, ["loggly-api", "read"], address);
}

/**
 * The events that `q`, `from` and `until` name.
 *
 * @param fallback the query where `q` may be left out
 * @throws LogboomError BAD_REQUEST
 */
export function readQuestion(
  principal: Principal,
  query: URLSearchParams,
  fallback?: string,
): Question {
  const q = textParameter(query, "q") ?? fallback;
  if (q === undefined) throw badParameter("q", "", 'a query, "*" for all events');
  return questionOf(principal, { q, ...readSpan(query) });
}

export function questionOf(
  { customer, prefixes }: Principal,
  { q, begin, end }: { readonly q: string; readonly begin: bigint; readonly end: bigint },
): Question {
  return makeQuestion({
    customer,
    prefixes: effectivePrefixes(["", "", "", DOOR], prefixes),
    begin,
    end,
    predicate: parseLoggly(q),
  });
}

/** Throttling and overload are the vendor's 503; a query that takes too long is its 504. */
export function refuse({ code, message, details, status }: LogboomError): Reply {
  const byReason: Readonly<Record<string, number>> = { timeout: 504, gone: 410 };
  const byCode: Readonly<Record<string, number>> = { RATE_LIMITED: 503, TOO_LARGE: 400 };
  return {
    status: byReason[String(details["reason"])] ?? byCode[code] ?? status,
    headers: {
      ...(code === "BAD_TOKEN" && { "WWW-Authenticate": 'Bearer realm="loggly"' }),
    },
    json: { message, code, details },
  };
}
