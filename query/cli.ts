#!/usr/bin/env node
// The command line: `npm run logboom -- token create …` and its like, beside a running service or without one.
import { join } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { ConfigError, readConfig, type Config } from "../schemas/config.ts";
import { LogboomError } from "../schemas/errors.ts";
import { customerId, tokenKinds, type TokenKind, type TokenRecord } from "../schemas/token.ts";
import { EmbeddedLog } from "../ingest/log/embedded.ts";
import { TokenStore } from "../ingest/tokens.ts";
import { readDeadLetters } from "../consumers/dead-letters.ts";

const usage = `usage:
  logboom token create --customer C --kind write|read [--prefix0 P] … [--prefix3 P] [--secret VALUE] [--json]
  logboom token list [--json]
  logboom token revoke ID
  logboom dead-letters [--json]

The data directory is LOGBOOM_DATA_DIR (./data). A running service takes changes up within a second.`;

/** A call that cannot be taken; the usage is shown with it. */
class UsageError extends Error {}

const [command, subcommand, ...rest] = process.argv.slice(2);
try {
  const config = readConfig(process.env);
  switch (command) {
    case "token":
      await withLog(config, (log) => runToken(log, subcommand, rest));
      break;
    case "dead-letters":
      await withLog(config, (log) => showDeadLetters(log, process.argv.slice(3)));
      break;
    case "help":
    case "--help":
    case "-h":
      console.log(usage);
      break;
    default:
      throw new UsageError(command === undefined ? "no command" : `unknown command "${command}"`);
  }
} catch (error) {
  process.exitCode = fail(error);
}

async function withLog(config: Config, run: (log: EmbeddedLog) => Promise<void>): Promise<void> {
  const log = await EmbeddedLog.open({
    dir: join(config.LOGBOOM_DATA_DIR, "log"),
    maxBytes: config.LOGBOOM_LOG_MAX_BYTES,
  });
  try {
    await run(log);
  } finally {
    await log.close();
  }
}

async function runToken(
  log: EmbeddedLog,
  action: string | undefined,
  args: readonly string[],
): Promise<void> {
  const tokens = await TokenStore.open(log);
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
  } finally {
    await tokens.close();
  }
}

async function createToken(tokens: TokenStore, args: readonly string[]): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parse({
    args: [...args],
    options: {
      customer: text,
      kind: text,
      prefix0: text,
      prefix1: text,
      prefix2: text,
      prefix3: text,
      secret: text,
      json: { type: "boolean" },
    },
  });
  const customer = customerId.safeParse(values.customer);
  if (!customer.success) {
    throw new UsageError(
      `--customer "${values.customer ?? ""}" must be 1 to 64 letters, digits, . _ or -`,
    );
  }
  if (!isTokenKind(values.kind)) {
    throw new UsageError(`--kind "${values.kind ?? ""}" must be one of ${tokenKinds.join(", ")}`);
  }
  const { record, secret } = await tokens.create({
    kind: values.kind,
    customer: customer.data,
    prefixes: [
      values.prefix0 ?? "",
      values.prefix1 ?? "",
      values.prefix2 ?? "",
      values.prefix3 ?? "",
    ],
    ...(values.secret !== undefined && { secret: values.secret }),
  });
  const shown = { ...publicFacts(record), secret };
  if (values.json) console.log(JSON.stringify(shown));
  else console.log(`id      ${record.id}\nsecret  ${secret}\nThe secret is shown this once.`);
}

function listTokens(tokens: TokenStore, args: readonly string[]): void {
  const { values } = parse({ args: [...args], options: { json: { type: "boolean" } } });
  const records = tokens.list().map(publicFacts);
  if (values.json) {
    console.log(JSON.stringify(records));
    return;
  }
  for (const { id, kind, customer, prefixes, createdAt, revokedAt } of records) {
    const state = revokedAt === undefined ? "active" : `revoked ${revokedAt}`;
    console.log([id, kind, customer, JSON.stringify(prefixes), createdAt, state].join("  "));
  }
}

async function revokeToken(tokens: TokenStore, args: readonly string[]): Promise<void> {
  const { positionals } = parse({ args: [...args], options: {}, allowPositionals: true });
  const [id] = positionals;
  if (id === undefined || positionals.length > 1) throw new UsageError("token revoke takes one ID");
  const { revokedAt } = await tokens.revoke(id);
  console.log(`${id} revoked ${revokedAt}`);
}

async function showDeadLetters(log: EmbeddedLog, args: readonly string[]): Promise<void> {
  const { values } = parse({ args: [...args], options: { json: { type: "boolean" } } });
  const letters = await readDeadLetters(log);
  if (values.json) {
    console.log(JSON.stringify(letters));
    return;
  }
  for (const { at, reason, partition, offset, index, message } of letters) {
    console.log([at, reason, `${partition}/${offset}/${index ?? "record"}`, message].join("  "));
  }
  console.log(`${letters.length} dead letters`);
}

/** A record without what only the key store needs. */
function publicFacts({ id, kind, customer, prefixes, createdAt, revokedAt }: TokenRecord) {
  return { id, kind, customer, prefixes, createdAt, ...(revokedAt !== undefined && { revokedAt }) };
}

function parse<Options extends ParseArgsConfig>(options: Options) {
  try {
    return parseArgs(options);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function isTokenKind(kind: string | undefined): kind is TokenKind {
  return (tokenKinds as readonly (string | undefined)[]).includes(kind);
}

/** Says what went wrong and returns the exit code: 2 for a wrong call, 1 for a failure. */
function fail(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`logboom: ${error.message}\n\n${usage}`);
    return 2;
  }
  if (error instanceof ConfigError) {
    for (const fault of error.faults) console.error(`logboom: ${fault}`);
    return 2;
  }
  if (!(error instanceof LogboomError)) throw error;
  console.error(`logboom: ${error.message}`);
  return 1;
}
