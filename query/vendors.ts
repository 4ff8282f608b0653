// The vendors' retrieval APIs, all over one engine.
import { Router } from "express";
import type { Logger } from "pino";
import type { Config } from "../schemas/config.ts";
import type { Instruments } from "../schemas/instruments.ts";
import type { StoreClient } from "../consumers/store/client.ts";
import type { Limits } from "../ingest/limits/limits.ts";
import type { Usage } from "../ingest/limits/usage.ts";
import type { Log } from "../ingest/log/log.ts";
import type { TokenStore } from "../ingest/tokens.ts";
import { Engine } from "./ask/engine.ts";
import { Jobs } from "./ask/jobs.ts";
import { createBodyBudget } from "./exchange/exchange.ts";
import { createLogentriesRoutes } from "./logentries/routes.ts";
import { createLogglyRoutes } from "./loggly/routes.ts";
import { createLogtraceRoutes } from "./logtrace/routes.ts";
import { createScalyrRoutes } from "./scalyr/routes.ts";
import { Records } from "./records.ts";
import type { Freshness } from "./search/freshness.ts";
import type { StatementPool } from "./search/statement-pool.ts";

export interface VendorRoutesOptions {
  readonly config: Config;
  readonly log: Log;
  /** As the user that searches. */
  readonly store: StoreClient;
  /** Shared with the native searches, so that a customer has one share of both. */
  readonly pool: StatementPool;
  readonly freshness: Freshness;
  readonly tokens: TokenStore;
  readonly limits: Limits;
  readonly usage: Usage;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

export interface VendorRoutes {
  readonly router: Router;
  /** Ends what is being asked. */
  close(): Promise<void>;
}

export async function createVendorRoutes(options: VendorRoutesOptions): Promise<VendorRoutes> {
  const { log, store, pool } = options;
  const records = await Records.open(log);
  const jobs = new Jobs();
  const shared = {
    ...options,
    records,
    jobs,
    engine: new Engine({ store, pool }),
    budget: createBodyBudget(),
  };
  const router = Router();
  router.use(createLogglyRoutes(shared));
  router.use(createLogtraceRoutes(shared));
  router.use(createScalyrRoutes(shared));
  router.use(createLogentriesRoutes(shared));
  return {
    router,
    close: async () => {
      await jobs.close();
      await records.close();
    },
  };
}
