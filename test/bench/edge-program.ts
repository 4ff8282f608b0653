// The ingest stage alone over an embedded log that nobody reads meanwhile, which tells its parent on request what it
// has used and taken.
import { bootstrapTokens } from "../../ingest/bootstrap.ts";
import { MasterKey } from "../../ingest/keys/master-key.ts";
import { openLog } from "../../ingest/log/open.ts";
import { runProcess } from "../../ingest/process.ts";
import { serve } from "../../ingest/serve.ts";
import { startIngest } from "../../ingest/stage.ts";
import { TokenStore } from "../../ingest/tokens.ts";

/** What the program answers to any message. */
export interface EdgeState {
  /** User and system time of all threads since the start. */
  readonly cpuMicros: number;
  /** Events that are durable, by the name of their door. */
  readonly events: Readonly<Record<string, number>>;
}

await runProcess(async (context) => {
  const { config, logger, instruments, keep } = context;
  const log = keep(await openLog(config, logger));
  const tokens = keep(
    await TokenStore.open(log, { masterKey: new MasterKey(config), instruments }),
  );
  await bootstrapTokens(config, tokens);
  await serve([keep(await startIngest({ ...context, log, tokens }))], context);
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    void instruments.logboom_ingest_events_total.get().then(({ values }) => {
      const events = Object.fromEntries(values.map(({ labels, value }) => [labels["door"], value]));
      process.send?.({ cpuMicros: user + system, events } satisfies EdgeState);
    });
  });
  // A benchmark that was killed leaves nothing behind.
  process.on("disconnect", () => process.exit());
  process.send?.({ cpuMicros: 0, events: {} } satisfies EdgeState);
});
