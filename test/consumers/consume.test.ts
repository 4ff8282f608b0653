// Consumers that end, stores that go away, records of other versions: every event is stored once.
import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { gatherBatch, type Batch } from "../../consumers/batch.ts";
import { consumeEvents, storeGroup } from "../../consumers/consume.ts";
import { readLetters, setAside } from "../../consumers/dead-letters.ts";
import { writeBatch } from "../../consumers/write.ts";
import type { EmbeddedLog } from "../../ingest/log/embedded.ts";
import type { Consumption, LogRecord } from "../../ingest/log/log.ts";
import { readConfig } from "../../schemas/config.ts";
import {
  avroType,
  decodeContainer,
  eventType,
  type StoredEvent,
} from "../../schemas/event-codec.ts";
import { createInstruments, type Instruments } from "../../schemas/instruments.ts";
import { bucketCount, partitionOf } from "../../schemas/partition.ts";
import {
  eventRecord,
  openTempLog,
  withPartition,
  type TempLog,
} from "../ingest/log/log-fixture.ts";
import { writeWithAvsc } from "../schemas/avro-files.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  openTestStore,
  select,
  silentLogger,
  type TestStore,
  waitUntil,
} from "./store/store-fixture.ts";

const config = readConfig({ LOGBOOM_BATCH_AGE_MS: "20" });
const limits = { maxBytes: 32e6, maxEvents: 200_000, maxAgeMs: 0 };
const base = 490_000n * hourNs;

let opened: TestStore;
let temp: TempLog;
let log: EmbeddedLog;
let instruments: Instruments;
/** Every test writes for a customer of its own: one store serves them all. */
let customer: string;
let tests = 0;

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

beforeEach(async () => {
  temp = await openTempLog();
  ({ log } = temp);
  instruments = createInstruments(false);
  customer = `customer-${tests++}`;
});

afterEach(async () => {
  await temp[Symbol.asyncDispose]();
});

const partition = 2;

const event = (message: string, given: Partial<StoredEvent> = {}): StoredEvent =>
  eventAt(base, { customer, message, ...given });

const append = (...values: readonly Buffer[]) =>
  log.append(values.map((value) => eventRecord(partition, value)));

const records = (...groups: readonly (readonly string[])[]) =>
  append(...groups.map((messages) => encodeEvents(messages.map((message) => event(message)))));

function consume(): Promise<Consumption> {
  return consumeEvents({ config, log, shards: [opened.writer], instruments, logger: silentLogger });
}

async function consumed(timeoutMs = 20_000): Promise<void> {
  await waitUntil(
    "the log is consumed",
    async () => (await log.lag(storeGroup)).every(({ records: left }) => left === 0),
    timeoutMs,
  );
}

async function consumeAll(): Promise<void> {
  const consumption = await consume();
  await consumed();
  await consumption.close();
}

/** What the store has of this test's customer; fails when statistics and events disagree. */
async function stored(): Promise<string[]> {
  const where = `customer = '${customer}'`;
  const rows = await select<{ message: string }>(
    opened.writer,
    `SELECT message FROM events WHERE ${where} ORDER BY message`,
  );
  const byStream = (table: string, count: string, bytes: string) =>
    select(
      opened.writer,
      `SELECT prefix0, prefix1, prefix2, prefix3, tb, toString(${count}) AS count, toString(${bytes}) AS bytes
       FROM ${table} WHERE ${where} GROUP BY ALL ORDER BY ALL`,
    );
  const fromEvents = await byStream("events", "count()", "sum(length(message))");
  expect(await byStream("streams", "sum(rows)", "sum(bytes)")).toEqual(fromEvents);
  const byHour = (table: string, count: string) =>
    select(
      opened.writer,
      `SELECT tb, toString(${count}) AS count FROM ${table} WHERE ${where} GROUP BY tb ORDER BY tb`,
    );
  expect(await byHour("hours", "sum(rows)")).toEqual(await byHour("events", "count()"));
  return rows.map(({ message }) => message);
}

/** Does as a consumer with its next batch, and stops short of the commit. */
async function storeWithoutCommit(step: "announced" | "stored", announce = true): Promise<void> {
  await withPartition(
    log,
    partition,
    async (assignment) => {
      const { offset } = assignment.committed;
      const batch = await gatherBatch(assignment, offset, limits);
      if (batch === undefined) throw new Error("no batch");
      if (announce)
        await assignment.commit({
          offset,
          metadata: JSON.stringify({ insertingUpTo: batch.last }),
        });
      if (step === "stored") await write(batch);
    },
    storeGroup,
  );
}

function write(batch: Batch): Promise<void> {
  const signal = new AbortController().signal;
  return writeBatch(batch, partition, {
    log,
    store: opened.writer,
    instruments,
    logger: silentLogger,
    signal,
  });
}

