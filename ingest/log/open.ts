// Opens the log that the configuration names.
import { join } from "node:path";
import type { Config } from "../../schemas/config.ts";
import { EmbeddedLog } from "./embedded.ts";
import type { Log } from "./log.ts";

/** Opens the embedded log of the data directory. */
export function openLog(config: Config): Promise<Log> {
  return EmbeddedLog.open({
    dir: join(config.LOGBOOM_DATA_DIR, "log"),
    maxBytes: config.LOGBOOM_LOG_MAX_BYTES,
  });
}
