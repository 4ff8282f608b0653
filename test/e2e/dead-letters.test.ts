// `logboom dead-letters replay` beside a running service, and while it is stopped.
import { afterAll, beforeAll, expect, test } from "vitest";
import { countEvents, ingest, waitForCount } from "../support/api.ts";
import { startClickHouse, type ClickHouseServer } from "../support/clickhouse.ts";
import { runCli, startService, type Service } from "../support/service.ts";
import { renderStoreUsers } from "../support/store-users.ts";

let server: ClickHouseServer;
let service: Service;

beforeAll(async () => {
  const users = renderStoreUsers();
  server = await startClickHouse(users.sql);
  service = await startService({
    env: {
      LOGBOOM_CLICKHOUSE_URL: server.url,
      LOGBOOM_CLICKHOUSE_USER: "logboom_ingest",
      LOGBOOM_CLICKHOUSE_PASSWORD: users.ingestPassword,
    },
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await server.close();
});

const deadLetters = (...args: string[]) => runCli(service.dataDir, ["dead-letters", ...args]);

async function listIds(): Promise<string[]> {
  const { stdout } = await deadLetters("--json");
  return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
}

/** Sends events of which the store refuses some, and returns the letters' ids. */
async function sendRefused(text: string, expected: number): Promise<string[]> {
  await server.command(
    "ALTER TABLE events ADD CONSTRAINT r CHECK message NOT LIKE 'bad%'",
    "logboom",
  );
  await ingest(service, text, { contentType: "text/plain" });
  let ids = await listIds();
  for (let tries = 0; ids.length < expected && tries < 60; tries++) ids = await listIds();
  expect(ids).toHaveLength(expected);
  await server.command("ALTER TABLE events DROP CONSTRAINT r", "logboom");
  return ids;
}

test("beside a running service one letter, then all, are searchable once and gone", async () => {
  const ids = await sendRefused("good\nbad 1\nbad 2\nbad 3", 3);
  expect(await countEvents(service, { regex: "bad.*" })).toBe(0);

  const one = await deadLetters("replay", ids[0] ?? "");
  expect(one).toEqual({ code: 0, stdout: `${ids[0]}  replayed\n`, stderr: "" });
  await waitForCount(service, { regex: "bad.*" }, 1);
  expect(await listIds()).toEqual(ids.slice(1));

  const again = await deadLetters("replay", ids[0] ?? "");
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toContain(`no dead letter "${ids[0]}"`);

  expect(await deadLetters("replay", "--all")).toMatchObject({ code: 0, stderr: "" });
  await waitForCount(service, { regex: "bad.*" }, 3);
  expect(await listIds()).toEqual([]);
});

test("while the service is stopped it is asked for, and done at the next start", async () => {
  const [id = ""] = await sendRefused("bad 4", 1);
  expect((await service.stop()).code).toBe(0);
  const asked = await deadLetters("replay", "--all", "--wait", "0");
  expect(asked).toMatchObject({
    code: 0,
    stdout: `${id}  asked for: done as soon as consumers run\n`,
  });
  expect(await listIds()).toEqual([id]);
  await service.start();
  await waitForCount(service, { regex: "bad.*" }, 4);
  expect(await listIds()).toEqual([]);
});

test.each([[["replay"]], [["replay", "--all", "1/2/3"]], [["replay", "--all", "--wait", "x"]]])(
  "%j is a wrong call",
  async (args) => {
    expect((await deadLetters(...args)).code).toBe(2);
  },
);
