// The query stage in a process of its own: `npm run query`.
import { MasterKey } from "../ingest/keys/master-key.ts";
import { openSharedLog } from "../ingest/log/open.ts";
import { runProcess } from "../ingest/process.ts";
import { serve } from "../ingest/serve.ts";
import { TokenStore } from "../ingest/tokens.ts";
import { openSharedStore } from "../consumers/store/open.ts";
import { startQuery } from "./stage.ts";

await runProcess(async (context) => {
  const { config, logger, instruments, keep } = context;
  const store = keep(openSharedStore(context));
  const log = keep(await openSharedLog(config, logger, { hasReceipts: false }));
  const tokens = keep(
    await TokenStore.open(log, { masterKey: new MasterKey(config), instruments }),
  );
  await serve([keep(await startQuery({ ...context, log, store, tokens }))], context);
});