function batchOf(...values: readonly Buffer[]): Batch {
  const made = values.map((value, offset): LogRecord => ({
    offset,
    key: undefined,
    value,
    appendedAt: 0,
  }));
  return { first: 0, last: made.length - 1, records: made };
}

describe("a batch that is written twice", () => {
  test("under one range is stored once", async () => {
    const batch = batchOf(encodeEvents([event("a"), event("b")]), encodeEvents([event("c")]));
    await write(batch);
    await write(batch);
    expect(await stored()).toEqual(["a", "b", "c"]);
  });

  test("from another log is another batch, though all else is equal", async () => {
    const batch = batchOf(encodeEvents([event("a")]));
    await write(batch);
    await using other = await openTempLog();
    await writeBatch(batch, partition, {
      log: other.log,
      store: opened.writer,
      instruments,
      logger: silentLogger,
      signal: new AbortController().signal,
    });
    expect(await stored()).toEqual(["a", "a"]);
  });

  test("under other ranges, partitions or with equal events in it is stored each time", async () => {
    const value = encodeEvents([event("same")]);
    await write(batchOf(value, value));
    await write({ ...batchOf(value), first: 2, last: 2 });
    expect(await stored()).toEqual(["same", "same", "same"]);
  });

  test("in part, as a record that the log holds twice, is stored without it, and it is counted", async () => {
    const [first, other] = [encodeEvents([event("a")]), encodeEvents([event("b")])];
    const { records } = batchOf(first, other, first);
    const counted = async () =>
      (await instruments.logboom_consumer_repeats_total.get()).values[0]?.value ?? 0;
    const before = await counted();
    await write({
      first: 0,
      last: 2,
      records: records.map((record) => ({ ...record, isRepeat: record.offset === 2 })),
    });
    expect(await stored()).toEqual(["a", "b"]);
    expect((await counted()) - before).toBe(1);
    // Nothing but repeats is nothing to insert.
    await write({ first: 3, last: 5, records: records.map((one) => ({ ...one, isRepeat: true })) });
    expect(await stored()).toEqual(["a", "b"]);
  });

  test("that holds what the store refuses ends the same way both times", async () => {
    await withRefusal(async () => {
      const good = Array.from({ length: 6 }, (_, index) => `good ${index}`);
      const values = [
        encodeEvents([event("first"), event("refused 1"), event("second")]),
        Buffer.from("no Avro"),
        encodeEvents([...good.slice(0, 3).map((name) => event(name)), event("refused 2")]),
        encodeEvents(good.slice(3).map((name) => event(name))),
      ];
      await write(batchOf(...values));
      const once = await stored();
      const letters = [...(await readLetters(log)).values()];
      await write(batchOf(...values));
      expect(once).toEqual(["first", ...good, "second"]);
      expect(await stored()).toEqual(once);
      const placed = ({ reason, offset, index }: (typeof letters)[number]) => ({
        reason,
        offset,
        index,
      });
      expect(letters.map(placed).toSorted((a, b) => a.offset - b.offset)).toEqual([
        { reason: "refused", offset: 0, index: 1 },
        { reason: "unreadable", offset: 1, index: undefined },
        { reason: "refused", offset: 2, index: 3 },
      ]);
      // Set aside again, they replace themselves.
      expect([...(await readLetters(log)).values()]).toHaveLength(3);
    });
  });
});

/** While the store refuses some events for good. */
async function withRefusal(task: () => Promise<void>): Promise<void> {
  await opened.writer.command({
    query: "ALTER TABLE events ADD CONSTRAINT refusal CHECK NOT startsWith(message, 'refused')",
  });
  try {
    await task();
  } finally {
    await opened.writer.command({ query: "ALTER TABLE events DROP CONSTRAINT refusal" });
  }
}

