// Maintenance drops what is past its retention by both clocks, and indexes closed days.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runMaintenanceOnce, startMaintenance } from "../../consumers/maintain.ts";
import type { StoredEvent } from "../../schemas/event-codec.ts";
import {
  dayNs,
  encodeEvents,
  eventAt,
  insertEvents,
  openTestStore,
  select,
  silentLogger,
  type TestStore,
  waitUntil,
} from "./store/store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const dayMs = 86_400_000;
const todayMs = Math.floor(Date.now() / dayMs) * dayMs;
const noon = BigInt(todayMs + dayMs / 2) * 1_000_000n;
const noonMs = Number(noon / 1_000_000n);
const today = todayMs / dayMs;

let opened: TestStore;
let tokens = 0;

beforeEach(async () => {
  opened = await openTestStore();
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
});

function insert(...events: StoredEvent[]): Promise<void> {
  return insertEvents(opened.writer, encodeEvents(events), `test/${tokens++}`);
}

function run(options: { daysLater?: number; retentionDays?: number; quietMs?: number } = {}) {
  const { daysLater = 0, retentionDays = 3650, quietMs = -2 * dayMs } = options;
  return runMaintenanceOnce({
    store: opened.writer,
    logger: silentLogger,
    retentionDays,
    // parts are written in real time, so by default "lately" ends in the future
    quietMs,
    now: () => noonMs + daysLater * dayMs,
  });
}

async function messages(): Promise<string[]> {
  const rows = await select<{ message: string }>(
    opened.reader,
    "SELECT message FROM events ORDER BY message",
  );
  return rows.map(({ message }) => message);
}

async function streamRows(): Promise<string> {
  const [row] = await select<{ n: string }>(
    opened.reader,
    "SELECT toString(sum(rows)) AS n FROM streams",
  );
  return row?.n ?? "";
}

async function unindexedDays(): Promise<number[]> {
  const rows = await select<{ day: number }>(
    opened.writer,
    `SELECT DISTINCT toInt32(extract(partition, '\\\\d+')) AS day FROM system.parts
     WHERE active AND database = 'logboom' AND table = 'events'
       AND secondary_indices_uncompressed_bytes < 10240 ORDER BY day`,
  );
  return rows.map(({ day }) => day);
}

test("a day past its retention is dropped from events and statistics, the next day is kept", async () => {
  await insert(
    eventAt(noon - 5n * dayNs, { message: "five days old" }),
    eventAt(noon - 4n * dayNs, { message: "four days old", prefix0: "b" }),
    eventAt(noon - 3n * dayNs, { message: "three days old" }),
    eventAt(noon, { message: "new" }),
  );
  const { dropped } = await run({ retentionDays: 3 });
  expect(new Set(dropped.map(({ day }) => day - today))).toEqual(new Set([-4, -5]));
  expect(await messages()).toEqual(["new", "three days old"]);
  expect(await streamRows()).toBe("2");
  expect((await run({ retentionDays: 3 })).dropped).toEqual([]);
});

test("an import of old logs is kept for the retention from its arrival", async () => {
  await insert(
    eventAt(noon - 100n * dayNs, { message: "imported today", ingested: noon }),
    eventAt(noon - 100n * dayNs, { message: "old", ingested: noon - 100n * dayNs, prefix0: "c" }),
  );
  await run({ retentionDays: 3 });
  expect(await messages()).toContain("imported today");
  await run({ retentionDays: 3, daysLater: 2 });
  expect(await messages()).toContain("imported today");
  await run({ retentionDays: 3, daysLater: 4 });
  expect(await messages()).toEqual([]);
  expect(await streamRows()).toBe("0");
});

test("a partition written to lately is left alone", async () => {
  await insert(eventAt(noon - 10n * dayNs, { ingested: noon - 10n * dayNs }));
  const report = await runMaintenanceOnce({
    store: opened.writer,
    logger: silentLogger,
    retentionDays: 3,
  });
  expect(report).toEqual({ dropped: [], indexed: [] });
});

test("a partition whose statistics are gone already is still dropped", async () => {
  await insert(eventAt(noon - 10n * dayNs, { ingested: noon - 10n * dayNs }));
  await opened.writer.command({ query: "TRUNCATE TABLE streams" });
  expect((await run({ retentionDays: 3 })).dropped).toHaveLength(1);
  expect(await messages()).toEqual([]);
});

test("closed days get the message index, today and tomorrow do not", async () => {
  await insert(
    eventAt(noon - 2n * dayNs),
    eventAt(noon - dayNs),
    eventAt(noon),
    eventAt(noon + dayNs),
  );
  expect(await unindexedDays()).toEqual([today - 2, today - 1, today, today + 1]);
  const { indexed } = await run();
  // newest first: it is searched most
  expect(indexed.map(({ day }) => day - today)).toEqual([-1, -2]);
  expect(await unindexedDays()).toEqual([today, today + 1]);
  expect((await run()).indexed).toEqual([]);
});

test("an index that a late event and a merge have undone is built again", async () => {
  await insert(eventAt(noon - dayNs));
  await run();
  await insert(eventAt(noon - dayNs, { message: "late" }));
  await opened.writer.command({ query: "OPTIMIZE TABLE events FINAL" });
  expect(await unindexedDays()).toEqual([today - 1]);
  expect((await run()).indexed).toHaveLength(1);
  expect(await unindexedDays()).toEqual([]);
  expect(await messages()).toHaveLength(2);
});

test("the index prunes a search for a rare word", async () => {
  const many = Array.from({ length: 20_000 }, (_, index) =>
    eventAt(noon - dayNs + BigInt(index), { message: `request ${index} served` }),
  );
  await insert(...many, eventAt(noon - dayNs, { message: "NEEDLE-7f3a9c2e", prefix1: "other" }));
  await run();
  const plan = await select<{ explain: string }>(
    opened.writer,
    "EXPLAIN indexes = 1 SELECT count() FROM events WHERE match(message, 'NEEDLE-7f3a9c2e')",
  );
  const text = plan.map(({ explain }) => explain).join("\n");
  expect(text).toMatch(/message_ngrams[\s\S]*Granules: 1\/1\d/);
});

test("the periodic job runs, reports, survives a store that is away, and closes", async () => {
  await insert(eventAt(noon - dayNs));
  const outcomes: string[] = [];
  const job = startMaintenance({
    store: opened.writer,
    logger: silentLogger,
    retentionDays: 30,
    quietMs: -2 * dayMs,
    intervalMs: 50,
    onRun: (outcome) => outcomes.push(outcome),
  });
  try {
    await waitUntil("two runs", () => outcomes.length >= 2);
    expect(outcomes).not.toContain("failed");
    expect(await unindexedDays()).toEqual([]);
    process.kill(opened.store.pid ?? 0, "SIGKILL");
    await waitUntil("a failed run", () => outcomes.includes("failed"));
    await waitUntil("a good run after it", () => outcomes.at(-1) === "done");
  } finally {
    await job.close();
  }
});
