// The log of one machine: durability, its bound, and what is kept of what.
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogRecord, Position } from "../../../ingest/log/log.ts";
import {
  eventRecord,
  openTempLog,
  readAllText,
  readFrom,
  withPartition,
  type TempLog,
} from "./log-fixture.ts";
import { describeLog } from "./log-behaviour.ts";

describeLog(openTempLog);

let temp: TempLog;

beforeEach(async () => {
  temp = await openTempLog();
});

afterEach(async () => {
  await temp[Symbol.asyncDispose]();
});

const append = (partition: number, ...values: readonly (string | Buffer)[]) =>
  temp.log.append(values.map((value) => eventRecord(partition, value)));

const textsOf = (records: readonly LogRecord[]) =>
  records.map(({ value }) => value.toString("utf8"));
const offsetsOf = (records: readonly LogRecord[]) => records.map(({ offset }) => offset);

const commit = (partition: number, position: Position, group = "test") =>
  withPartition(temp.log, partition, (assignment) => assignment.commit(position), group);

const committed = (partition: number, group = "test") =>
  withPartition(temp.log, partition, async (assignment) => assignment.committed, group);

describe("records", () => {
  test("say when they were appended", async () => {
    await using timed = await openTempLog({ now: () => 12_345 });
    await timed.log.append([eventRecord(0, "a")]);
    expect(await readFrom(timed.log, 0)).toMatchObject([{ appendedAt: 12_345, key: undefined }]);
  });

  test("of a partition that does not exist are refused whole", async () => {
    await expect(temp.log.append([eventRecord(0, "a"), eventRecord(4, "b")])).rejects.toThrow(
      "no partition 4",
    );
    // Half an append would be acknowledged to nobody, and stored all the same.
    await append(0, "c");
    await temp.reopen();
    expect(textsOf(await readFrom(temp.log, 0))).toEqual(["c"]);
    expect(temp.log.sizeBytes).toBe(1);
  });
});

describe("a restart", () => {
  test("keeps records, offsets, positions, the size and the log's name", async () => {
    await append(0, "a", "b", "c");
    await commit(0, { offset: 1, metadata: "note" });
    const { id, sizeBytes } = temp.log;
    const log = await temp.reopen();
    expect(log.id).toBe(id);
    expect(log.sizeBytes).toBe(sizeBytes);
    expect(await committed(0)).toEqual({ offset: 1, metadata: "note" });
    await append(0, "d");
    const records = await readFrom(log, 0);
    expect(textsOf(records)).toEqual(["b", "c", "d"]);
    expect(offsetsOf(records)).toEqual([1, 2, 3]);
  });

  test("of a partition that was emptied goes on counting where it was", async () => {
    await append(3, "a", "b");
    await commit(3, { offset: 2, metadata: "" });
    expect(await readFrom(temp.log, 3)).toEqual([]);
    await temp.reopen();
    await temp.reopen();
    await append(3, "c");
    expect(offsetsOf(await readFrom(temp.log, 3))).toEqual([2]);
  });

  test("gives another folder's log another name", async () => {
    await using other = await openTempLog();
    expect(other.log.id).not.toBe(temp.log.id);
  });
});

