// A little service for the tests to kill: opens the embedded store in argv[2], says so, and waits.
import { startEmbeddedStore } from "../../../consumers/store/embedded.ts";
import { silentLogger } from "./store-fixture.ts";

const dir = process.argv[2];
if (!dir) throw new Error("usage: owning-service.ts DIR");
const store = await startEmbeddedStore({ dir, logger: silentLogger });
process.once("SIGINT", () => {
  void store.close().then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ serverPid: store.pid })}\n`);
setInterval(() => undefined, 1000);
