// The first tokens of a new service: from the environment, or generated and left in files for their owner.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../schemas/config.ts";
import { LogboomError } from "../schemas/errors.ts";
import type { TokenStore } from "./tokens.ts";

/** The kinds that a new service starts with. */
type FirstKind = "write" | "read";

/** How a person gets at a bootstrap token without it being printed. */
export interface BootstrapToken {
  /** A shell expression that yields it. */
  readonly shell: string;
  /** The file of mode 0600 that was written, now or at an earlier start. */
  readonly path: string | undefined;
}

export async function bootstrapTokens(
  config: Config,
  tokens: TokenStore,
): Promise<Record<FirstKind, BootstrapToken>> {
  refuseSame(config);
  return {
    write: await bootstrapToken("write", config.LOGBOOM_WRITE_TOKEN, config, tokens),
    read: await bootstrapToken("read", config.LOGBOOM_READ_TOKEN, config, tokens),
  };
}

/** For a process of one stage: takes over the tokens of the environment, and generates none, as others would, too. */
export async function ensureGivenTokens(config: Config, tokens: TokenStore): Promise<void> {
  refuseSame(config);
  const { LOGBOOM_WRITE_TOKEN: write, LOGBOOM_READ_TOKEN: read } = config;
  if (write !== undefined) await bootstrapToken("write", write, config, tokens);
  if (read !== undefined) await bootstrapToken("read", read, config, tokens);
}

function refuseSame({ LOGBOOM_WRITE_TOKEN: write, LOGBOOM_READ_TOKEN: read }: Config): void {
  if (write === undefined || write !== read) return;
  throw new LogboomError("BAD_REQUEST", "LOGBOOM_WRITE_TOKEN and LOGBOOM_READ_TOKEN are the same");
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
    const { secret } = await tokens.create({ ...request, id });
    // A file that is there already would keep its mode.
    rmSync(path, { force: true });
    writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  }
  return { shell: `$(cat ${path})`, path: existsSync(path) ? path : undefined };
}
