// The consumers stage in a process of its own: `npm run consumers`.
import { openSharedLog } from "../ingest/log/open.ts";
import { runProcess } from "../ingest/process.ts";
import { serve } from "../ingest/serve.ts";
import { startConsumers } from "./stage.ts";
import { openSharedStore } from "./store/open.ts";

await runProcess(async (context) => {
  const { config, logger, keep } = context;
  const store = keep(openSharedStore(context));
  const log = keep(await openSharedLog(config, logger, { hasReceipts: false }));
  await serve([keep(await startConsumers({ ...context, log, store }))], context);
});
