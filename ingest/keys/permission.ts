// What a principal may do beyond the kind of its key; every refusal has its machine-readable reason.
import { LogboomError, type ErrorDetails } from "../../schemas/errors.ts";
import type {
  DenialReason,
  EndpointFamily,
  Scope,
  Tier,
  TokenKind,
  TokenRecord,
} from "../../schemas/token.ts";

export type Prefixes = TokenRecord["prefixes"];

/** Who is asking, and what they may do. */
export interface Principal {
  readonly tokenId: string;
  readonly kind: TokenKind;
  readonly customer: string;
  /** Labels written or read start with these. */
  readonly prefixes: Prefixes;
  /** Of a LogTrace key. */
  readonly environment?: string;
  readonly scopes?: readonly Scope[];
  readonly tier?: Tier;
  /** The one log of a Logentries log token. */
  readonly logset?: string;
  readonly log?: string;
  /** Of a Logentries owner key. */
  readonly account?: string;
  /** Requests in a window where the key has its own. */
  readonly limits?: Readonly<Partial<Record<EndpointFamily, number>>>;
}

/** The principal of a key's record. */
export function principalOf(record: TokenRecord): Principal {
  const { id, kind, customer, prefixes, environment, scopes, tier, logset, log, account } = record;
  return {
    tokenId: id,
    kind,
    customer,
    prefixes,
    ...(environment !== undefined && { environment }),
    ...(scopes !== undefined && { scopes }),
    ...(tier !== undefined && { tier }),
    ...(logset !== undefined && { logset }),
    ...(log !== undefined && { log }),
    ...(account !== undefined && { account }),
    ...(record.limits !== undefined && { limits: limitsOf(record.limits) }),
  };
}

/** @throws LogboomError NO_PERMISSION, reason `wrong-scope`. */
export function requireScope({ scopes = [] }: Principal, scope: Scope): void {
  if (scopes.includes(scope)) return;
  throw denied("NO_PERMISSION", "wrong-scope", `the key lacks the scope "${scope}"`, { scope });
}

/** @throws LogboomError NO_PERMISSION, reason `wrong-environment`. */
export function requireEnvironment(principal: Principal, environment: string): void {
  if (principal.environment === environment) return;
  const shown = environment.slice(0, 100);
  throw denied(
    "NO_PERMISSION",
    "wrong-environment",
    `the key is for the environment "${principal.environment ?? ""}", not "${shown}"`,
    { field: "environment", value: shown },
  );
}

/** @throws LogboomError NO_PERMISSION, reason `wrong-customer`. */
export function requireCustomer(
  principal: Principal,
  customer: string,
  action: "read" | "write",
): void {
  if (principal.customer === customer) return;
  const shown = customer.slice(0, 100);
  const what =
    action === "read" ? `read the customer "${shown}"` : `write for the customer "${shown}"`;
  throw denied("NO_PERMISSION", "wrong-customer", `the token does not allow to ${what}`, {
    field: "customer",
    value: shown,
  });
}

/** A refusal on account of the key. */
export function denied(
  code: "BAD_TOKEN" | "NO_PERMISSION",
  reason: DenialReason,
  message: string,
  details: ErrorDetails = {},
): LogboomError {
  return new LogboomError(code, message, { details: { ...details, reason } });
}

/** Without the keys that the parser leaves undefined. */
function limitsOf(limits: NonNullable<TokenRecord["limits"]>): NonNullable<Principal["limits"]> {
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}
