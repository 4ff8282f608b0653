// The life of a process of any stage: environment, logger, start, drain on a signal, exit code.
import { pino, type Logger } from "pino";
import { ConfigError, readConfig, unknownVariables, type Config } from "../schemas/config.ts";
import { createInstruments, type Instruments } from "../schemas/instruments.ts";

/** npm and timeout(1) pass on a signal that the terminal has sent to the whole group: one Ctrl-C comes twice. */
const SAME_SIGNAL_MS = 1_000;

/** What every part of a process is given. */
export interface ProcessContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** Closes the part when the process ends, last kept first; returns it. */
  keep<Part extends { close(): Promise<unknown> }>(part: Part): Part;
}

/**
 * Runs a process until SIGTERM or SIGINT. Exit codes: 0 after a clean stop, 1 when it cannot start or
 * stop, 2 for a faulty environment.
 *
 * @param start keeps every part that it has started; those are closed as well when it throws
 */
export async function runProcess(start: (context: ProcessContext) => Promise<void>): Promise<void> {
  const parts = new AsyncDisposableStack();
  const keep = <Part extends { close(): Promise<unknown> }>(part: Part): Part => {
    parts.defer(async () => void (await part.close()));
    return part;
  };
  let logger: Logger | undefined;
  try {
    const config = readConfig(process.env);
    logger = pino({ level: config.LOGBOOM_LOG_LEVEL });
    const variables = unknownVariables(process.env);
    if (variables.length > 0) logger.warn({ variables }, "unknown variables are ignored");
    await start({ config, logger, instruments: createInstruments(), keep });
    stopOnSignal(logger, () => parts.disposeAsync());
  } catch (error) {
    await parts.disposeAsync();
    if (error instanceof ConfigError) {
      for (const fault of error.faults) process.stderr.write(`logboom: ${fault}\n`);
      process.exit(2);
    }
    if (logger === undefined) throw error;
    logger.fatal({ err: error }, "cannot start");
    process.exit(1);
  }
}

function stopOnSignal(logger: Logger, stop: () => Promise<void>): void {
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
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.fatal({ err: error }, "cannot stop cleanly");
          process.exit(1);
        },
      );
    });
  }
}
