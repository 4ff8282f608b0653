// The consumers stage: from the log into the store, and the store's care.
import type { Log } from "../ingest/log/log.ts";
import type { ProcessContext } from "../ingest/process.ts";
import type { Stage } from "../ingest/serve.ts";
import { consumeEvents, storeGroup } from "./consume.ts";
import { ConsumptionKeeper } from "./keep-consumption.ts";
import { startMaintenance } from "./maintain.ts";
import { Replays } from "./replays.ts";
import { createStoreClient } from "./store/client.ts";
import { migrateStore } from "./store/migrate.ts";
import type { Store } from "./store/open.ts";

const MAINTENANCE_INTERVAL_MS = 300_000;

interface ConsumersOptions extends ProcessContext {
  readonly log: Log;
  readonly store: Store;
}

/** Brings the store's tables up to date, then consumes and maintains. */
export async function startConsumers(options: ConsumersOptions): Promise<Stage> {
  const { config, log, store, instruments, logger, keep } = options;
  const [first] = store.shards;
  await migrateStore(first, logger, { cluster: store.cluster });
  const shards = store.shards.map((shard) => keep(createStoreClient(shard)));
  const replays = keep(await Replays.open({ log, instruments, logger }));
  const consumption = await consumeEvents({
    replays,
    config,
    log,
    shards,
    instruments,
    logger,
    // Of all processes one holds the partition of a shard's number: that one maintains the shard.
    accompany: (partition) => {
      const shard = shards[partition];
      if (shard === undefined) return undefined;
      const { LOGBOOM_RETENTION_DAYS: retentionDays, LOGBOOM_INDEX_QUIET_MS: quietMs } = config;
      const companions = [
        startMaintenance({
          store: shard,
          logger,
          retentionDays,
          quietMs,
          intervalMs: Math.min(MAINTENANCE_INTERVAL_MS, quietMs),
          onRun: (outcome) => instruments.logboom_maintenance_runs_total.inc({ outcome }),
        }),
        ...(partition === 0
          ? [ConsumptionKeeper.start({ log, store: shard, logger, retentionDays })]
          : []),
      ];
      return { close: async () => void (await Promise.all(companions.map((one) => one.close()))) };
    },
  });
  return {
    routes: [],
    checks: { log: () => log.health(), store: () => store.check() },
    refresh: async () => {
      const { isUp } = await store.check();
      instruments.logboom_store_up.set(isUp ? 1 : 0);
      const lags = await log.lag(storeGroup);
      for (const { partition, records } of lags) {
        instruments.logboom_consumer_lag_records.set({ partition: String(partition) }, records);
      }
      const oldest = Math.min(...lags.map(({ oldestAppendedAt }) => oldestAppendedAt ?? Infinity));
      instruments.logboom_consumer_lag_seconds.set(
        Number.isFinite(oldest) ? (Date.now() - oldest) / 1000 : 0,
      );
    },
    close: () => consumption.close(),
  };
}
