// The ingest stage: doors that take events in, and the log that makes them durable.
import { Acceptor } from "./accept.ts";
import { createEdge } from "./edge.ts";
import { Limits } from "./limits/limits.ts";
import { Usage } from "./limits/usage.ts";
import type { Log } from "./log/log.ts";
import type { ProcessContext } from "./process.ts";
import type { Stage } from "./serve.ts";
import { openRawDoors } from "./sockets/raw-doors.ts";
import type { TokenStore } from "./tokens.ts";

interface IngestOptions extends ProcessContext {
  readonly log: Log;
  readonly tokens: TokenStore;
}

export async function startIngest(options: IngestOptions): Promise<Stage> {
  const { config, log, tokens, instruments, logger, keep } = options;
  const limits = new Limits(keep(await Usage.open(log)));
  const acceptor = new Acceptor({ config, log, tokens, limits, instruments, logger });
  const rawDoors = await openRawDoors({ config, acceptor, tokens, instruments, logger });
  if (Object.keys(rawDoors.ports).length > 0) {
    logger.info({ ports: rawDoors.ports }, "raw ports are open");
  }
  return {
    routes: [createEdge(acceptor)],
    checks: { log: () => log.health() },
    refresh: () => {
      rawDoors.refresh();
      instruments.logboom_ingest_pending_bytes.set(acceptor.pendingBytes + rawDoors.pendingBytes);
      instruments.logboom_log_size_bytes.set(log.sizeBytes);
      instruments.logboom_log_limit_bytes.set(log.maxBytes);
    },
    close: async () => {
      await rawDoors.close();
      await acceptor.close();
    },
  };
}
