// A process that uses signatures which it is told, a line each, and says of each whether it was the first to.
//
// Usage: signature-program.ts DIR
import { createInterface } from "node:readline";
import { UsedSignatures } from "../../../ingest/keys/used-signatures.ts";
import { EmbeddedLog } from "../../../ingest/log/embedded.ts";

const [dir = ""] = process.argv.slice(2);
const log = await EmbeddedLog.open({ dir, maxBytes: 1e9 });
const used = new UsedSignatures(log);
const following = await log.follow("accounts", (record) => void used.take(record));
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(`${line} ${await used.use("key", line, Date.now() + 60_000)}`);
}
await following.close();
await log.close();
