// Every stage in one process against someone else's ClickHouse server, as a user that may only do what it needs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { countEvents, ingest, waitForCount } from "../support/api.ts";
import { startClickHouse } from "../support/clickhouse.ts";
import { startService } from "../support/service.ts";
import { renderStoreUsers } from "../support/store-users.ts";

test("events are stored in the server and found there, over a restart, and the password is not told", async () => {
  const users = renderStoreUsers();
  const dir = mkdtempSync(join(tmpdir(), "logboom-secret-"));
  const passwordFile = join(dir, "password");
  writeFileSync(passwordFile, `${users.ingestPassword}\n`);
  const server = await startClickHouse(users.sql);
  try {
    await using service = await startService({
      env: {
        LOGBOOM_CLICKHOUSE_URL: server.url,
        LOGBOOM_CLICKHOUSE_USER: "logboom_ingest",
        LOGBOOM_CLICKHOUSE_PASSWORD_FILE: passwordFile,
        LOGBOOM_LOG_LEVEL: "debug",
      },
    });
    expect(service.findClickHouse()).toBeUndefined();
    await ingest(service, "one\ntwo\nthree", { contentType: "text/plain" });
    await waitForCount(service, { regex: ".*" }, 3);
    expect(await server.command("SELECT count() FROM logboom.events")).toBe("3\n");
    expect((await service.stop()).code).toBe(0);
    await service.start();
    expect(await countEvents(service, { regex: ".*t.*" })).toBe(2);

    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain("logboom_store_up 1");
    await server.close();
    const ready = await fetch(`${service.url}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      dependencies: { log: { isUp: true }, store: { isUp: false, url: server.url } },
    });
    expect(await (await fetch(`${service.url}/metrics`)).text()).toContain("logboom_store_up 0");
    // The log takes what the store cannot.
    await ingest(service, "four", { contentType: "text/plain" });
    expect(service.output).not.toContain(users.ingestPassword);
  } finally {
    await server.close();
    rmSync(dir, { recursive: true });
  }
});
