// `logboom token create|list|revoke`: keys of every kind, made and taken back by an operator.
import type { Config } from "../schemas/config.ts";
import { LogboomError } from "../schemas/errors.ts";
import {
  customerId,
  endpointFamilies,
  scopes,
  tiers,
  tokenKinds,
  type EndpointFamily,
  type TokenRecord,
} from "../schemas/token.ts";
import { parseTimestamp } from "../schemas/time.ts";
import { MasterKey } from "../ingest/keys/master-key.ts";
import type { Log } from "../ingest/log/log.ts";
import { TokenStore, type TokenRequest } from "../ingest/tokens.ts";
import { parseCall, UsageError } from "./cli-call.ts";
import { readSecret } from "./cli/secret.ts";

const NS_PER_MS = 1_000_000n;

export const tokenUsage = `  logboom token create --customer C --kind KIND [--secret VALUE|env://VAR|file:///PATH] [--expires TIME] [--json]
    KIND is one of ${tokenKinds.join(", ")}
    write, read, loggly-*, logentries-read, logentries-write, scalyr-*: [--prefix0 P] … [--prefix3 P]
    logentries-log: --logset L --log L
    logentries-owner: [--account UUID]
    logtrace: [--environment E] [--scope ${scopes.join(",")}] [--tier ${tiers.join("|")}]
    logtrace, logentries-read, -write, -owner: [--limit ${endpointFamilies.join("|")}=N] …
  logboom token list [--json]
  logboom token revoke ID`;

export async function runTokenCommand(
  config: Config,
  log: Log,
  action: string | undefined,
  args: readonly string[],
): Promise<void> {
  const tokens = await TokenStore.open(log, { masterKey: new MasterKey(config) });
  try {
    switch (action) {
      case "create":
        return await createToken(tokens, args);
      case "list":
        return listTokens(tokens, args);
      case "revoke":
        return await revokeToken(tokens, args);
      default:
        throw new UsageError(`unknown action "${action ?? ""}" of token`);
    }
  } catch (error) {
    if (error instanceof LogboomError && error.code === "BAD_REQUEST") {
      throw new UsageError(error.message);
    }
    throw error;
  } finally {
    await tokens.close();
  }
}

async function createToken(tokens: TokenStore, args: readonly string[]): Promise<void> {
  const { request, isJson } = readRequest(args);
  const { record, secret } = await tokens.create(request);
  if (isJson) console.log(JSON.stringify({ ...publicFacts(record), secret }));
  else console.log(`id      ${record.id}\nsecret  ${secret}\nThe secret is shown this once.`);
}

function readRequest(args: readonly string[]): { request: TokenRequest; isJson: boolean } {
  const text = { type: "string" } as const;
  const { values } = parseCall({
    args: [...args],
    options: {
      customer: text,
      kind: text,
      environment: text,
      scope: text,
      tier: text,
      prefix0: text,
      prefix1: text,
      prefix2: text,
      prefix3: text,
      secret: text,
      logset: text,
      log: text,
      account: text,
      expires: text,
      limit: { type: "string", multiple: true },
      json: { type: "boolean" },
    },
  });
  const { customer, environment, scope, tier, logset, log, account, expires, limit } = values;
  const { prefix0 = "", prefix1 = "", prefix2 = "", prefix3 = "" } = values;
  if (!customerId.safeParse(customer).success) {
    throw new UsageError(
      `--customer "${customer ?? ""}" must be 1 to 64 letters, digits, . _ or -`,
    );
  }
  const request: TokenRequest = {
    kind: oneOf("kind", values.kind ?? "", tokenKinds),
    customer: customer ?? "",
    prefixes: [prefix0, prefix1, prefix2, prefix3],
    ...(environment !== undefined && { environment }),
    ...(scope !== undefined && {
      scopes: scope.split(",").map((one) => oneOf("scope", one.trim(), scopes)),
    }),
    ...(tier !== undefined && { tier: oneOf("tier", tier, tiers) }),
    ...(logset !== undefined && { logset }),
    ...(log !== undefined && { log }),
    ...(account !== undefined && { account }),
    ...(expires !== undefined && { expiresAt: readTime(expires) }),
    ...(limit !== undefined && { limits: readLimits(limit) }),
    ...(values.secret !== undefined && { secret: readSecret(values.secret, "--secret") }),
  };
  return { request, isJson: values.json === true };
}

function oneOf<Value extends string>(
  option: string,
  given: string,
  values: readonly Value[],
): Value {
  const found = values.find((value) => value === given);
  if (found !== undefined) return found;
  throw new UsageError(`--${option} "${given}" must be one of ${values.join(", ")}`);
}

/** A day is its first moment; without an offset it is UTC, as everywhere else. */
function readTime(text: string): string {
  const time = parseTimestamp(/^[\d-]+$/.test(text) ? `${text}T00:00:00` : text);
  if (time !== undefined) return new Date(Number(time / NS_PER_MS)).toISOString();
  throw new UsageError(`--expires "${text}" must be a time like 2027-01-31T00:00:00Z`);
}

function readLimits(given: readonly string[]): Partial<Record<EndpointFamily, number>> {
  return Object.fromEntries(
    given.map((text) => {
      const [, family = "", count = ""] = /^(\w+)=(\d{1,9})$/.exec(text) ?? [];
      if (count === "") throw new UsageError(`--limit "${text}" must be like query=2000`);
      return [oneOf("limit", family, endpointFamilies), Number(count)];
    }),
  );
}

function listTokens(tokens: TokenStore, args: readonly string[]): void {
  const { values } = parseCall({ args: [...args], options: { json: { type: "boolean" } } });
  const listed = tokens.list().map((record) => {
    const usedAt = tokens.lastUse(record.id);
    return {
      ...publicFacts(record),
      ...(usedAt !== undefined && { lastUsedAt: new Date(usedAt).toISOString() }),
    };
  });
  if (values.json) {
    console.log(JSON.stringify(listed));
    return;
  }
  for (const record of listed) {
    const { id, kind, customer, prefixes, createdAt, ...others } = record;
    const { suspendedAt: _suspended, revokedAt: _revoked, lastUsedAt, ...more } = others;
    const used = lastUsedAt === undefined ? "never used" : `used ${lastUsedAt}`;
    const facts = [JSON.stringify(prefixes)];
    if (Object.keys(more).length > 0) facts.push(JSON.stringify(more));
    console.log([id, kind, customer, ...facts, createdAt, stateOf(record), used].join("  "));
  }
}

function stateOf({
  revokedAt,
  suspendedAt,
  expiresAt,
}: Pick<TokenRecord, "revokedAt" | "suspendedAt" | "expiresAt">): string {
  if (revokedAt !== undefined) return `revoked ${revokedAt}`;
  if (suspendedAt !== undefined) return `suspended ${suspendedAt}`;
  return expiresAt !== undefined && Date.parse(expiresAt) <= Date.now() ? "expired" : "active";
}

async function revokeToken(tokens: TokenStore, args: readonly string[]): Promise<void> {
  const { positionals } = parseCall({ args: [...args], options: {}, allowPositionals: true });
  const [id] = positionals;
  if (id === undefined || positionals.length > 1) throw new UsageError("token revoke takes one ID");
  const { revokedAt } = await tokens.revoke(id);
  console.log(`${id} revoked ${revokedAt}`);
}

/** A record without what only the key store needs. */
function publicFacts(record: TokenRecord) {
  const {
    type: _type,
    revision: _revision,
    secretSha256: _secretSha256,
    sealedSecret: _sealedSecret,
    id,
    ...facts
  } = record;
  return { id, ...facts };
}
