#!/usr/bin/env node
// The command line: `npm run logboom -- token create …` and its like, beside a running service or without one.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { ConfigError, readConfig, type Config } from "../schemas/config.ts";
import { LogboomError } from "../schemas/errors.ts";
import type { Log } from "../ingest/log/log.ts";
import { openLog } from "../ingest/log/open.ts";
import { clientCommands, clientUsage } from "./cli/client-commands.ts";
import { endWithReader } from "./cli/output.ts";
import { UsageError } from "./cli-call.ts";
import { deadLetterUsage, runDeadLetterCommand } from "./dead-letter-commands.ts";
import { runTokenCommand, tokenUsage } from "./token-commands.ts";

const usage = `usage:
${clientUsage}

${tokenUsage}
${deadLetterUsage}

Of the last two the data directory is LOGBOOM_DATA_DIR (./data); over Kafka it is LOGBOOM_KAFKA_BROKERS that counts. A running service takes changes up within a second.`;

const [command, subcommand, ...rest] = process.argv.slice(2);
endWithReader();
try {
  await run();
} catch (error) {
  process.exitCode = fail(error);
}

async function run(): Promise<void> {
  const args = process.argv.slice(3);
  if (command !== undefined && Object.hasOwn(clientCommands, command)) {
    return clientCommands[command]?.(args);
  }
  switch (command) {
    case "token":
      return withLog((log, config) => runTokenCommand(config, log, subcommand, rest));
    case "dead-letters":
      return withLog((log) => runDeadLetterCommand(log, args));
    case "help":
    case "--help":
    case "-h":
      console.log(usage);
      return;
    default:
      throw new UsageError(command === undefined ? "no command" : `unknown command "${command}"`);
  }
}

async function withLog(use: (log: Log, config: Config) => Promise<void>): Promise<void> {
  const config = readConfig(process.env);
  tellOfNewLog(config);
  const log = await openLog(config, pino({ level: "silent" }), { hasReceipts: false });
  try {
    await use(log, config);
  } finally {
    await log.close();
  }
}

/** In the wrong folder everything would look empty. The first key may well come before the first start. */
function tellOfNewLog({ LOGBOOM_KAFKA_BROKERS: brokers, LOGBOOM_DATA_DIR: dir }: Config): void {
  if (brokers !== undefined || subcommand === "create" || existsSync(join(dir, "log"))) return;
  console.error(`logboom: no log in LOGBOOM_DATA_DIR "${dir}" so far; a new one is made there`);
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
