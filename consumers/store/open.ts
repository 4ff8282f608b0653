// Opens the store that the configuration names.
import { join } from "node:path";
import type { ProcessContext } from "../../ingest/process.ts";
import type { Readiness } from "../../ingest/operations.ts";
import type { StoreConnection } from "./client.ts";
import { startEmbeddedStore } from "./embedded.ts";

export interface Store {
  /** Of the user that migrates, writes and maintains. */
  readonly writer: StoreConnection;
  /** Of the user that searches. */
  readonly reader: StoreConnection;
  check(): Promise<Readiness>;
  /** Call it after every client of the store was closed. */
  close(): Promise<void>;
}

/** Starts the embedded store of the data directory. */
export async function openStore({ config, logger, instruments }: ProcessContext): Promise<Store> {
  const embedded = await startEmbeddedStore({
    dir: join(config.LOGBOOM_DATA_DIR, "store"),
    logger,
    maxMemoryBytes: config.LOGBOOM_STORE_MEMORY_BYTES,
  });
  embedded.onStateChange((state) => {
    if (state === "starting") instruments.logboom_store_restarts_total.inc();
  });
  const { url, database, writer, reader } = embedded;
  return {
    writer: { url, database, ...writer },
    reader: { url, database, ...reader },
    check: () => Promise.resolve({ isUp: embedded.state === "up", state: embedded.state }),
    close: () => embedded.close(),
  };
}
