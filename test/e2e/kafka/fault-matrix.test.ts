// Whatever dies, hangs or refuses: every acknowledged event is stored exactly once, and statistics say the same.
//
// LOGBOOM_TEST_FAULT_ROUNDS repeats all faults, LOGBOOM_TEST_KAFKA_FREEZE_MS is how long a broker hangs,
// LOGBOOM_TEST_STORE_REFUSAL_MS how long the store refuses, LOGBOOM_TEST_FAULTS names the faults to be made
// (comma-separated; all).
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, stageNames } from "./cluster-fixture.ts";
import { NumberedLoad } from "./numbered-load.ts";
import { Stalls } from "./stalls.ts";

const rounds = Number(process.env["LOGBOOM_TEST_FAULT_ROUNDS"] ?? 1);
const brokerFreezeMs = Number(process.env["LOGBOOM_TEST_KAFKA_FREEZE_MS"] ?? 9_000);
/** Longer than the session of a consumer, 6 s, and what the group needs to go on without it. */
const consumerFreezeMs = 12_000;
const refusalMs = Number(process.env["LOGBOOM_TEST_STORE_REFUSAL_MS"] ?? 5_000);

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** Makes the store answer every insert that reaches a table with an error that may pass. */
async function refuse(table: string): Promise<void> {
  await cluster.query(`ALTER TABLE ${table} MODIFY SETTING parts_to_throw_insert = 1`);
  await sleep(refusalMs);
  await cluster.query(`ALTER TABLE ${table} RESET SETTING parts_to_throw_insert`);
}

const faults: Readonly<Record<string, (round: number) => Promise<void>>> = {
  "leader-killed": async (round) => {
    const leader = await cluster.leaderOf(round % 8);
    await cluster.kafka.kill(leader);
    await sleep(3_000);
    await cluster.kafka.restart(leader);
  },
  "broker-frozen": async (round) => {
    const leader = await cluster.leaderOf((round + 3) % 8);
    cluster.kafka.freeze(leader);
    await sleep(brokerFreezeMs);
    cluster.kafka.thaw(leader);
  },
  "consumer-killed": async (round) => {
    const name = round % 2 === 0 ? "consumers-1" : "consumers-2";
    await cluster.stage(name).end("SIGKILL");
    await stalls.waitUntilAllMove();
    await cluster.startStage(name);
  },
  "consumer-frozen": async (round) => {
    const stage = cluster.stage(round % 2 === 0 ? "consumers-2" : "consumers-1");
    stage.signal("SIGSTOP");
    await sleep(consumerFreezeMs);
    await stalls.waitUntilAllMove();
    stage.signal("SIGCONT");
  },
  "edge-killed": async (round) => {
    const name = round % 2 === 0 ? "ingest-1" : "ingest-2";
    await cluster.stage(name).end("SIGKILL");
    await sleep(1_000);
    await cluster.startStage(name);
  },
  "store-killed": async () => {
    await cluster.clickhouse.kill();
    await sleep(2_000);
    await cluster.clickhouse.restart();
  },
  "store-refuses-events": () => refuse("events"),
  "store-refuses-statistics": async (round) => refuse(round % 2 === 0 ? "hours" : "streams"),
  // One at a time, or the pauses of two would be one.
  "rolling-restart": async () => {
    for (const id of [1, 2, 3]) {
      await cluster.kafka.kill(id, "SIGTERM");
      await cluster.kafka.restart(id);
      await cluster.kafka.waitUntilInSync();
      await stalls.waitUntilAllMove();
    }
    for (const name of stageNames) {
      expect(await cluster.stage(name).end("SIGTERM"), name).toBe(0);
      await cluster.startStage(name);
      await stalls.waitUntilAllMove();
    }
    await cluster.clickhouse.kill();
    await cluster.clickhouse.restart();
  },
};

let stalls: Stalls;

test(
  `in ${rounds} rounds of every fault under load, what was acknowledged is stored exactly once`,
  { timeout: 180_000 + rounds * (300_000 + brokerFreezeMs + 2 * refusalMs) },
  async () => {
    const names = (process.env["LOGBOOM_TEST_FAULTS"] ?? Object.keys(faults).join()).split(",");
    const load = new NumberedLoad(cluster.edges);
    const stalled = new Map<string, number>();
    stalls = new Stalls(cluster);
    await load.waitForProgress();
    await stalls.waitUntilAllMove();
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        load.fault = name;
        stalls.begin();
        const begin = performance.now();
        await faults[name]?.(round);
        await load.waitForProgress();
        await stalls.waitUntilAllMove();
        await cluster.kafka.waitUntilInSync();
        console.log(`${name}: ${((performance.now() - begin) / 1000).toFixed(0)} s`);
        stalled.set(name, Math.max(stalled.get(name) ?? 0, stalls.takeLongestSeconds()));
      }
    }
    await load.stop();
    await stalls.stop();

    const expected = new Map([...load.tallies].map(([name, tally]) => [name, tally.acknowledged]));
    const counts = async () =>
      new Map(
        (
          await cluster.query(
            "SELECT prefix1, count(), uniqExact(message) FROM events GROUP BY prefix1",
          )
        ).map(([name = "", count, distinct]) => [name, [Number(count), Number(distinct)] as const]),
      );
    let found = await counts();
    const isThere = () => [...expected].every(([name, count]) => found.get(name)?.[1] === count);
    for (let tries = 0; !isThere() && tries < 120; tries++) {
      await sleep(500);
      found = await counts();
    }
    // What comes too late to be a double would come by now.
    await sleep(3_000);
    found = await counts();
    const rows = [...load.tallies].map(([name, { acknowledged, repeats }]) => {
      const [count = 0, distinct = 0] = found.get(name) ?? [];
      const stall = stalled.get(name)?.toFixed(1) ?? "";
      return {
        fault: name,
        acknowledged,
        repeats,
        lost: acknowledged - distinct,
        doubled: count - distinct,
        stall,
      };
    });
    for (const { fault, acknowledged, repeats, lost, doubled, stall } of rows) {
      console.log(
        `${fault}: ${acknowledged} acknowledged, ${repeats} requests repeated, lost ${lost}, doubled ${doubled}` +
          (stall === "" ? "" : `; longest stall of a partition ${stall} s`),
      );
    }
    expect(rows.filter(({ lost, doubled }) => lost !== 0 || doubled !== 0)).toEqual([]);
    const total = String(load.acknowledged);
    for (const table of ["hours", "streams"]) {
      expect(await cluster.query(`SELECT sum(rows) FROM ${table}`), table).toEqual([[total]]);
    }
  },
);
