// The query stage: answers over what is stored.
import { Limits } from "../ingest/limits/limits.ts";
import { Usage } from "../ingest/limits/usage.ts";
import type { Log } from "../ingest/log/log.ts";
import type { ProcessContext } from "../ingest/process.ts";
import type { Stage } from "../ingest/serve.ts";
import type { TokenStore } from "../ingest/tokens.ts";
import { storeGroup } from "../consumers/consume.ts";
import { createStoreClient } from "../consumers/store/client.ts";
import { searchSettings } from "../consumers/store/search-settings.ts";
import type { Store } from "../consumers/store/open.ts";
import { Freshness } from "./search/freshness.ts";
import { StatementPool } from "./search/statement-pool.ts";
import { createVendorRoutes } from "./vendors.ts";
import { createSearchRoutes } from "./search/routes.ts";
import { Searches } from "./search/searches.ts";

interface QueryOptions extends ProcessContext {
  readonly log: Log;
  readonly store: Store;
  readonly tokens: TokenStore;
}

export async function startQuery(options: QueryOptions): Promise<Stage> {
  const { config, log, store, tokens, instruments, logger, keep } = options;
  const reader = keep(
    createStoreClient(store.reader, {
      maxConnections: config.LOGBOOM_SEARCH_CONCURRENCY + 4,
      requestTimeoutMs: 600_000,
      settings: searchSettings,
    }),
  );
  const freshness = new Freshness(() => log.lag(storeGroup));
  const pool = new StatementPool(config.LOGBOOM_SEARCH_CONCURRENCY);
  const shared = { config, store: reader, pool, instruments, logger };
  const searches = new Searches({ ...shared, freshness });
  const usage = keep(await Usage.open(log));
  const limits = new Limits(usage);
  const vendors = await createVendorRoutes({
    ...shared,
    freshness,
    log,
    tokens,
    limits,
    usage,
  });
  return {
    routes: [createSearchRoutes({ searches, tokens, instruments, logger }), vendors.router],
    // Tokens come by the log: without it a revocation would not be seen.
    checks: { log: () => log.health(), store: () => store.check() },
    refresh: async () => {
      const { isUp } = await store.check();
      instruments.logboom_store_up.set(isUp ? 1 : 0);
    },
    close: async () => {
      await vendors.close();
      await searches.close();
    },
  };
}
