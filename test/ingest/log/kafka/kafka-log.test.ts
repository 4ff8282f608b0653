// Kafka as the log: what every log does, and what only this one has to.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import { describe, expect, inject, test } from "vitest";
import { packBatch } from "../../../../ingest/log/kafka/compression.ts";
import type { LogRecord } from "../../../../ingest/log/log.ts";
import { uniqueBlockId } from "../../../../schemas/block-id.ts";
import { encodeContainer } from "../../../../schemas/event-codec.ts";
import { anEvent, encode } from "../../../schemas/random-event.ts";
import { describeLog } from "../log-behaviour.ts";
import { eventRecord, readFrom, withPartition } from "../log-fixture.ts";
import { withAdmin } from "../../../support/kafka.ts";
import { openKafkaLog } from "./kafka-fixture.ts";

const brokers = inject("kafkaBrokers");

describeLog(() => openKafkaLog({ brokers }));

async function waitUntil(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (isTrue()) return;
    await sleep(20);
  }
  throw new Error(`${what} did not come true`);
}

describe("a record of which the log holds two", () => {
  const blockOf = (id: Buffer, message: string) =>
    encodeContainer(id, [encode([anEvent({ message })])]);
  const block = (id: number, message: string) => blockOf(Buffer.alloc(16, id), message);
  const marksOf = (records: readonly LogRecord[]) =>
    records.map(({ isRepeat }) => isRepeat ?? false);

  test("is told from the first by its block id, within its partition", async () => {
    await using temp = await openKafkaLog({ brokers });
    const { log } = temp;
    const records = [block(1, "a"), block(2, "b"), block(1, "a"), block(3, "a"), block(1, "a")];
    for (const record of records) await log.append([eventRecord(0, record)]);
    await log.append([eventRecord(1, block(1, "a"))]);
    expect(marksOf(await readFrom(log, 0))).toEqual([false, false, true, false, true]);
    expect(marksOf(await readFrom(log, 1))).toEqual([false]);
  });

  test("is told by an owner that begins behind the first, and by one that reads it twice", async () => {
    await using temp = await openKafkaLog({ brokers });
    for (const id of [1, 2, 1, 2]) await temp.log.append([eventRecord(0, block(id, "a"))]);
    await withPartition(temp.log, 0, ({ commit }) => commit({ offset: 2, metadata: "" }));
    const log = await temp.reopen();
    const twice = await withPartition(log, 0, async ({ read }) => {
      const first = await read(2, 1, 5000);
      return [...first, ...(await read(2, 1, 5000)), ...(await read(3, 1, 5000))];
    });
    expect(twice.map(({ offset }) => offset)).toEqual([2, 2, 3]);
    expect(marksOf(twice)).toEqual([true, true, true]);
  });

  // A lane sends a block again through a new producer when it has lost the numbers of the old one.
  test("is told though its id is unique, where another producer sent it", async () => {
    const prefix = `test-${randomUUID()}`;
    await using one = await openKafkaLog({ brokers, prefix });
    await using other = await openKafkaLog({ brokers, prefix });
    const [twin, before, after] = ["twin", "before", "after"].map((message) =>
      eventRecord(0, blockOf(uniqueBlockId(), message)),
    );
    if (!twin || !before || !after) throw new TypeError("three records");
    for (const record of [before, twin]) await one.log.append([record]);
    for (const record of [twin, after]) await other.log.append([record]);
    await withPartition(one.log, 0, ({ commit }) => commit({ offset: 2, metadata: "" }));
    const records = await readFrom(await one.reopen(), 0, 2);
    expect(records.map(({ offset }) => offset)).toEqual([2, 3]);
    expect(marksOf(records)).toEqual([true, false]);
  });

  test("is not looked for before the group's position where there can be none", async () => {
    await using temp = await openKafkaLog({ brokers });
    const first = eventRecord(0, blockOf(uniqueBlockId(), "a"));
    // No edge sends a block of a unique id twice: that it is not told shows that the first one is not read again.
    for (const record of [first, eventRecord(0, blockOf(uniqueBlockId(), "b")), first]) {
      await temp.log.append([record]);
    }
    await withPartition(temp.log, 0, ({ commit }) => commit({ offset: 1, metadata: "" }));
    const records = await readFrom(await temp.reopen(), 0, 1);
    expect(records.map(({ offset }) => offset)).toEqual([1, 2]);
    expect(marksOf(records)).toEqual([false, false]);
  });
});

describe("several edges on one log", () => {
  test("see each other's receipts and accounts", async () => {
    const prefix = `test-${randomUUID()}`;
    await using one = await openKafkaLog({ brokers, prefix });
    await using other = await openKafkaLog({ brokers, prefix });
    expect(other.log.id).toBe(one.log.id);
    const accounts: string[] = [];
    await other.log.follow("accounts", ({ value }) => void accounts.push(value.toString()));
    await one.log.append([], [{ key: "k", value: "v", expiresAt: Date.now() + 60_000 }]);
    await one.log.append([
      { stream: "accounts", partition: 0, key: "a", value: Buffer.from("account") },
    ]);
    await waitUntil(
      "the receipt and the account",
      () => other.log.findReceipt("k") === "v" && accounts.length === 1,
    );
  });
});

