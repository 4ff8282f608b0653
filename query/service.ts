// Puts the stages of one process together, and takes them apart in reverse order.
import { join } from "node:path";
import express from "express";
import type { Logger } from "pino";
import type { Config } from "../schemas/config.ts";
import { createInstruments } from "../schemas/instruments.ts";
import { openApiDocument } from "../schemas/openapi.ts";
import { Acceptor } from "../ingest/accept.ts";
import { bootstrapTokens, type BootstrapToken } from "../ingest/bootstrap.ts";
import { createEdge } from "../ingest/edge.ts";
import { startHttpServer } from "../ingest/http-server.ts";
import { MasterKey } from "../ingest/keys/master-key.ts";
import { Limits } from "../ingest/limits/limits.ts";
import { Usage } from "../ingest/limits/usage.ts";
import { EmbeddedLog } from "../ingest/log/embedded.ts";
import { createOperations } from "../ingest/operations.ts";
import { TokenStore } from "../ingest/tokens.ts";
import { consumeEvents, storeGroup } from "../consumers/consume.ts";
import { startMaintenance } from "../consumers/maintain.ts";
import { createStoreClient } from "../consumers/store/client.ts";
import { startEmbeddedStore } from "../consumers/store/embedded.ts";
import { migrateStore } from "../consumers/store/migrate.ts";
import { createSearchRoutes } from "./search/routes.ts";
import { Searches } from "./search/searches.ts";
import { createVendorRoutes } from "./vendors.ts";
import { answerFailure, answerNotFound } from "./failures.ts";

const MAINTENANCE_INTERVAL_MS = 300_000;

export interface Service {
  readonly url: string;
  readonly tokens: Readonly<Record<"write" | "read", BootstrapToken>>;
  /** Answers what is in flight, keeps what is acknowledged, and ends every part. */
  close(): Promise<void>;
}

/** Starts ingest, consumers and query on the embedded log and store. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const dir = config.LOGBOOM_DATA_DIR;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closers.toReversed()) await step();
    closers.length = 0;
  };
  try {
    return await start();
  } catch (error) {
    await close();
    throw error;
  }

  async function start(): Promise<Service> {
    const instruments = createInstruments();
    // First, because its lock on the data directory keeps a second service away from the log as well.
    const embedded = await startEmbeddedStore({
      dir: join(dir, "store"),
      logger,
      maxMemoryBytes: config.LOGBOOM_STORE_MEMORY_BYTES,
    });
    closers.push(() => embedded.close());
    embedded.onStateChange((state) => {
      if (state === "starting") instruments.logboom_store_restarts_total.inc();
    });
    const { url: storeUrl, database } = embedded;
    await migrateStore({ url: storeUrl, database, ...embedded.writer }, logger);
    const writer = createStoreClient({ url: storeUrl, database, ...embedded.writer });
    closers.push(() => writer.close());
    const reader = createStoreClient(
      { url: storeUrl, database, ...embedded.reader },
      { maxConnections: config.LOGBOOM_SEARCH_CONCURRENCY + 4, requestTimeoutMs: 600_000 },
    );
    closers.push(() => reader.close());

    const log = await EmbeddedLog.open({
      dir: join(dir, "log"),
      maxBytes: config.LOGBOOM_LOG_MAX_BYTES,
    });
    closers.push(() => log.close());
    const tokenStore = await TokenStore.open(log, {
      masterKey: new MasterKey(config),
      instruments,
    });
    closers.push(() => tokenStore.close());
    const usage = await Usage.open(log);
    closers.push(() => usage.close());
    const limits = new Limits(usage);
    const tokens = await bootstrapTokens(config, tokenStore);

    const consumption = await consumeEvents({ config, log, store: writer, instruments, logger });
    closers.push(() => consumption.close());
    const maintenance = startMaintenance({
      store: writer,
      logger,
      retentionDays: config.LOGBOOM_RETENTION_DAYS,
      quietMs: config.LOGBOOM_INDEX_QUIET_MS,
      intervalMs: Math.min(MAINTENANCE_INTERVAL_MS, config.LOGBOOM_INDEX_QUIET_MS),
      onRun: (outcome) => instruments.logboom_maintenance_runs_total.inc({ outcome }),
    });
    closers.push(() => maintenance.close());

    const searches = new Searches({ config, store: reader, instruments, logger });
    closers.push(() => searches.close());
    const vendors = await createVendorRoutes({
      config,
      log,
      store: reader,
      tokens: tokenStore,
      limits,
      usage,
      instruments,
      logger,
    });
    closers.push(() => vendors.close());
    const acceptor = new Acceptor({
      config,
      log,
      tokens: tokenStore,
      limits,
      instruments,
      logger,
    });
    closers.push(() => acceptor.close());

    const refresh = async (): Promise<void> => {
      instruments.logboom_ingest_pending_bytes.set(acceptor.pendingBytes);
      instruments.logboom_log_size_bytes.set(log.sizeBytes);
      instruments.logboom_log_limit_bytes.set(config.LOGBOOM_LOG_MAX_BYTES);
      instruments.logboom_store_up.set(embedded.state === "up" ? 1 : 0);
      const lags = await log.lag(storeGroup);
      for (const { partition, records } of lags) {
        instruments.logboom_consumer_lag_records.set({ partition: String(partition) }, records);
      }
      const oldest = Math.min(...lags.map(({ oldestAppendedAt }) => oldestAppendedAt ?? Infinity));
      instruments.logboom_consumer_lag_seconds.set(
        Number.isFinite(oldest) ? (Date.now() - oldest) / 1000 : 0,
      );
    };

    const app = express();
    app.disable("x-powered-by").disable("etag");
    app.use(createEdge(acceptor));
    app.use(createSearchRoutes({ searches, tokens: tokenStore, instruments, logger }));
    app.use(vendors.router);
    app.use(
      createOperations({
        instruments,
        refresh,
        checks: {
          log: () => log.health(),
          store: () => ({ isUp: embedded.state === "up", state: embedded.state }),
        },
      }),
    );
    app.get("/openapi.json", (_request, response) => void response.json(openApiDocument));
    app.use(answerNotFound, answerFailure(logger));

    const server = await startHttpServer(app, {
      host: config.LOGBOOM_HOST,
      port: config.LOGBOOM_PORT,
    });
    closers.push(() => server.drain(config.LOGBOOM_DRAIN_TIMEOUT_MS));
    const url = `http://${config.LOGBOOM_HOST}:${server.port}`;
    logger.info({ url }, "ready");
    return { url, tokens, close };
  }
}
