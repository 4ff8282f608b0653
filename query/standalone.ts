// Everything in one process on one machine: `npm start`.
import { pino } from "pino";
import { readConfig, ConfigError, type Config } from "../schemas/config.ts";
import { startService, type Service } from "./service.ts";

const config = configOrExit();
const logger = pino({ level: config.LOGBOOM_LOG_LEVEL });
const service = await startService(config, logger).catch((error: unknown): never => {
  logger.fatal({ err: error }, "cannot start");
  process.exit(1);
});
printWelcome(service, config);

/** npm and timeout(1) pass on a signal that the terminal has sent to the whole group: one Ctrl-C comes twice. */
const SAME_SIGNAL_MS = 1_000;
let stoppingSince: number | undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (stoppingSince !== undefined) {
      // Who asks again does not want to wait; what is acknowledged is safe in the log.
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    logger.info({ signal }, "stopping");
    service.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, "cannot stop cleanly");
        process.exit(1);
      },
    );
  });
}

function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) console.error(`logboom: ${fault}`);
    process.exit(2);
  }
}

function printWelcome({ url, tokens }: Service, { LOGBOOM_CUSTOMER: customer }: Config): void {
  const files = [tokens.write.path, tokens.read.path].filter((path) => path !== undefined);
  const ingest = `${url}/api/ingest/v1?prefix0=$(hostname)&prefix1=dpkg.log`;
  console.log(`
Logboom serves ${url} for the customer "${customer}".
${files.length > 0 ? `First-run tokens, readable by you alone: ${files.join(", ")}\n` : ""}
Send a file:
  curl -H "Authorization: Token ${tokens.write.shell}" -H "Content-Type: text/plain" --data-binary @/var/log/dpkg.log "${ingest}"
Search it:
  curl -H "Authorization: Token ${tokens.read.shell}" --data-urlencode "customer=${customer}" --data-urlencode "regex=.*status installed.*" --data "type=BACKWARD_RESULTS&limit=5" ${url}/api/search/v1
`);
}
