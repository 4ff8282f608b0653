// Hours of consumption as edges would have counted them, written into a service's log beside it.
import { join } from "node:path";
import { Limits } from "../../ingest/limits/limits.ts";
import { Usage } from "../../ingest/limits/usage.ts";
import type { Principal } from "../../ingest/keys/permission.ts";
import { EmbeddedLog } from "../../ingest/log/embedded.ts";

interface Consumed {
  /** Hours before the one that runs. */
  readonly hoursAgo: number;
  readonly ingest?: number;
  readonly query?: number;
  readonly refused?: number;
  readonly events?: number;
}

/** @param dataDir of a service with an embedded log */
export async function writeConsumption(
  dataDir: string,
  { tokenId, environment }: Pick<Principal, "tokenId"> & { readonly environment: string },
  hours: readonly Consumed[],
): Promise<void> {
  const log = await EmbeddedLog.open({ dir: join(dataDir, "log"), maxBytes: 1e9 });
  const principal: Principal = {
    tokenId,
    kind: "logtrace",
    customer: "acme",
    prefixes: ["", "", "", ""],
    environment,
  };
  for (const { hoursAgo, ingest = 0, query = 0, refused = 0, events = 0 } of hours) {
    const now = (): number => Date.now() - hoursAgo * 3_600_000;
    const usage = await Usage.open(log, { now, flushMs: 1e9 });
    const limits = new Limits(usage, now);
    if (ingest > 0) limits.take(principal, "ingest", ingest);
    if (query > 0) limits.take(principal, "query", query);
    // After the others: of this key one request is more than it may have.
    if (refused > 0) limits.take({ ...principal, limits: { ingest: 1 } }, "ingest", refused);
    if (events > 0) limits.countEvents(principal, events, 240 * events);
    await usage.close();
  }
  await log.close();
}
