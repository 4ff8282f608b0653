// What a new key is to be: checked against what its kind has, and completed with defaults.
import { randomUUID } from "node:crypto";
import { LogboomError } from "../../schemas/errors.ts";
import {
  keyKinds,
  labelPrefix,
  scopes,
  tokenRecord,
  type KeyOption,
  type TokenKind,
  type TokenRecord,
} from "../../schemas/token.ts";
import type { Prefixes } from "./permission.ts";

export interface TokenRequest extends Partial<
  Pick<
    TokenRecord,
    | "name"
    | "environment"
    | "scopes"
    | "tier"
    | "logset"
    | "log"
    | "account"
    | "limits"
    | "expiresAt"
  >
> {
  readonly kind: TokenKind;
  readonly customer: string;
  readonly prefixes: Prefixes;
  /** Given for one that someone has already, and for bootstrap tokens; else generated. */
  readonly secret?: string;
  readonly id?: string;
}

/** What the record takes over from the request. */
type KeyFacts = Omit<TokenRequest, "secret" | "id">;

const options = ["environment", "scopes", "tier", "logset", "log", "account", "limits"] as const;

/**
 * The facts of a key with its kind's defaults.
 *
 * @param others the keys that are there
 * @throws LogboomError BAD_REQUEST for an option that the kind does not have, or lacks.
 */
export function completeFacts(facts: KeyFacts, others: readonly TokenRecord[]): KeyFacts {
  const has: readonly KeyOption[] = keyKinds[facts.kind];
  const given: KeyOption[] = options.filter((option) => facts[option] !== undefined);
  if (facts.prefixes.some((prefix) => prefix !== "")) given.push("prefixes");
  const foreign = given.find((option) => !has.includes(option));
  if (foreign !== undefined) {
    throw fault(foreign, `a key of the kind "${facts.kind}" has no ${foreign}`);
  }
  for (const [index, prefix] of facts.prefixes.entries()) {
    const field = `prefix${index}`;
    const issue = labelPrefix.safeParse(prefix).error?.issues[0];
    if (issue === undefined) continue;
    const shown = JSON.stringify(prefix.slice(0, 40));
    throw fault(field, `${shown} in "${field}" starts no label: it ${issue.message}`);
  }
  switch (facts.kind) {
    case "logtrace":
      return { environment: "production", scopes: [...scopes], tier: "standard", ...facts };
    case "logentries-log":
      for (const field of ["logset", "log"] as const) {
        if (facts[field] === undefined) {
          throw fault(field, `a key of the kind "${facts.kind}" needs a ${field}`);
        }
      }
      return facts;
    case "logentries-owner":
      return { account: accountOf(facts.customer, others), ...facts };
    default:
      return facts;
  }
}

/** @throws LogboomError BAD_REQUEST naming the field that is out of bounds. */
export function checkRecord(record: TokenRecord): void {
  const result = tokenRecord.safeParse(record);
  const issue = result.error?.issues[0];
  if (issue === undefined) return;
  const field = issue.path.join(".");
  throw fault(field, `cannot make a key with this ${field}: ${issue.message}`);
}

/** The account of a customer is the same for all of its owner keys. */
function accountOf(customer: string, others: readonly TokenRecord[]): string {
  const known = others.findLast(
    (other) => other.customer === customer && other.account !== undefined,
  );
  return known?.account ?? randomUUID();
}

function fault(field: string, message: string): LogboomError {
  return new LogboomError("BAD_REQUEST", message, { details: { field } });
}
