// Opens the store that the configuration names: ClickHouse servers elsewhere, or the embedded one.
import { join } from "node:path";
import { ConfigError, type Config } from "../../schemas/config.ts";
import type { ProcessContext } from "../../ingest/process.ts";
import type { Readiness } from "../../ingest/operations.ts";
import { createStoreClient, type StoreConnection } from "./client.ts";
import { distributedDatabase } from "./cluster.ts";
import { startEmbeddedStore } from "./embedded.ts";

/** How long a server may take to answer a readiness check. */
const CHECK_TIMEOUT_MS = 3_000;

export interface Store {
  /** Of the user that migrates, writes and maintains; one for each shard, and one when there are none. */
  readonly shards: readonly [StoreConnection, ...StoreConnection[]];
  /** Of the user that searches; its tables span all shards. */
  readonly reader: StoreConnection;
  /** The cluster's name, when the store is one. */
  readonly cluster: string | undefined;
  check(): Promise<Readiness>;
  /** Call it after every client of the store was closed. */
  close(): Promise<void>;
}

export async function openStore(context: ProcessContext): Promise<Store> {
  return context.config.LOGBOOM_CLICKHOUSE_URL === undefined
    ? openEmbedded(context)
    : openServers(context.config);
}

/**
 * The store for a process of one stage.
 *
 * @throws ConfigError when it would be the embedded one, which lives in one process with every stage.
 */
export function openSharedStore({ config }: ProcessContext): Store {
  return openServers(config);
}

async function openEmbedded({ config, logger, instruments }: ProcessContext): Promise<Store> {
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
    shards: [{ url, database, ...writer }],
    reader: { url, database, ...reader },
    cluster: undefined,
    check: () => Promise.resolve({ isUp: embedded.state === "up", state: embedded.state }),
    close: () => embedded.close(),
  };
}

function openServers(config: Config): Store {
  const database = config.LOGBOOM_CLICKHOUSE_DATABASE;
  const cluster = config.LOGBOOM_CLICKHOUSE_CLUSTER;
  const [first, ...others] = (config.LOGBOOM_CLICKHOUSE_URL ?? []).map((url) => ({
    url,
    database,
    username: config.LOGBOOM_CLICKHOUSE_USER,
    password: config.LOGBOOM_CLICKHOUSE_PASSWORD,
  }));
  if (first === undefined) {
    throw new ConfigError([
      "LOGBOOM_CLICKHOUSE_URL: must be given; the embedded store is for `npm start` alone",
    ]);
  }
  if (others.length > 0 && cluster === undefined) {
    throw new ConfigError([
      `LOGBOOM_CLICKHOUSE_URL: ${others.length + 1} servers need LOGBOOM_CLICKHOUSE_CLUSTER`,
    ]);
  }
  const shards = [first, ...others] as const;
  const probes = shards.map((shard) => ({
    url: shard.url,
    // the database may not be made yet
    client: createStoreClient(
      { ...shard, database: "default" },
      { maxConnections: 1, requestTimeoutMs: CHECK_TIMEOUT_MS },
    ),
  }));
  return {
    shards,
    reader: cluster === undefined ? first : { ...first, database: distributedDatabase(database) },
    cluster,
    check: async () => {
      const answers = await Promise.all(
        probes.map(async ({ url, client }) => ({ url, ...(await client.ping({ select: true })) })),
      );
      const missing = answers.find(({ success }) => !success);
      if (missing === undefined) return { isUp: true };
      const reason = "error" in missing ? missing.error.message : "no answer";
      return { isUp: false, url: missing.url, reason };
    },
    close: async () => {
      for (const { client } of probes) await client.close();
    },
  };
}