describe("a consumer that ends", () => {
  test("between its announcement and the insert leaves a batch that is stored once", async () => {
    await records(["a", "b"], ["c"]);
    await storeWithoutCommit("announced");
    expect(await stored()).toEqual([]);
    // More has come meanwhile: it is not of the announced batch.
    await records(["d"]);
    await consumeAll();
    expect(await stored()).toEqual(["a", "b", "c", "d"]);
  });

  test("between the insert and its commit leaves a batch that is stored once", async () => {
    await records(["a", "b"], ["c"]);
    await storeWithoutCommit("stored");
    expect(await stored()).toEqual(["a", "b", "c"]);
    await records(["d"]);
    await temp.reopen();
    ({ log } = temp);
    await consumeAll();
    expect(await stored()).toEqual(["a", "b", "c", "d"]);
  });

  test("again and again, at either place, stores every event once", async () => {
    const names: string[] = [];
    for (let round = 0; round < 6; round++) {
      names.push(`${round} a`, `${round} b`, `${round} c`);
      await records([`${round} a`, `${round} b`], [`${round} c`]);
      await storeWithoutCommit(round % 2 === 0 ? "announced" : "stored");
      // Its successor ends at some moment, too.
      const consumption = await consume();
      if (round % 3 === 0) await consumed();
      else await sleep(Math.random() * 60);
      await consumption.close();
    }
    await consumeAll();
    expect(await stored()).toEqual(names);
  });

  test("leaves nothing announced once all is stored", async () => {
    await records(["a"]);
    await consumeAll();
    const committed = await withPartition(
      log,
      partition,
      async (assignment) => assignment.committed,
      storeGroup,
    );
    expect(committed).toEqual({ offset: 1, metadata: "" });
    expect(log.sizeBytes).toBe(0);
  });

  // Offsets may have gaps: here another group has deleted the first two records.
  test("after an insert from a position in a gap leaves a batch that is stored once", async () => {
    await records(["gone 1"], ["gone 2"], ["a", "b"], ["c"]);
    await withPartition(
      log,
      partition,
      (assignment) => assignment.commit({ offset: 2, metadata: "" }),
      "another group",
    );
    await storeWithoutCommit("stored");
    expect(await stored()).toEqual(["a", "b", "c"]);
    await consumeAll();
    expect(await stored()).toEqual(["a", "b", "c"]);
  });

  test("by being closed does so soon, in the midst of batches, and loses nothing", async () => {
    const names = Array.from(
      { length: 40 },
      (_, index) => `event ${String(index).padStart(2, "0")}`,
    );
    const consumption = await consume();
    for (const name of names.slice(0, 20)) await records([name]);
    const begin = performance.now();
    await consumption.close();
    expect(performance.now() - begin).toBeLessThan(5000);
    for (const name of names.slice(20)) await records([name]);
    await consumeAll();
    expect(await stored()).toEqual(names);
  });
});

describe("records of other writers", () => {
  const today = JSON.parse(
    readFileSync(new URL("../../schemas/event.avsc", import.meta.url), "utf8"),
  ) as {
    fields: object[];
  };
  const nextType = avroType(
    JSON.stringify({
      ...today,
      fields: [{ name: "severity", type: "int", default: 3 }, ...today.fields],
    }),
  );

  test("of the next version are stored among those of today, once", async () => {
    const next = await writeWithAvsc(nextType, [
      { ...event("next"), severity: 5, attributes: { k: "v" } },
    ]);
    const foreign = await writeWithAvsc(eventType, [event("foreign")]);
    await append(
      encodeEvents([event("today")]),
      next,
      foreign,
      encodeEvents([event("today, too")]),
    );
    await storeWithoutCommit("stored");
    await consumeAll();
    expect(await stored()).toEqual(["foreign", "next", "today", "today, too"]);
    const rows = await select(
      opened.writer,
      `SELECT attributes FROM events WHERE customer = '${customer}' AND message = 'next'`,
    );
    expect(rows).toEqual([{ attributes: { k: "v" } }]);
    expect([...(await readLetters(log)).values()]).toEqual([]);
  });

  test.each([
    ["text", () => Buffer.from("no Avro at all")],
    ["nothing", () => Buffer.alloc(0)],
    ["a container cut in its header", () => encodeEvents([event("x")]).subarray(0, 100)],
    ["a container cut in its block", () => encodeEvents([event("x")]).subarray(0, -20)],
    ["a container that counts too many", () => damaged((bytes, blockAt) => (bytes[blockAt] = 200))],
    [
      "a container whose text has no end",
      () => damaged((bytes, _, textAt) => (bytes[textAt - 1] = 0x7e)),
    ],
    [
      "a container of another record",
      () =>
        writeWithAvsc(
          avroType('{"type":"record","name":"O","fields":[{"name":"n","type":"int"}]}'),
          [{ n: 1 }],
        ),
    ],
  ])("that are %s are set aside whole, and the others are stored", async (_, make) => {
    const bad = await make();
    await append(encodeEvents([event("before")]), bad, encodeEvents([event("after")]));
    const consumption = await consume();
    await consumed();
    await append(encodeEvents([event("later")]));
    await consumed();
    await consumption.close();
    expect(await stored()).toEqual(["after", "before", "later"]);
    expect([...(await readLetters(log)).values()]).toMatchObject([
      { reason: "unreadable", partition, offset: 1, record: bad.toString("base64") },
    ]);
    const metrics = await instruments.registry.metrics();
    expect(metrics).toMatch(/^logboom_dead_letters_total\{reason="unreadable"\} [1-9]/m);
  });

  /** A record of two events with something wrong in its block. */
  function damaged(damage: (bytes: Buffer, blockAt: number, textAt: number) => void): Buffer {
    const bytes = Buffer.from(encodeEvents([event("x"), event("y")]));
    const empty = encodeEvents([]).length - 18;
    damage(bytes, empty, bytes.lastIndexOf("y"));
    return bytes;
  }
});

