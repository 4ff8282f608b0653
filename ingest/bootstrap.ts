// The first tokens of a new service: from the environment, or generated and left in files for their owner.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../schemas/config.ts";
import { newSecret } from "./keys/secret.ts";
import type { TokenStore } from "./tokens.ts";

/** The kinds that a new service starts with. */
type FirstKind = "write" | "read";

/** How a person gets at a bootstrap token without it being printed. */
export interface BootstrapToken {
  /** A shell expression that yields it, or a place for it when nobody but its owner has it. */
  readonly shell: string;
  /** The file of mode 0600 that was written, now or at an earlier start, and still holds it. */
  readonly path: string | undefined;
}

export async function bootstrapTokens(
  config: Config,
  tokens: TokenStore,
): Promise<Record<FirstKind, BootstrapToken>> {
  return {
    write: await bootstrapToken("write", config.LOGBOOM_WRITE_TOKEN, config, tokens),
    read: await bootstrapToken("read", config.LOGBOOM_READ_TOKEN, config, tokens),
  };
}

/** For a process of one stage: takes over the tokens of the environment, and generates none, as others would, too. */
export async function ensureGivenTokens(config: Config, tokens: TokenStore): Promise<void> {
  const { LOGBOOM_WRITE_TOKEN: write, LOGBOOM_READ_TOKEN: read } = config;
  if (write !== undefined) await bootstrapToken("write", write, config, tokens);
  if (read !== undefined) await bootstrapToken("read", read, config, tokens);
}

async function bootstrapToken(
  kind: FirstKind,
  given: string | undefined,
  config: Config,
  tokens: TokenStore,
): Promise<BootstrapToken> {
  const customer = config.LOGBOOM_CUSTOMER;
  const request = {
    kind,
    customer,
    prefixes: ["", "", "", ""] as [string, string, string, string],
  };
  if (given !== undefined) {
    await tokens.ensure({ ...request, secret: given, id: `environment-${kind}-${customer}` });
    return { shell: `$LOGBOOM_${kind.toUpperCase()}_TOKEN`, path: undefined };
  }
  const path = join(config.LOGBOOM_DATA_DIR, `${kind}.token`);
  const id = `first-run-${kind}-${customer}`;
  const isKnown = tokens.list().some((token) => token.id === id);
  // Whoever deletes the file after reading it, or revokes the token, keeps their will over a restart.
  if (!isKnown) {
    mkdirSync(config.LOGBOOM_DATA_DIR, { recursive: true, mode: 0o700 });
    const secret = newSecret(kind);
    // Before the token is known: one whose file could not be written would be nobody's for ever.
    // A file that is there already would keep its mode.
    rmSync(path, { force: true });
    writeFileSync(path, `${secret}\n`, { mode: 0o600, flush: true });
    await tokens.create({ ...request, id, secret });
  }
  // It may hold a token that is revoked by now, or another customer's.
  const isGood = existsSync(path) && tokens.has(id, readFileSync(path, "utf8").trim());
  return isGood
    ? { shell: `$(cat ${shellWord(path)})`, path }
    : { shell: `<your ${kind} token>`, path: undefined };
}

/** A path as a shell takes it for one word. */
function shellWord(path: string): string {
  return /^[\w./@%+:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
