// The vendors' routes over a real store and log, served on a port of its own.
import express from "express";
import { Limits } from "../../../ingest/limits/limits.ts";
import { Usage } from "../../../ingest/limits/usage.ts";
import { TokenStore, type TokenRequest } from "../../../ingest/tokens.ts";
import { Freshness } from "../../../query/search/freshness.ts";
import { StatementPool } from "../../../query/search/statement-pool.ts";
import { createVendorRoutes } from "../../../query/vendors.ts";
import { readConfig } from "../../../schemas/config.ts";
import { createInstruments } from "../../../schemas/instruments.ts";
import {
  openTestStore,
  silentLogger,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";
import { serve } from "../../ingest/http-fixture.ts";
import { makeMasterKey } from "../../ingest/keys/master-key-fixture.ts";
import { openTempLog, type TempLog } from "../../ingest/log/log-fixture.ts";

/** The group whose place in the log says what is stored. */
export const STORE_GROUP = "store";

export interface VendorServer extends AsyncDisposable {
  readonly url: string;
  readonly opened: TestStore;
  readonly temp: TempLog;
  readonly tokens: TokenStore;
  /** Makes a key of the customer "acme" unless said otherwise. */
  createKey(
    request: Partial<TokenRequest> & Pick<TokenRequest, "kind">,
  ): Promise<{ readonly id: string; readonly secret: string }>;
}

export async function openVendorServer(): Promise<VendorServer> {
  const opened = await openTestStore();
  const temp = await openTempLog();
  const tokens = await TokenStore.open(temp.log, { masterKey: makeMasterKey() });
  const usage = await Usage.open(temp.log);
  const vendors = await createVendorRoutes({
    config: readConfig({}),
    log: temp.log,
    store: opened.reader,
    pool: new StatementPool(1),
    freshness: new Freshness(() => temp.log.lag(STORE_GROUP)),
    tokens,
    limits: new Limits(usage),
    usage,
    instruments: createInstruments(false),
    logger: silentLogger,
  });
  const app = express();
  app.use(vendors.router);
  const server = await serve((request, response) => void app(request, response));
  return {
    url: server.url,
    opened,
    temp,
    tokens,
    createKey: async (request) => {
      const { record, secret } = await tokens.create({
        customer: "acme",
        prefixes: ["", "", "", ""],
        ...request,
      });
      return { id: record.id, secret };
    },
    [Symbol.asyncDispose]: async () => {
      await vendors.close();
      await server[Symbol.asyncDispose]();
      await usage.close();
      await tokens.close();
      await temp[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}
