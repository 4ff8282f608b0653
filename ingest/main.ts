// The ingest stage in a process of its own: `npm run ingest`.
import { ensureGivenTokens } from "./bootstrap.ts";
import { MasterKey } from "./keys/master-key.ts";
import { openSharedLog } from "./log/open.ts";
import { runProcess } from "./process.ts";
import { serve } from "./serve.ts";
import { startIngest } from "./stage.ts";
import { TokenStore } from "./tokens.ts";

await runProcess(async (context) => {
  const { config, logger, instruments, keep } = context;
  const log = keep(await openSharedLog(config, logger));
  const tokens = keep(
    await TokenStore.open(log, { masterKey: new MasterKey(config), instruments }),
  );
  await ensureGivenTokens(config, tokens);
  await serve([keep(await startIngest({ ...context, log, tokens }))], context);
});
