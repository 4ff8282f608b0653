// The whole service over Kafka: what it acknowledged is stored exactly once, whatever is killed.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, test } from "vitest";
import { waitForCount } from "../../support/api.ts";
import { readBack } from "../../support/read-back.ts";
import { Lane } from "../../support/sender.ts";
import { runCli, startService } from "../../support/service.ts";

const rounds = Number(process.env["E2E_KILL_ROUNDS"] ?? 4);
const doors = ["ndjson", "uploadLogs"] as const;

test("events acknowledged over kill -9 of service and database are stored once each", async () => {
  const env = {
    LOGBOOM_KAFKA_BROKERS: inject("kafkaBrokers").join(","),
    LOGBOOM_KAFKA_TOPIC_PREFIX: `test-${randomUUID()}`,
    LOGBOOM_KAFKA_REPLICATION: "1",
    LOGBOOM_KAFKA_PARTITIONS: "4",
  };
  await using service = await startService({ env });
  const lanes = doors.map((door) => new Lane(service, door, `lane-${door}`, 40));
  for (let round = 0; round < rounds; round++) {
    await sleep(500 + Math.random() * 1500);
    await (round % 2 === 0 ? service.killAll() : service.killServiceOnly());
    service.spawn();
    await service.waitReady();
  }
  await sleep(500);
  for (const lane of lanes) await lane.stop();
  const acknowledged = lanes.reduce((sum, { statistics }) => sum + statistics.acknowledged, 0);
  await waitForCount(service, { regex: ".*", prefix0: "kill" }, acknowledged).catch(console.log);
  for (const lane of lanes) {
    const { found, lost, doubled, strange } = await readBack(service, lane);
    console.log(`${lane.name}: ${JSON.stringify(lane.statistics)}, read ${found}`);
    expect({ lost, doubled, strange }).toEqual({ lost: [], doubled: [], strange: [] });
    expect(found).toBe(lane.statistics.acknowledged);
    expect(lane.statistics.repeats, "requests were cut off").toBeGreaterThan(0);
  }

  // The command line takes the same log, and the service follows it.
  const created = await runCli(
    service.dataDir,
    ["token", "create", "--customer", "acme", "--kind", "read", "--json"],
    env,
  );
  expect(created).toMatchObject({ code: 0, stderr: "" });
  const { secret } = JSON.parse(created.stdout) as { secret: string };
  const reader = { url: service.url, writeToken: "", readToken: secret };
  await waitForCount(reader, { regex: ".*", prefix0: "kill" }, acknowledged);
});
