// The users of a server of one's own can do what their stage does, and nothing else.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createStoreClient, type StoreConnection } from "../../../consumers/store/client.ts";
import { runMaintenanceOnce } from "../../../consumers/maintain.ts";
import { migrateStore } from "../../../consumers/store/migrate.ts";
import { searchSettings } from "../../../consumers/store/search-settings.ts";
import {
  startClickHouse,
  splitStatements,
  type ClickHouseServer,
} from "../../support/clickhouse.ts";
import { renderStoreUsers } from "../../support/store-users.ts";
import {
  dayNs,
  encodeEvents,
  eventAt,
  insertEvents,
  select,
  silentLogger,
} from "./store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const users = renderStoreUsers();
let server: ClickHouseServer;
let ingest: StoreConnection;
let query: StoreConnection;

beforeAll(async () => {
  server = await startClickHouse(users.sql);
  const at = { url: server.url, database: "logboom" };
  ingest = { ...at, username: "logboom_ingest", password: users.ingestPassword };
  query = { ...at, username: "logboom_query", password: users.queryPassword };
});

afterAll(async () => {
  await server.close();
});

test("the ingest user migrates, five processes at once, inserts and maintains", async () => {
  await Promise.all(Array.from({ length: 5 }, () => migrateStore(ingest, silentLogger)));
  const client = createStoreClient(ingest);
  try {
    const at = 20_000n * dayNs;
    await insertEvents(client, encodeEvents([eventAt(at)]), "users/1");
    await insertEvents(client, encodeEvents([eventAt(at)]), "users/1");
    expect(await select(client, "SELECT toInt32(count()) AS n FROM events")).toEqual([{ n: 1 }]);
    const indexed = await runMaintenanceOnce({
      store: client,
      logger: silentLogger,
      retentionDays: 36_500,
      quietMs: -60_000,
    });
    expect(indexed.indexed).toHaveLength(1);
    const dropped = await runMaintenanceOnce({
      store: client,
      logger: silentLogger,
      retentionDays: 1,
      quietMs: -60_000,
    });
    expect(dropped.dropped).toHaveLength(1);
  } finally {
    await client.close();
  }
});

test("the query user searches under the settings of every search", async () => {
  const client = createStoreClient(query, { settings: searchSettings });
  try {
    expect(await select(client, "SELECT toInt32(count()) AS n FROM streams")).toEqual([{ n: 0 }]);
    const settings = await select(
      client,
      "SELECT getSetting('readonly') AS readonly, getSetting('max_threads') AS threads",
    );
    expect(settings).toEqual([{ readonly: 2, threads: 1 }]);
  } finally {
    await client.close();
  }
});

describe("is refused", () => {
  const cases: readonly (readonly [who: "ingest" | "query", statement: string])[] = [
    ["ingest", "DROP TABLE logboom.events"],
    ["ingest", "CREATE USER other"],
    ["ingest", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'line String')"],
    ["ingest", "SELECT * FROM file('/etc/passwd', 'LineAsString', 'line String')"],
    ["ingest", "CREATE TABLE default.other (a Int8) ENGINE = MergeTree ORDER BY a"],
    ["query", "INSERT INTO logboom.events (message) VALUES ('x')"],
    ["query", "ALTER TABLE logboom.events DELETE WHERE 1"],
    ["query", "SELECT name FROM logboom.migrations"],
    ["query", "SELECT count() FROM system.parts"],
    ["query", "SELECT 1 SETTINGS readonly = 0"],
    ["query", "SELECT 1 SETTINGS max_memory_usage = 4294967296"],
    ["query", "SELECT 1 SETTINGS max_execution_time = 0"],
    ["query", "SELECT 1 SETTINGS max_threads = 64"],
  ];
  test.each(cases)("to the %s user: %s", async (who, statement) => {
    const { username, password } = who === "ingest" ? ingest : query;
    await expect(server.ask(username, password, statement)).rejects.toThrow(
      /ACCESS_DENIED|READONLY|SETTING_CONSTRAINT_VIOLATION/,
    );
  });
});

test.each(["", "logs"])("every statement is ClickHouse's SQL, cluster %j", async (cluster) => {
  const { sql, ingestPassword } = renderStoreUsers({ CLUSTER: cluster, DATABASE: "other_1" });
  const statements = splitStatements(sql);
  expect(statements.length).toBeGreaterThan(10);
  for (const statement of statements) {
    await server.command(`EXPLAIN AST ${statement}`);
    expect(statement.includes(" ON CLUSTER logs")).toBe(cluster === "logs");
  }
  expect(sql).not.toMatch(/\{\{|\}\}/);
  expect(sql).not.toContain(ingestPassword);
});

test("a short password and a name with a quote are refused", () => {
  expect(() => renderStoreUsers({}, ["short", "also-short"])).toThrow("fewer than 16");
  expect(() => renderStoreUsers({ DATABASE: "a'; DROP" })).toThrow("letters, digits and _");
});
