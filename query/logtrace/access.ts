// Who asks LogTrace's API, in which environment, and how they are refused.
import {
  denied,
  requireEnvironment,
  requireScope,
  type Principal,
} from "../../ingest/keys/permission.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import type { LogboomError } from "../../schemas/errors.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { compileTestToCheck } from "../language/holds.ts";
import { and, ask, type Predicate } from "../language/predicate.ts";
import { literal } from "../language/text-pattern.ts";

/** Events of LogTrace's doors have this label. */
export const DOOR = "logtrace";

export function authenticate(tokens: TokenStore, { headers, address }: Exchange): Principal {
  const secret = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  return tokens.authenticate(secret, ["logtrace", "read"], address);
}

/** @throws LogboomError NO_PERMISSION */
export function requireReading(principal: Principal): void {
  // A native read key has neither scopes nor an environment.
  if (principal.kind === "logtrace") requireScope(principal, "read:logs");
}

/**
 * The predicate within the key's environment.
 *
 * @param named the environment that the request itself names, if it does
 * @throws LogboomError NO_PERMISSION when it, or a condition of the filter, asks for another one
 */
export function confine(principal: Principal, predicate: Predicate, named?: string): Predicate {
  const { environment } = principal;
  if (environment === undefined) {
    return named === undefined ? predicate : and(isEnvironment(named), predicate);
  }
  if (named !== undefined) requireEnvironment(principal, named);
  if (asksElsewhere(predicate, environment)) {
    throw denied(
      "NO_PERMISSION",
      "wrong-environment",
      `the key is for the environment "${environment}"; the filter asks for another one`,
      { field: "filter" },
    );
  }
  return and(isEnvironment(environment), predicate);
}

function isEnvironment(environment: string): Predicate {
  return ask({ kind: "label", index: 0 }, { kind: "match", pattern: literal(environment, false) });
}

/** Whether the predicate holds for nothing in the environment because it names another one. */
function asksElsewhere(predicate: Predicate, environment: string): boolean {
  switch (predicate.kind) {
    case "and":
      return predicate.operands.some((operand) => asksElsewhere(operand, environment));
    case "or":
      return predicate.operands.every((operand) => asksElsewhere(operand, environment));
    case "field": {
      const { field, test } = predicate;
      return field.kind === "label" && field.index === 0 && !compileTestToCheck(test)(environment);
    }
    default:
      return false;
  }
}

export function refuse({ code, message, details, status }: LogboomError): Reply {
  return {
    status: code === "TOO_LARGE" ? 400 : status,
    json: { status: "error", error: message, code, details },
  };
}
