// Migrations run once, in order, by any number of processes at a time, and may not be edited later.
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  createStoreClient,
  type StoreClient,
  type StoreConnection,
} from "../../../consumers/store/client.ts";
import { type EmbeddedStore, startEmbeddedStore } from "../../../consumers/store/embedded.ts";
import { migrateStore } from "../../../consumers/store/migrate.ts";
import { makeTempDir, select, silentLogger } from "./store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const shipped = fileURLToPath(new URL("../../../schemas/tables", import.meta.url));
const temp = makeTempDir();

let store: EmbeddedStore;
let connection: StoreConnection;
let client: StoreClient;

beforeAll(async () => {
  store = await startEmbeddedStore({ dir: join(temp.dir, "store"), logger: silentLogger });
  connection = { url: store.url, database: store.database, ...store.writer };
  client = createStoreClient(connection);
});

afterAll(async () => {
  await client.close();
  await store.close();
  temp.remove();
});

test("five processes that start at once leave each migration applied once", async () => {
  await Promise.all(Array.from({ length: 5 }, () => migrateStore(connection, silentLogger)));
  await migrateStore(connection, silentLogger);
  const applied = await select<{ name: string }>(
    client,
    "SELECT name FROM migrations ORDER BY name",
  );
  expect(applied.map(({ name }) => name)).toEqual([
    "000-migrations.sql",
    "001-events.sql",
    "002-streams.sql",
    "003-streams-view.sql",
    "004-hours.sql",
    "005-hours-view.sql",
    "006-consumption.sql",
  ]);
  const tables = await select<{ name: string }>(client, "SHOW TABLES");
  expect(tables.map(({ name }) => name)).toEqual([
    "consumption",
    "events",
    "hours",
    "hours_view",
    "migrations",
    "streams",
    "streams_view",
  ]);
});

test("a later migration is applied to a store that has the earlier ones", async () => {
  const dir = join(temp.dir, "later");
  cpSync(shipped, dir, { recursive: true });
  writeFileSync(
    join(dir, "900-probe.sql"),
    "-- a probe\nALTER TABLE migrations ADD COLUMN IF NOT EXISTS probe String",
  );
  await migrateStore(connection, silentLogger, { tablesDir: dir });
  await migrateStore(connection, silentLogger, { tablesDir: dir });
  expect(await select(client, "SELECT DISTINCT probe FROM migrations")).toEqual([{ probe: "" }]);
});

test("an edited migration is an error that names its file", async () => {
  const dir = join(temp.dir, "edited");
  cpSync(shipped, dir, { recursive: true });
  writeFileSync(join(dir, "002-streams.sql"), "SELECT 1");
  await expect(migrateStore(connection, silentLogger, { tablesDir: dir })).rejects.toThrow(
    'migration "002-streams.sql" was edited',
  );
});
