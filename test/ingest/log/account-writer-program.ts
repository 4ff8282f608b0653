// A process that writes accounts into a log that others have open as well.
//
// Usage: account-writer-program.ts DIR NAME COUNT
import { EmbeddedLog } from "../../../ingest/log/embedded.ts";

const [dir = "", name = "", count = "0"] = process.argv.slice(2);
const log = await EmbeddedLog.open({ dir, maxBytes: 1e9 });
for (let number = 0; number < Number(count); number++) {
  const own = { stream: "accounts", partition: 0, key: `${name}/${number}` } as const;
  const shared = { stream: "accounts", partition: 0, key: "shared" } as const;
  const value = Buffer.from(`${name} ${number}`);
  await log.append(
    number % 3 === 0
      ? [
          { ...own, value },
          { ...shared, value },
        ]
      : [{ ...own, value }],
  );
}
await log.close();