describe("events at the edges", () => {
  // The edge refuses such times; the store takes every one that a record can hold.
  test("of what 64 bits can say are stored, or set aside, and the others are stored once", async () => {
    const times = [
      0n,
      8_979_644_072_999_999_999n,
      8_979_644_073_000_000_000n,
      2n ** 63n - 1n,
      -1n,
      -(2n ** 62n),
    ];
    const made = times.map((time) => event(`at ${time}`, { time }));
    const values = await Promise.all(made.map((one) => writeWithAvsc(eventType, [one])));
    await append(encodeEvents([event("good")]), ...values);
    await storeWithoutCommit("stored");
    await consumeAll();
    const aside = [...(await readLetters(log)).values()].map(
      ({ record }) => decodeContainer(Buffer.from(record, "base64"))[0]?.message,
    );
    const all = [...(await stored()), ...aside].toSorted();
    expect(all).toEqual(["good", ...made.map(({ message }) => message)].toSorted());
    expect(await stored()).toContain("at 0");
    expect(await stored()).toContain("at 8979644072999999999");
  });

  test("of a megabyte, of many attributes and of every character come through", async () => {
    const attributes = Object.fromEntries(
      Array.from({ length: 64 }, (_, n) => [`name ${n}`, `${n}\0é🙂`]),
    );
    const large = "日本🙂".repeat(100_000);
    await append(encodeEvents([event("\0\t\r\n'\"\\ é 🙂", { attributes }), event(large)]));
    await consumeAll();
    expect(await stored()).toEqual(["\0\t\r\n'\"\\ é 🙂", large]);
    const rows = await select(
      opened.writer,
      `SELECT attributes FROM events WHERE customer = '${customer}' AND length(message) < 100`,
    );
    expect(rows).toEqual([{ attributes }]);
  });
});

test("a partition of the log is a bucket of the store, for any labels", async () => {
  const labels = ["", "web-1", "é", "日本🙂", "a\\b'c", " ", "x".repeat(255), "%_*"];
  for (const prefix0 of labels) {
    const [row] = await select<{ bucket: number }>(
      opened.writer,
      `SELECT toUInt8(CRC32(concat('${customer}', '\\0', unhex('${Buffer.from(prefix0).toString("hex")}'))) % 4) AS bucket`,
    );
    expect(row?.bucket).toBe(partitionOf(customer, prefix0, bucketCount));
  }
});

describe("a store that is away", () => {
  const killStore = () => process.kill(opened.store.pid ?? 0, "SIGKILL");

  test("delays events and loses none: consumers go on by themselves when it is back", async () => {
    const consumption = await consume();
    const names: string[] = [];
    for (let round = 0; round < 3; round++) {
      killStore();
      for (let n = 0; n < 10; n++) {
        names.push(`${round}.${n}`);
        await records([`${round}.${n}`]);
        await sleep(Math.random() * 20);
      }
      await consumed(30_000);
    }
    await consumption.close();
    await waitUntil("store up", () => opened.store.state === "up");
    expect(await stored()).toEqual(names);
    expect(await instruments.registry.metrics()).toMatch(
      /^logboom_consumer_inserts_total\{outcome="retried"\} [1-9]/m,
    );
    expect([...(await readLetters(log)).values()]).toEqual([]);
  });

  test("does not keep a consumer from closing", async () => {
    await records(["waiting"]);
    killStore();
    const consumption = await consume();
    await sleep(100);
    const begin = performance.now();
    await consumption.close();
    expect(performance.now() - begin).toBeLessThan(5000);
    await waitUntil("store up", () => opened.store.state === "up");
    await consumeAll();
    expect(await stored()).toEqual(["waiting"]);
  });
});

describe("dead letters", () => {
  const letter = {
    reason: "refused",
    message: "why",
    partition: 1,
    offset: 7,
    index: 3,
    record: "AA==",
    at: "2026-05-01T12:00:00.000Z",
  } as const;

  test("are read as they were set aside, oldest first, over restarts", async () => {
    const { index: _, ...whole } = { ...letter, reason: "unreadable", offset: 9 } as const;
    await setAside(log, [letter, whole]);
    await setAside(log, [{ ...letter, index: 4 }]);
    const all = [letter, whole, { ...letter, index: 4 }];
    expect([...(await readLetters(log)).values()]).toEqual(all);
    expect([...(await readLetters(await temp.reopen())).values()]).toEqual(all);
  });

  test("of the same place replace each other", async () => {
    await setAside(log, [letter]);
    await setAside(log, [{ ...letter, message: "again" }]);
    expect([...(await readLetters(log)).values()]).toEqual([{ ...letter, message: "again" }]);
  });
});
