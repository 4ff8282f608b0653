// Every stage in one process: `npm start`.
import type { Config } from "../schemas/config.ts";
import { bootstrapTokens, type BootstrapToken } from "../ingest/bootstrap.ts";
import { MasterKey } from "../ingest/keys/master-key.ts";
import { openLog } from "../ingest/log/open.ts";
import { runProcess } from "../ingest/process.ts";
import { serve } from "../ingest/serve.ts";
import { startIngest } from "../ingest/stage.ts";
import { TokenStore } from "../ingest/tokens.ts";
import { startConsumers } from "../consumers/stage.ts";
import { openStore } from "../consumers/store/open.ts";
import { startQuery } from "./stage.ts";

await runProcess(async (context) => {
  const { config, logger, instruments, keep } = context;
  // First, because the embedded store's lock on the data directory keeps a second process away from the log as well.
  const store = keep(await openStore(context));
  const log = keep(await openLog(config, logger));
  const tokens = keep(
    await TokenStore.open(log, { masterKey: new MasterKey(config), instruments }),
  );
  const bootstrap = await bootstrapTokens(config, tokens);
  const consumers = keep(await startConsumers({ ...context, log, store }));
  const query = keep(await startQuery({ ...context, log, store, tokens }));
  const ingest = keep(await startIngest({ ...context, log, tokens }));
  const url = await serve([ingest, consumers, query], context);
  printWelcome(url, bootstrap, config);
});

function printWelcome(
  url: string,
  tokens: Readonly<Record<"write" | "read", BootstrapToken>>,
  { LOGBOOM_CUSTOMER: customer }: Config,
): void {
  const files = [tokens.write.path, tokens.read.path].filter((path) => path !== undefined);
  const ingest = `${url}/api/ingest/v1?prefix0=$(hostname)&prefix1=dpkg.log`;
  console.log(`
Logboom serves ${url} for the customer "${customer}".
${files.length > 0 ? `First-run tokens, readable by you alone: ${files.join(", ")}\n` : ""}
Send a file:
  curl -H "Authorization: Token ${tokens.write.shell}" -H "Content-Type: text/plain" --data-binary @/var/log/dpkg.log "${ingest}"
Search it:
  curl -H "Authorization: Token ${tokens.read.shell}" --data-urlencode "customer=${customer}" --data-urlencode "regex=.*status installed.*" --data "type=BACKWARD_RESULTS&limit=5" ${url}/api/search/v1
`);
}
