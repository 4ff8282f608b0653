// The vendors' routes over a real log, served on a port of their own.
import express from "express";
import type { StoreClient } from "../../consumers/store/client.ts";
import { Limits } from "../../ingest/limits/limits.ts";
import { Usage } from "../../ingest/limits/usage.ts";
import type { Log } from "../../ingest/log/log.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import { Freshness } from "../../query/search/freshness.ts";
import { StatementPool } from "../../query/search/statement-pool.ts";
import { createVendorRoutes, type VendorRoutes } from "../../query/vendors.ts";
import { readConfig } from "../../schemas/config.ts";
import { createInstruments, type Instruments } from "../../schemas/instruments.ts";
import { silentLogger } from "../consumers/store/store-fixture.ts";
import { serve } from "../ingest/http-fixture.ts";

/** The group whose place in the log says what is stored. */
export const STORE_GROUP = "store";

export interface ServedVendors extends AsyncDisposable {
  readonly url: string;
  readonly router: VendorRoutes["router"];
}

export async function serveVendors({
  log,
  store,
  tokens,
  pool = new StatementPool(1),
  instruments = createInstruments(false),
}: {
  readonly log: Log;
  readonly store: StoreClient;
  readonly tokens: TokenStore;
  readonly pool?: StatementPool;
  readonly instruments?: Instruments;
}): Promise<ServedVendors> {
  const usage = await Usage.open(log);
  const vendors = await createVendorRoutes({
    config: readConfig({}),
    log,
    store,
    pool,
    freshness: new Freshness(() => log.lag(STORE_GROUP)),
    tokens,
    limits: new Limits(usage),
    usage,
    instruments,
    logger: silentLogger,
  });
  const app = express();
  app.use(vendors.router);
  const server = await serve((request, response) => void app(request, response));
  return {
    url: server.url,
    router: vendors.router,
    [Symbol.asyncDispose]: async () => {
      await vendors.close();
      await server[Symbol.asyncDispose]();
      await usage.close();
    },
  };
}