describe("the topics", () => {
  const options = { brokers, prefix: `test-${randomUUID()}` };

  test("of one name that are deleted and created anew are another log", async () => {
    const first = await openKafkaLog(options);
    const { id } = first.log;
    await first[Symbol.asyncDispose]();
    await withAdmin(brokers, (admin) =>
      admin.deleteTopics({ topics: [`${options.prefix}.events`] }),
    );
    await using second = await openKafkaLog(options);
    expect(second.log.id).not.toBe(id);
  });

  test("that would lose what was acknowledged are refused, by name and setting", async () => {
    const prefix = `test-${randomUUID()}`;
    await withAdmin(brokers, (admin) =>
      admin.createTopics({
        topics: [
          {
            topic: `${prefix}.events`,
            numPartitions: 4,
            configEntries: [
              { name: "unclean.leader.election.enable", value: "true" },
              { name: "max.message.bytes", value: String(2 ** 26) },
            ],
          },
        ],
      }),
    );
    await expect(openKafkaLog({ brokers, prefix })).rejects.toThrow(
      expect.objectContaining({
        code: "UNAVAILABLE",
        message: `the Kafka topic "${prefix}.events" has unclean.leader.election.enable "true"; expected false`,
      }),
    );
  });
});

// A fetch is bounded by its bytes on the wire: what it may become in memory is bounded by the ratio alone.
test("a batch shrinks at most 32 times, and comes back whole", async () => {
  for (const size of [10, 1_000, 1_000_000, 8_000_000]) {
    const packed = await packBatch(Buffer.alloc(size, "x"));
    expect(size / packed.length).toBeLessThanOrEqual(32);
    expect(zstdDecompressSync(packed)).toEqual(Buffer.alloc(size, "x"));
  }
  const text = Buffer.from(Array.from({ length: 9_999 }, () => Math.random()).join("\n"));
  expect((await packBatch(text)).length).toBeLessThan(text.length * 0.6);

  await using temp = await openKafkaLog({ brokers });
  const values = Array.from({ length: 6 }, (_, n) => Buffer.alloc(2_000_000, String(n)));
  await Promise.all(values.map((value) => temp.log.append([eventRecord(2, value)])));
  expect((await readFrom(temp.log, 2)).map(({ value }) => value)).toEqual(values);
});

test("what was read is freed when it is committed, and not before", async () => {
  await using temp = await openKafkaLog({ brokers });
  const values = Array.from({ length: 4 }, (_, n) => Buffer.alloc(100_000, String(n)));
  // Of one batch of Kafka's, and of two others.
  await temp.log.append(values.slice(0, 2).map((value) => eventRecord(0, value)));
  for (const value of values.slice(2)) await temp.log.append([eventRecord(0, value)]);
  await withPartition(temp.log, 0, async ({ read, commit }) => {
    const records: LogRecord[] = [];
    while (records.length < 4) records.push(...(await read(records.length, 1e9, 5000)));
    const sizes = () => records.map(({ value }) => value.length);
    await commit({ offset: 1, metadata: "" });
    expect(records.map(({ value }) => value)).toEqual(values);
    await commit({ offset: 3, metadata: "" });
    expect(sizes()).toEqual([0, 0, 0, 100_000]);
    expect(records[3]?.value).toEqual(values[3]);
    // Below what is committed nothing is at hand any more: it is fetched again.
    expect((await read(0, 1e9, 5000))[0]?.value).toEqual(values[0]);
  });
});

test("small records, whose memory is shared with others, are left alone when they are committed", async () => {
  await using temp = await openKafkaLog({ brokers });
  for (const text of ["a", "b", "c"]) await temp.log.append([eventRecord(0, text.repeat(2000))]);
  await withPartition(temp.log, 0, async ({ read, commit }) => {
    const records: LogRecord[] = [];
    while (records.length < 3) records.push(...(await read(records.length, 1e9, 5000)));
    for (const offset of [1, 2]) await commit({ offset, metadata: "" });
    expect(records[2]?.value.toString()).toBe("c".repeat(2000));
  });
});

test("appends beyond the bound of what waits for Kafka are refused for two seconds", async () => {
  await using temp = await openKafkaLog({ brokers, maxPendingBytes: 10_000 });
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => temp.log.append([eventRecord(0, Buffer.alloc(1000, "x"))])),
  );
  const refused = results.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(10);
  expect(refused[0]).toMatchObject({
    reason: {
      code: "OVERLOADED",
      retryAfterSeconds: 2,
      message: "10000 bytes wait for Kafka's acknowledgement; 1000 more exceed the bound of 10000",
    },
  });
  expect(await readFrom(temp.log, 0)).toHaveLength(10);
  expect(temp.log.sizeBytes).toBe(0);
});
