// What every vendor's routes need.
import type { Config } from "../../schemas/config.ts";
import type { StoreClient } from "../../consumers/store/client.ts";
import type { Limits } from "../../ingest/limits/limits.ts";
import type { Usage } from "../../ingest/limits/usage.ts";
import type { TokenStore } from "../../ingest/tokens.ts";
import type { Engine } from "../ask/engine.ts";
import type { Jobs } from "../ask/jobs.ts";
import type { Records } from "../records.ts";
import type { Freshness } from "../search/freshness.ts";
import type { ServeOptions } from "./exchange.ts";

export interface VendorOptions extends Omit<ServeOptions, "api" | "refuse"> {
  readonly config: Config;
  readonly engine: Engine;
  readonly freshness: Freshness;
  readonly jobs: Jobs;
  readonly records: Records;
  readonly tokens: TokenStore;
  readonly limits: Limits;
  readonly usage: Usage;
  readonly store: StoreClient;
}
