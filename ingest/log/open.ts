// Opens the log that the configuration names.
import { join } from "node:path";
import { ConfigError, type Config } from "../../schemas/config.ts";
import { EmbeddedLog } from "./embedded.ts";
import type { Log } from "./log.ts";

/** Opens the embedded log of the data directory. */
export function openLog(config: Config): Promise<Log> {
  return EmbeddedLog.open({
    dir: join(config.LOGBOOM_DATA_DIR, "log"),
    maxBytes: config.LOGBOOM_LOG_MAX_BYTES,
  });
}

/**
 * Opens the log for a process of one stage.
 *
 * @throws ConfigError when it would be the embedded one, whose events are written and read by one process.
 */
export async function openSharedLog(config: Config): Promise<Log> {
  const log = await openLog(config);
  if (!(log instanceof EmbeddedLog)) return log;
  await log.close();
  throw new ConfigError([
    "LOGBOOM_KAFKA_BROKERS: must be given; the embedded log is for `npm start` alone",
  ]);
}
