// Power queries over two shards: rows of several are joined, united and spread as those of one server are.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createStoreClient, type StoreClient } from "../../../consumers/store/client.ts";
import { searchSettings } from "../../../consumers/store/search-settings.ts";
import { startCluster, type ClickHouseServer } from "../../support/clickhouse.ts";
import { renderStoreUsers } from "../../support/store-users.ts";
import { answerWith } from "./power-answer.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const users = renderStoreUsers();
let servers: ClickHouseServer[] = [];
let reader: StoreClient | undefined;

beforeAll(async () => {
  servers = await startCluster("logs", 2, users.sql);
  for (const [shard, server] of servers.entries()) {
    await server.command("CREATE DATABASE logboom");
    await server.command(`CREATE TABLE logboom.events (time DateTime64(9, 'UTC'), ingested Int64,
      prefix0 LowCardinality(String), prefix1 LowCardinality(String),
      prefix2 LowCardinality(String), prefix3 LowCardinality(String),
      message String, attributes Map(LowCardinality(String), String))
      ENGINE = MergeTree ORDER BY time`);
    // Each host's events are on both shards.
    await server.command(`INSERT INTO logboom.events
      SELECT fromUnixTimestamp64Nano(toInt64(1795132800000000000 + number * 1000000000), 'UTC'), number,
        if(number % 3 = 0, 'web-1', 'web-2'), '', '', 'scalyr', concat('event ', toString(number)),
        map('ms', toString(number), 'status', if(number % 5 = 0, '500', '200'))
      FROM numbers(20) WHERE number % 2 = ${shard}`);
  }
  await servers[0]?.command("CREATE DATABASE logboom_distributed");
  await servers[0]?.command(
    "CREATE TABLE logboom_distributed.events AS logboom.events ENGINE = Distributed(logs, logboom, events)",
  );
  const { url = "" } = servers[0] ?? {};
  reader = createStoreClient(
    {
      url,
      database: "logboom_distributed",
      username: "logboom_query",
      password: users.queryPassword,
    },
    { settings: searchSettings },
  );
});

afterAll(async () => {
  await reader?.close();
  for (const server of servers) await server.close();
});

test.for<readonly [string, readonly (readonly unknown[])[]]>([
  ["| group count(), sum(ms), median(ms)", [[20, 190, 9.5]]],
  [
    "| sort -ms | limit 3 | columns ms, serverHost",
    [
      ["19", "web-2"],
      ["18", "web-1"],
      ["17", "web-2"],
    ],
  ],
  ["| limit 2 | columns message", [["event 19"], ["event 18"]]],
  [
    "| join a = (| group n = count() by serverHost), b = (status = 500 | group bad = count() by serverHost) on serverHost",
    [
      ["web-1", 7, 2],
      ["web-2", 13, 2],
    ],
  ],
  [
    "| sql join a = (ms < 3 | columns ms, serverHost), b = (status = 500 | columns serverHost, at = ms) on serverHost | sort ms, at | limit 3 | columns ms, at",
    [
      ["0", "0"],
      ["0", "15"],
      ["1", "5"],
    ],
  ],
  ["| union (ms = 4 | columns ms), (| group ms = max(ms))", [["4"], ["19"]]],
  [
    "| group n = count() by status, serverHost | transpose status on serverHost",
    [
      ["web-1", 5, 2],
      ["web-2", 11, 2],
    ],
  ],
])("%s", async ([text, rows]) => {
  if (reader === undefined) throw new Error("no cluster");
  expect((await answerWith(reader, "events", text)).rows).toEqual(rows);
});