describe("a read", () => {
  test("begins at the offset, or at the next record where that one is gone", async () => {
    await append(0, "a", "b", "c", "d");
    expect(textsOf(await readFrom(temp.log, 0, 2))).toEqual(["c", "d"]);
    await commit(0, { offset: 2, metadata: "" });
    expect(offsetsOf(await readFrom(temp.log, 0, 0))).toEqual([2, 3]);
  });

  // Committed is not durable: LMDB syncs some milliseconds later, and a record that a consumer had seen
  // before could be lost with the power and its offset given to another.
  test("gives nothing that is not acknowledged", async () => {
    const acknowledged = new Set<string>();
    let isAppending = true;
    const appending = (async () => {
      for (let n = 0; n < 150; n++) {
        const texts = Array.from({ length: 4 }, (_, part) => `${n}.${part}`.padEnd(20_000, "."));
        const sent = texts.map((text) => append(0, text).then(() => acknowledged.add(text)));
        await Promise.all(sent);
      }
      isAppending = false;
    })();
    let early = 0;
    let seen = 0;
    await withPartition(temp.log, 0, async (assignment) => {
      let next = 0;
      while (isAppending || seen < 600) {
        const records = await assignment.read(next, 1e9, 5);
        next = (records.at(-1)?.offset ?? next - 1) + 1;
        // The acknowledgement reaches its sender in this turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        seen += records.length;
        early += textsOf(records).filter((text) => !acknowledged.has(text)).length;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await appending;
    expect(seen).toBe(600);
    expect(early).toBe(0);
  });
});

describe("a commit", () => {
  test("moves its group in its partition, and deletes what is below", async () => {
    await append(0, "a", "b", "c");
    await append(1, "x");
    await commit(0, { offset: 2, metadata: "m" });
    expect(await committed(0)).toEqual({ offset: 2, metadata: "m" });
    expect(await committed(1)).toEqual({ offset: 0, metadata: "" });
    expect(await committed(0, "another group")).toEqual({ offset: 0, metadata: "" });
    expect(await readAllText(temp.log)).toEqual(["c", "x"]);
    expect(temp.log.sizeBytes).toBe(2);
  });

  test("does not touch records that come meanwhile", async () => {
    await append(0, "a", "b");
    await Promise.all([commit(0, { offset: 2, metadata: "" }), append(0, "c", "d")]);
    expect(offsetsOf(await readFrom(temp.log, 0))).toEqual([2, 3]);
    await temp.reopen();
    expect(textsOf(await readFrom(temp.log, 0))).toEqual(["c", "d"]);
  });
});

describe("the lag", () => {
  test("is the records that a group has not committed, and the age of the oldest", async () => {
    let now = 1000;
    await using timed = await openTempLog({ now: () => now });
    const { log } = timed;
    const none = { records: 0, oldestAppendedAt: undefined };
    expect(await log.lag("g")).toMatchObject(
      [0, 1, 2, 3].map((partition) => ({ partition, ...none })),
    );
    await log.append([eventRecord(1, "a"), eventRecord(1, "b")]);
    now = 2000;
    await log.append([eventRecord(1, "c")]);
    expect((await log.lag("g"))[1]).toEqual({
      partition: 1,
      records: 3,
      oldestAppendedAt: 1000,
      storedUntil: 1000,
    });
    await withPartition(
      log,
      1,
      (assignment) => assignment.commit({ offset: 2, metadata: "" }),
      "g",
    );
    expect((await log.lag("g"))[1]).toEqual({
      partition: 1,
      records: 1,
      oldestAppendedAt: 2000,
      storedUntil: 2000,
    });
    await withPartition(
      log,
      1,
      (assignment) => assignment.commit({ offset: 3, metadata: "" }),
      "g",
    );
    expect((await log.lag("g"))[1]).toEqual({ partition: 1, ...none, storedUntil: 2000 });
  });
});

describe("the bound", () => {
  const kibibyte = Buffer.alloc(1024, "x");

  test("refuses what exceeds it for two seconds, and takes it once something was committed", async () => {
    await using small = await openTempLog({ maxBytes: 4096 });
    const { log } = small;
    for (let n = 0; n < 4; n++) await log.append([eventRecord(0, kibibyte)]);
    expect(log.health()).toEqual({ isUp: false, reason: "full: 4096 of 4096 bytes" });
    await expect(log.append([eventRecord(1, "x")])).rejects.toThrow(
      expect.objectContaining({
        code: "OVERLOADED",
        retryAfterSeconds: 2,
        details: { limit: 4096 },
        message:
          "the log holds 4096 bytes that are not stored yet; 1 more exceed its bound of 4096",
      }),
    );
    await withPartition(log, 0, (assignment) => assignment.commit({ offset: 1, metadata: "" }));
    expect(log.health()).toEqual({ isUp: true });
    await log.append([eventRecord(1, kibibyte)]);
    expect(log.sizeBytes).toBe(4096);
    expect(await readFrom(log, 1)).toHaveLength(1);
  });

  test("is known again after a restart", async () => {
    await using small = await openTempLog({ maxBytes: 4096 });
    await small.log.append([eventRecord(0, Buffer.alloc(4000))]);
    const log = await small.reopen();
    await expect(log.append([eventRecord(0, Buffer.alloc(97))])).rejects.toThrow(
      "exceed its bound",
    );
    await log.append([eventRecord(0, Buffer.alloc(96))]);
  });

  test("holds for accounts and dead letters neither: they are what frees the log", async () => {
    await using small = await openTempLog({ maxBytes: 1024 });
    await small.log.append([eventRecord(0, kibibyte)]);
    await small.log.append([{ stream: "dead-letters", partition: 0, key: "k", value: kibibyte }]);
    await small.log.append([{ stream: "accounts", partition: 0, key: "k", value: kibibyte }]);
    expect(small.log.sizeBytes).toBe(1024);
  });

  // Each looks at the size before any of the others has been counted.
  test("holds for appends that come at once", async () => {
    await using small = await openTempLog({ maxBytes: 8192 });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => small.log.append([eventRecord(0, kibibyte)])),
    );
    expect(small.log.sizeBytes).toBeLessThanOrEqual(8192);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
  });

  test("beyond its pace makes appends wait for a consumer that moves, and not for one that does not", async () => {
    const large = Buffer.alloc(8 * 1024 * 1024);
    for (let n = 0; n < 17; n++) await append(0, large);
    let begin = performance.now();
    await append(0, "nobody consumes");
    expect(performance.now() - begin).toBeLessThan(900);

    // A consumer has just moved: the append waits for the next commit, which makes room.
    await commit(0, { offset: 0, metadata: "moving" });
    begin = performance.now();
    const waiting = append(0, "waited");
    await sleep(100);
    await commit(0, { offset: 3, metadata: "" });
    await waiting;
    expect(performance.now() - begin).toBeGreaterThan(95);

    // It stops moving: the append waits a second and no longer.
    for (let n = 0; n < 3; n++) await append(0, large);
    await commit(0, { offset: 3, metadata: "moved last" });
    begin = performance.now();
    await append(0, "gave up waiting");
    expect(performance.now() - begin).toBeGreaterThan(500);
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

describe("a compacted stream", () => {
  const put = (key: string, value: string) =>
    temp.log.append([{ stream: "accounts", partition: 0, key, value: Buffer.from(value) }]);

  test("does not grow by replacing", async () => {
    await put("a", "x".repeat(100));
    const { sizeBytes } = temp.log;
    for (let n = 0; n < 20; n++) await put("a", "y".repeat(100));
    expect(temp.log.sizeBytes).toBe(sizeBytes);
  });

  test("is what the last writes say, whatever was written", async () => {
    const write = fc.tuple(
      fc.constantFrom("a", "b", "c", "d"),
      fc.string({ minLength: 1, maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 12 }),
        fc.boolean(),
        async (writes, isTogether) => {
          await using fresh = await openTempLog();
          const records = writes.map(([key, value]) => ({
            stream: "accounts" as const,
            partition: 0,
            key,
            value: Buffer.from(value),
          }));
          if (isTogether) await fresh.log.append(records);
          else for (const record of records) await fresh.log.append([record]);
          const found = new Map<string | undefined, string>();
          let count = 0;
          const following = await fresh.log.follow("accounts", ({ key, value }) => {
            found.set(key, value.toString());
            count++;
          });
          await following.close();
          expect(found).toEqual(new Map(writes));
          expect(count).toBe(found.size);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("receipts", () => {
  test("are kept until they expire, over restarts, beside records or alone", async () => {
    let now = 10_000;
    await using timed = await openTempLog({ now: () => now });
    await timed.log.append([eventRecord(0, "a")], [{ key: "k", value: "v", expiresAt: 20_000 }]);
    await timed.log.append([], [{ key: "alone", value: "w", expiresAt: 15_000 }]);
    expect(timed.log.findReceipt("k")).toBe("v");
    expect(timed.log.findReceipt("other")).toBeUndefined();
    const log = await timed.reopen();
    expect([log.findReceipt("k"), log.findReceipt("alone")]).toEqual(["v", "w"]);
    now = 15_000;
    expect([log.findReceipt("k"), log.findReceipt("alone")]).toEqual(["v", undefined]);
    now = 20_000;
    expect(log.findReceipt("k")).toBeUndefined();
  });
});
