// One body is one block, and a replay under the same token changes neither events nor statistics.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isPermanentStoreError } from "../../../consumers/store/client.ts";
import type { StoredEvent } from "../../../schemas/event-codec.ts";
import {
  encodeEvents,
  eventAt,
  insertEvents,
  openTestStore,
  select,
  type TestStore,
  waitUntil,
} from "./store-fixture.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const noon = BigInt(Date.UTC(2026, 4, 1, 12)) * 1_000_000n;

let opened: TestStore;

beforeEach(async () => {
  opened = await openTestStore();
  // else a merge may come between an insert and the count of its parts
  await opened.writer.command({ query: "SYSTEM STOP MERGES events" });
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
});

function eventsOf(count: number, given: (index: number) => Partial<StoredEvent> = () => ({})) {
  return Array.from({ length: count }, (_, index) =>
    eventAt(noon + BigInt(index) * 1000n, {
      message: `GET /api/v1/orders/${index}?session=${(index * 2654435761).toString(16)} 200 ${"x".repeat(index % 90)}`,
      ...given(index),
    }),
  );
}

interface Totals {
  readonly events: string;
  readonly bytes: string;
  readonly streamRows: string;
  readonly streamBytes: string;
  readonly hourRows: string;
  readonly hourBytes: string;
}

async function totals(): Promise<Totals> {
  const [row] = await select<Totals>(
    opened.reader,
    `SELECT
      (SELECT toString(count()) FROM events) AS events,
      (SELECT toString(sum(length(message))) FROM events) AS bytes,
      (SELECT toString(sum(rows)) FROM streams) AS streamRows,
      (SELECT toString(sum(bytes)) FROM streams) AS streamBytes,
      (SELECT toString(sum(rows)) FROM hours) AS hourRows,
      (SELECT toString(sum(bytes)) FROM hours) AS hourBytes`,
  );
  if (!row) throw new Error("no totals");
  return row;
}

async function countParts(table: string): Promise<number> {
  const [row] = await select<{ parts: number }>(
    opened.writer,
    `SELECT count() AS parts FROM system.parts WHERE active AND database = 'logboom' AND table = '${table}'`,
  );
  return row?.parts ?? 0;
}

test("an event comes back as it was sent, to the last nanosecond and byte", async () => {
  const sent = [
    eventAt(0n, { message: "" }),
    eventAt(8_979_644_072_999_999_999n, { message: "tab\t nul\0 newline\n é 🙂", prefix0: "" }),
    eventAt(noon + 1n, {
      attributes: { "syslog.app": "nginx", empty: "", ключ: "значение" },
      ingested: 1_795_254_011_690_123_456n,
    }),
  ];
  await insertEvents(opened.writer, encodeEvents(sent), "t/0/0-2");
  const stored = await select<Record<string, unknown>>(
    opened.reader,
    `SELECT customer, prefix0, prefix1, prefix2, prefix3, message, attributes,
       toString(toUnixTimestamp64Nano(time)) AS time, toString(ingested) AS ingested
     FROM events ORDER BY events.ingested`,
  );
  const expected = sent.map((event) => ({
    ...event,
    time: String(event.time),
    ingested: String(event.ingested),
  }));
  expect(stored).toHaveLength(3);
  expect(stored).toEqual(expect.arrayContaining(expected));
});

test("a body of 300,000 events and 64 MiB is one part, and its replay in other chunks is none", async () => {
  const body = encodeEvents(
    eventsOf(300_000, (index) => ({ message: `${index} `.padEnd(200, "lorem ") })),
  );
  expect(body.length).toBeGreaterThan(64 * 1024 * 1024);
  await insertEvents(opened.writer, body, "t/0/0-299999", 1024 * 1024);
  expect(await countParts("events")).toBe(1);
  const before = await totals();
  expect(before.events).toBe("300000");
  expect(before.streamRows).toBe("300000");
  expect(before.streamBytes).toBe(before.bytes);
  expect(before.hourRows).toBe("300000");
  expect(before.hourBytes).toBe(before.bytes);

  await insertEvents(opened.writer, body, "t/0/0-299999", 65_521);
  await insertEvents(opened.writer, body, "t/0/0-299999", body.length);
  expect(await totals()).toEqual(before);
});

test("a body that spans days and buckets is replayed without effect", async () => {
  const body = encodeEvents(
    eventsOf(2000, (index) => ({
      time: noon + BigInt(index % 110) * 86_400_000_000_000n,
      prefix0: `host-${index % 110 === 0 ? index % 7 : 0}`,
    })),
  );
  await insertEvents(opened.writer, body, "t/1/0-1999");
  const before = await totals();
  await insertEvents(opened.writer, body, "t/1/0-1999", 1000);
  expect(await totals()).toEqual(before);
  expect(before.streamRows).toBe("2000");
  expect(before.hourRows).toBe("2000");
});

test("equal events under different tokens are all kept", async () => {
  const body = encodeEvents(eventsOf(100));
  await insertEvents(opened.writer, body, "t/0/0-99");
  await insertEvents(opened.writer, body, "t/0/100-199");
  expect(await totals()).toMatchObject({ events: "200", streamRows: "200", hourRows: "200" });
});

test("a replay fills in the statistics when only they were missing", async () => {
  // stands for a crash between the two writes: the view's table refuses this one
  await opened.writer.command({
    query: "ALTER TABLE streams ADD CONSTRAINT refuse CHECK rows > 1000000",
  });
  const body = encodeEvents(eventsOf(500));
  await expect(insertEvents(opened.writer, body, "t/2/0-499")).rejects.toThrow("refuse");
  await opened.writer.command({ query: "ALTER TABLE streams DROP CONSTRAINT refuse" });

  await insertEvents(opened.writer, body, "t/2/0-499");
  expect(await totals()).toMatchObject({ events: "500", streamRows: "500", hourRows: "500" });
  await insertEvents(opened.writer, body, "t/2/0-499", 100);
  expect(await totals()).toMatchObject({ events: "500", streamRows: "500", hourRows: "500" });
});

test("inserts cut off by kill -9 are complete and single after their replay", async () => {
  const batches = Array.from({ length: 60 }, (_, batch) => ({
    token: `t/3/${batch}`,
    body: encodeEvents(
      eventsOf(400, (index) => ({
        prefix0: `host-${index % 5}`,
        message: `batch ${batch} ${index}`,
      })),
    ),
  }));
  let failures = 0;
  for (const [number, { body, token }] of batches.entries()) {
    if (number % 12 === 0) setTimeout(killChild, Math.random() * 150);
    for (;;) {
      try {
        await insertEvents(opened.writer, body, token);
        break;
      } catch (error) {
        if (isPermanentStoreError(error)) throw error;
        failures++;
        await waitUntil("store up", () => opened.store.state === "up");
      }
    }
  }
  expect(failures).toBeGreaterThan(0);
  await waitUntil("store up", () => opened.store.state === "up");
  for (const batch of batches) await insertEvents(opened.writer, batch.body, batch.token);
  expect(await totals()).toMatchObject({ events: "24000", streamRows: "24000", hourRows: "24000" });
});

function killChild(): void {
  if (opened.store.pid !== undefined) process.kill(opened.store.pid, "SIGKILL");
}
