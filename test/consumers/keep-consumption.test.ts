// Hours of consumption reach the store exactly, whoever brings them there and however often.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConsumptionKeeper } from "../../consumers/keep-consumption.ts";
import type { Principal } from "../../ingest/keys/permission.ts";
import { Limits } from "../../ingest/limits/limits.ts";
import { Usage } from "../../ingest/limits/usage.ts";
import { openTempLog, type TempLog } from "../ingest/log/log-fixture.ts";
import {
  openTestStore,
  select,
  silentLogger,
  waitUntil,
  type TestStore,
} from "./store/store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const HOUR_MS = 3_600_000;
const topOfHour = Date.parse("2026-11-21T04:00:00Z");
const hour = topOfHour / HOUR_MS;

let opened: TestStore;
let temp: TempLog;
let now: number;
const edges: Usage[] = [];
const keepers: ConsumptionKeeper[] = [];

beforeEach(async () => {
  opened = await openTestStore();
  temp = await openTempLog();
  now = topOfHour;
});

afterEach(async () => {
  for (const keeper of keepers.splice(0)) await keeper.close();
  for (const edge of edges.splice(0)) await edge.close();
  await temp[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function startEdge(): Promise<{ usage: Usage; limits: Limits }> {
  const usage = await Usage.open(temp.log, { now: () => now, flushMs: 1e9 });
  edges.push(usage);
  return { usage, limits: new Limits(usage, () => now) };
}

function startKeeper(retentionDays = 30): ConsumptionKeeper {
  const keeper = ConsumptionKeeper.start({
    log: temp.log,
    store: opened.writer,
    logger: silentLogger,
    retentionDays,
    now: () => now,
    intervalMs: 10,
  });
  keepers.push(keeper);
  return keeper;
}

const key = (tokenId: string, more: Partial<Principal> = {}): Principal => ({
  tokenId,
  kind: "logtrace",
  customer: "acme",
  prefixes: ["", "", "", ""],
  environment: "production",
  tier: "standard",
  ...more,
});

const sums = () =>
  select(
    opened.reader,
    `SELECT hour, environment, key, family, toInt32(sum(requests)) AS requests,
       toInt32(sum(refused)) AS refused, toInt32(sum(events)) AS events, toInt32(max(allowed)) AS allowed
     FROM consumption FINAL GROUP BY hour, environment, key, family ORDER BY hour, key, family`,
  );

const inStream = async (): Promise<number> => {
  let count = 0;
  await (await temp.log.follow("usage", () => void count++)).close();
  return count;
};

test("the counts of all edges are stored once the hour is over, and leave the stream an hour later", async () => {
  const [one, other] = [await startEdge(), await startEdge()];
  one.limits.take(key("k-1"), "ingest", 4);
  one.limits.countEvents(key("k-1"), 40, 4_000);
  other.limits.take(key("k-1", { limits: { ingest: 5 } }), "ingest", 3);
  other.limits.take(key("k-1", { limits: { ingest: 3 } }), "ingest", 2);
  other.limits.take(key("k-2", { environment: "staging" }), "query", 7);
  // Of other vendors' keys nothing is kept.
  one.limits.take(key("k-3", { kind: "logentries-read" }), "query");
  for (const { usage } of [one, other]) await usage.flush();
  startKeeper();
  now = topOfHour + HOUR_MS + 59_000;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await sums()).toEqual([]);
  now = topOfHour + HOUR_MS + 60_000;
  const expected = [
    {
      hour,
      environment: "production",
      key: "k-1",
      family: "ingest",
      requests: 7,
      refused: 2,
      events: 40,
      allowed: 10_000,
    },
    {
      hour,
      environment: "staging",
      key: "k-2",
      family: "query",
      requests: 7,
      refused: 0,
      events: 0,
      allowed: 2_000,
    },
  ];
  await waitUntil("stored", async () => (await sums()).length === 2);
  expect(await sums()).toEqual(expected);
  expect(await inStream()).toBe(4);
  now = topOfHour + 2 * HOUR_MS;
  await waitUntil("removed", async () => (await inStream()) === 0);
  expect(await sums()).toEqual(expected);
});

test("a repeat after a crash, by two at once, or of a count that came late, doubles nothing", async () => {
  const edge = await startEdge();
  edge.limits.take(key("k-1"), "ingest", 4);
  await edge.usage.flush();
  now += HOUR_MS + 60_000;
  const requests = async (): Promise<unknown> =>
    (await sums()).map((row) => (row as { requests: number }).requests);
  for (let round = 0; round < 3; round++) {
    const pair = [startKeeper(), startKeeper()];
    await waitUntil("stored", async () => (await sums()).length === 1);
    await Promise.all(pair.map((keeper) => keeper.close()));
    expect(await requests()).toEqual([4]);
  }
  startKeeper();
  now -= 60_000 + HOUR_MS;
  edge.limits.take(key("k-1"), "ingest", 2);
  now += 60_000 + HOUR_MS;
  await edge.usage.flush();
  await waitUntil("stored again", async () => String(await requests()) === "6");
});

test("what is past the retention is dropped", async () => {
  const edge = await startEdge();
  edge.limits.take(key("k-1"), "ingest", 4);
  await edge.usage.flush();
  now += 2 * HOUR_MS;
  startKeeper(1);
  await waitUntil("stored", async () => (await sums()).length === 1);
  now += 40 * 24 * HOUR_MS;
  await waitUntil("dropped", async () => (await sums()).length === 0);
});
