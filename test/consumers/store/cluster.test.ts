// A cluster: the DDL is ClickHouse's, and a partition's batches go to one shard, where their repeats are known.
//
// The servers here have no Keeper: ON CLUSTER and replication are parsed, not run. What is run are two shards, each
// with the tables of one server, and the tables over both.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { consumeEvents, storeGroup } from "../../../consumers/consume.ts";
import {
  distributedDatabase,
  renderDatabases,
  renderForCluster,
} from "../../../consumers/store/cluster.ts";
import { createStoreClient, type StoreClient } from "../../../consumers/store/client.ts";
import { migrateStore } from "../../../consumers/store/migrate.ts";
import { searchSettings } from "../../../consumers/store/search-settings.ts";
import { readSearchRequest } from "../../../query/search/request.ts";
import { Freshness } from "../../../query/search/freshness.ts";
import { StatementPool } from "../../../query/search/statement-pool.ts";
import { Searches } from "../../../query/search/searches.ts";
import { readConfig } from "../../../schemas/config.ts";
import { createInstruments } from "../../../schemas/instruments.ts";
import { startCluster, type ClickHouseServer } from "../../support/clickhouse.ts";
import { renderStoreUsers } from "../../support/store-users.ts";
import { eventRecord, openTempLog, type TempLog } from "../../ingest/log/log-fixture.ts";
import { encodeEvents, eventAt, hourNs, select, silentLogger, waitUntil } from "./store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const cluster = { name: "logs", database: "logboom" };
const tables = new URL("../../../schemas/tables/", import.meta.url);
const files = readdirSync(tables)
  .toSorted()
  .map((name) => readFileSync(new URL(name, tables), "utf8"));
const statements = [
  ...renderDatabases(cluster),
  ...files.flatMap((file) => renderForCluster(file, cluster)),
];
const users = renderStoreUsers();
const config = readConfig({ LOGBOOM_BATCH_AGE_MS: "20" });
const instruments = createInstruments(false);
const base = 490_000n * hourNs;

let servers: ClickHouseServer[] = [];
let shards: StoreClient[] = [];
let reader: StoreClient | undefined;
let temp: TempLog;

beforeAll(async () => {
  temp = await openTempLog();
  servers = await startCluster(cluster.name, 2, users.sql);
  for (const server of servers) {
    for (const statement of statements) {
      const database = statement.startsWith("CREATE DATABASE") ? "default" : cluster.database;
      await server.command(onOneServer(statement), database);
    }
  }
  shards = servers.map(({ url }) =>
    createStoreClient({
      url,
      database: cluster.database,
      username: "logboom_ingest",
      password: users.ingestPassword,
    }),
  );
  reader = createStoreClient(
    {
      url: servers[0]?.url ?? "",
      database: distributedDatabase(cluster.database),
      username: "logboom_query",
      password: users.queryPassword,
    },
    { settings: searchSettings },
  );
});

afterAll(async () => {
  for (const client of [...shards, reader]) await client?.close();
  for (const server of servers) await server.close();
  await temp[Symbol.asyncDispose]();
});

/** What a shard's server makes of a statement once Keeper has handed it on, without replicas. */
function onOneServer(statement: string): string {
  return statement
    .replace(" ON CLUSTER logs", "")
    .replace(/^ENGINE = Replicated(\w*MergeTree)$/m, "ENGINE = $1")
    .replace(
      /replicated_deduplication_window = (\d+), replicated_deduplication_window_seconds = \d+/,
      "non_replicated_deduplication_window = $1",
    );
}

test("every statement is ClickHouse's SQL, on the cluster, and every engine replicated", async () => {
  // Two databases, migrations, four tables with one over the shards each, two views.
  expect(statements).toHaveLength(2 + 1 + 4 * 2 + 2);
  for (const statement of statements) {
    const ast = await servers[0]?.command(`EXPLAIN AST ${statement}`);
    expect(ast).toMatch(/^CreateQuery/);
    expect(statement).toContain(" ON CLUSTER logs");
    expect(statement).not.toMatch(/^ENGINE = \w*(?<!Replicated|ReplicatedAggregating)MergeTree/m);
    expect(statement).not.toContain("non_replicated");
  }
  const engines = statements.map((statement) => /^ENGINE = (\w+)/m.exec(statement)?.[1]);
  expect(engines.filter((engine) => engine !== undefined)).toEqual([
    "ReplicatedMergeTree",
    "ReplicatedMergeTree",
    "Distributed",
    "ReplicatedAggregatingMergeTree",
    "Distributed",
    "ReplicatedAggregatingMergeTree",
    "Distributed",
    "ReplicatedAggregatingMergeTree",
    "Distributed",
  ]);
});

test("the settings of replicated tables are ones that the server knows", async () => {
  const named = statements
    .filter((statement) => /^ENGINE = Replicated/m.test(statement))
    .flatMap((statement) => [...statement.matchAll(/\b(replicated_\w+) = \d+/g)])
    .map(([, name]) => name);
  const known = await servers[0]?.command("SELECT name FROM system.replicated_merge_tree_settings");
  expect(new Set(named).size).toBe(2);
  for (const name of named) expect(known?.split("\n")).toContain(name);
});

test("tables of one server are not taken for a cluster's", async () => {
  const connection = {
    url: servers[0]?.url ?? "",
    database: cluster.database,
    username: "logboom_ingest",
    password: users.ingestPassword,
  };
  await expect(migrateStore(connection, silentLogger, { cluster: cluster.name })).rejects.toThrow(
    "the tables in the database are one server's",
  );
  const rows = await select<{ n: number }>(
    shards[0] as StoreClient,
    "SELECT toInt32(count()) AS n FROM migrations",
  );
  expect(rows).toEqual([{ n: 0 }]);
});

test("a partition's batches go to one shard, and a search counts over all", async () => {
  const { log } = temp;
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  // Twice, with a new consumer each time, as after a restart.
  for (const round of [0, 1]) {
    await log.append(
      partitions.map((partition) =>
        eventRecord(
          partition,
          encodeEvents(
            Array.from({ length: 10 + partition }, (_, index) =>
              eventAt(base + BigInt(100 * round + index), { prefix1: `partition-${partition}` }),
            ),
          ),
        ),
      ),
    );
    const consumption = await consumeEvents({
      config,
      log,
      shards,
      instruments,
      logger: silentLogger,
    });
    await waitUntil("all is stored", async () =>
      (await log.lag(storeGroup)).every(({ records }) => records === 0),
    );
    await consumption.close();
  }
  for (const [index, shard] of shards.entries()) {
    const held = await select<{ prefix1: string; n: number }>(
      shard,
      "SELECT prefix1, toInt32(count()) AS n FROM events GROUP BY prefix1 ORDER BY prefix1",
    );
    expect(held).toEqual(
      partitions
        .filter((partition) => partition % 2 === index)
        .map((partition) => ({ prefix1: `partition-${partition}`, n: 2 * (10 + partition) })),
    );
  }

  if (reader === undefined) throw new Error("no reader");
  const searches = new Searches({
    pool: new StatementPool(2),
    freshness: new Freshness(() => Promise.resolve([])),
    config,
    store: reader,
    instruments,
    logger: silentLogger,
  });
  try {
    const request = readSearchRequest(
      new URLSearchParams({ customer: "acme", regex: ".*message.*", type: "EXACT_COUNTS_BINNED" }),
    );
    await waitUntil("the search is complete", async () => {
      const scan = await searches.poll(request, ["", "", "", ""]);
      return scan.isComplete;
    });
    const scan = await searches.poll(request, ["", "", "", ""]);
    const answer = JSON.parse(Buffer.concat(scan.render()).toString()) as {
      contexts: { prefix1: string; count: number }[];
    };
    expect(answer.contexts.reduce((sum, { count }) => sum + count, 0)).toBe(
      2 * partitions.reduce((sum, partition) => sum + 10 + partition, 0),
    );
  } finally {
    await searches.close();
  }
});
