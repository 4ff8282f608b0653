// What every log does, whatever is beneath it: the same tests for the embedded one and for Kafka.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Log, LogRecord, Position } from "../../../ingest/log/log.ts";
import { eventRecord, readAllText, readFrom, withPartition, type TempLog } from "./log-fixture.ts";

/** @param open a log of four partitions with nothing in it */
export function describeLog(open: () => Promise<TempLog<Log>>): void {
  let temp: TempLog<Log>;

  beforeEach(async () => {
    temp = await open();
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
    test("are read in the order of their appends, with offsets from 0 in each partition", async () => {
      await append(1, "a", "b");
      await append(2, "x");
      await append(1, "c");
      const records = await readFrom(temp.log, 1);
      expect(textsOf(records)).toEqual(["a", "b", "c"]);
      expect(offsetsOf(records)).toEqual([0, 1, 2]);
      expect(offsetsOf(await readFrom(temp.log, 2))).toEqual([0]);
      expect(await readFrom(temp.log, 0)).toEqual([]);
    });

    test("come back byte for byte, empty ones and large ones as well", async () => {
      const values = [Buffer.alloc(0), Buffer.from([0, 255, 0]), Buffer.alloc(3_000_000, "é")];
      await append(0, ...values);
      await temp.reopen();
      expect((await readFrom(temp.log, 0)).map(({ value }) => value)).toEqual(values);
    });

    test("of many appends at once are all there, each append's own in order", async () => {
      await Promise.all(
        Array.from({ length: 60 }, (_, n) => append(n % 4, `${n}-0`, `${n}-1`, `${n}-2`)),
      );
      for (let partition = 0; partition < 4; partition++) {
        const records = await readFrom(temp.log, partition);
        expect(offsetsOf(records)).toEqual([...records.keys()]);
        for (let n = partition; n < 60; n += 4) {
          const own = textsOf(records).filter((text) => text.startsWith(`${n}-`));
          expect(own).toEqual([`${n}-0`, `${n}-1`, `${n}-2`]);
        }
      }
      expect(await readAllText(temp.log)).toHaveLength(180);
    });

    test("of an append without any are no record", async () => {
      await temp.log.append([]);
      expect(await readAllText(temp.log)).toEqual([]);
    });

    test("of a partition that does not exist are refused whole", async () => {
      const { partitionCount } = temp.log;
      await expect(
        temp.log.append([eventRecord(0, "a"), eventRecord(partitionCount, "b")]),
      ).rejects.toThrow(`no partition ${partitionCount}`);
      await append(0, "c");
      await temp.reopen();
      expect(textsOf(await readFrom(temp.log, 0))).toEqual(["c"]);
    });
  });

  describe("a restart", () => {
    test("keeps records, offsets, positions and the log's name", async () => {
      await append(0, "a", "b", "c");
      await commit(0, { offset: 1, metadata: "note" });
      const { id } = temp.log;
      const log = await temp.reopen();
      expect(log.id).toBe(id);
      expect(await committed(0)).toEqual({ offset: 1, metadata: "note" });
      await append(0, "d");
      const records = await readFrom(log, 0, 1);
      expect(textsOf(records)).toEqual(["b", "c", "d"]);
      expect(offsetsOf(records)).toEqual([1, 2, 3]);
    });

    test("gives another log another name", async () => {
      await using other = await open();
      expect(other.log.id).not.toBe(temp.log.id);
    });
  });

  describe("a read", () => {
    test("begins at the offset", async () => {
      await append(0, "a", "b", "c", "d");
      expect(textsOf(await readFrom(temp.log, 0, 2))).toEqual(["c", "d"]);
      await commit(0, { offset: 3, metadata: "" });
      expect(textsOf(await readFrom(temp.log, 0, 3))).toEqual(["d"]);
    });

    // The consumer reads again what did not fit its batch.
    test("may begin before the end of an earlier one", async () => {
      await append(0, "a", "b", "c", "d");
      await withPartition(temp.log, 0, async ({ read }) => {
        const all = [];
        while (all.length < 4) all.push(...(await read(all.length, 1e6, 5000)));
        expect(textsOf(all)).toEqual(["a", "b", "c", "d"]);
        expect(textsOf(await read(2, 1e6, 5000))[0]).toBe("c");
        expect(textsOf(await read(1, 1e6, 5000))[0]).toBe("b");
        expect(textsOf(await read(3, 1e6, 5000))).toEqual(["d"]);
      });
    });

    test("gives as many records as fit, and one that is larger alone", async () => {
      await append(0, "aaaa", "bbbb", "cccccccccccc", "dd");
      await withPartition(temp.log, 0, async (assignment) => {
        expect(textsOf(await assignment.read(0, 8, 0))).toEqual(["aaaa", "bbbb"]);
        expect(textsOf(await assignment.read(0, 7, 0))).toEqual(["aaaa"]);
        expect(textsOf(await assignment.read(0, 1, 0))).toEqual(["aaaa"]);
        expect(textsOf(await assignment.read(2, 5, 0))).toEqual(["cccccccccccc"]);
        expect(textsOf(await assignment.read(3, 5, 0))).toEqual(["dd"]);
      });
    });

    test("at the end waits as long as told for nothing", async () => {
      await withPartition(temp.log, 0, async (assignment) => {
        const begin = performance.now();
        expect(await assignment.read(0, 100, 80)).toEqual([]);
        expect(performance.now() - begin).toBeGreaterThan(70);
      });
    });

    test("at the end is woken by a record", async () => {
      await withPartition(temp.log, 2, async (assignment) => {
        const begin = performance.now();
        const reading = assignment.read(0, 100, 10_000);
        await sleep(30);
        await append(2, "a");
        expect(textsOf(await reading)).toEqual(["a"]);
        expect(performance.now() - begin).toBeLessThan(5000);
      });
    });

    // The interface promises at least one record unless none comes in time; another partition's is none.
    test("at the end goes on waiting when records come to other partitions", async () => {
      await withPartition(temp.log, 2, async (assignment) => {
        const reading = assignment.read(0, 100, 10_000);
        await sleep(20);
        await append(1, "other");
        await sleep(20);
        await append(2, "mine");
        expect(textsOf(await reading)).toEqual(["mine"]);
      });
    });

    test("ends when its consumption is closed", async () => {
      const reading = Promise.withResolvers<undefined>();
      let isStopped = false;
      const consumption = await temp.log.consume("g", async (assignment) => {
        reading.resolve(undefined);
        await assignment.read(0, 100, 60_000);
        isStopped = assignment.signal.aborted;
      });
      await reading.promise;
      await consumption.close();
      expect(isStopped).toBe(true);
    });
  });

  describe("a commit", () => {
    test("moves its group in its partition", async () => {
      await append(0, "a", "b", "c");
      await append(1, "x");
      await commit(0, { offset: 2, metadata: "m" });
      expect(await committed(0)).toEqual({ offset: 2, metadata: "m" });
      expect(await committed(1)).toEqual({ offset: 0, metadata: "" });
      expect(await committed(0, "another group")).toEqual({ offset: 0, metadata: "" });
      expect(textsOf(await readFrom(temp.log, 0, 2))).toEqual(["c"]);
    });

    test("of a note at the same offset deletes nothing", async () => {
      await append(0, "a", "b");
      await commit(0, { offset: 0, metadata: "inserting" });
      expect(await readAllText(temp.log)).toEqual(["a", "b"]);
      expect(await committed(0)).toEqual({ offset: 0, metadata: "inserting" });
    });
  });

  describe("the lag", () => {
    test("is the records that a group has not committed", async () => {
      const recordsOf = async () =>
        (await temp.log.lag("test")).map(({ partition, records }) => [partition, records]);
      expect(await recordsOf()).toEqual([
        [0, 0],
        [1, 0],
        [2, 0],
        [3, 0],
      ]);
      await append(1, "a", "b", "c");
      expect(await recordsOf()).toEqual([
        [0, 0],
        [1, 3],
        [2, 0],
        [3, 0],
      ]);
      expect((await temp.log.lag("test"))[1]?.oldestAppendedAt).toBeGreaterThan(
        Date.now() - 60_000,
      );
      await commit(1, { offset: 2, metadata: "" });
      expect((await recordsOf())[1]).toEqual([1, 1]);
      await commit(1, { offset: 3, metadata: "" });
      expect((await temp.log.lag("test"))[1]).toMatchObject({
        partition: 1,
        records: 0,
        oldestAppendedAt: undefined,
      });
    });

    test("says up to when all that was acknowledged is committed, and never more", async () => {
      const storedUntil = async () => {
        const lags = await temp.log.lag("test");
        return Math.min(...lags.map((lag) => lag.storedUntil));
      };
      const begin = Date.now();
      expect(await storedUntil()).toBeGreaterThanOrEqual(begin);
      await append(1, "a");
      const acknowledged = Date.now();
      await sleep(20);
      expect(await storedUntil()).toBeLessThanOrEqual(acknowledged);
      await append(2, "b");
      await commit(1, { offset: 1, metadata: "" });
      expect(await storedUntil()).toBeLessThanOrEqual(Date.now());
      await commit(2, { offset: 1, metadata: "" });
      const committed = Date.now();
      expect(await storedUntil()).toBeGreaterThanOrEqual(committed);
    });
  });

  describe("a compacted stream", () => {
    const put = (key: string, value: string) =>
      temp.log.append([{ stream: "accounts", partition: 0, key, value: Buffer.from(value) }]);

    async function all(): Promise<[key: string | undefined, value: string][]> {
      const found: [string | undefined, string][] = [];
      const following = await temp.log.follow(
        "accounts",
        ({ key, value }) => void found.push([key, value.toString()]),
      );
      await following.close();
      return found;
    }

    test("keeps the last record of each key, in the order of those", async () => {
      await put("a", "1");
      await put("b", "1");
      await put("a", "2");
      await put("c", "1");
      await put("b", "2");
      expect(await all()).toEqual([
        ["a", "2"],
        ["c", "1"],
        ["b", "2"],
      ]);
      await temp.reopen();
      expect(await all()).toEqual([
        ["a", "2"],
        ["c", "1"],
        ["b", "2"],
      ]);
    });

    test("forgets a key whose last record is empty", async () => {
      await put("a", "1");
      await put("a", "");
      expect((await all()).filter(([, value]) => value !== "")).toEqual([]);
      await put("a", "2");
      expect(await all()).toEqual([["a", "2"]]);
    });

    test("refuses a record without a key", async () => {
      const value = Buffer.from("x");
      await expect(temp.log.append([{ stream: "accounts", partition: 0, value }])).rejects.toThrow(
        "needs a key",
      );
      expect(await all()).toEqual([]);
    });

    test("is apart from the others, and from events", async () => {
      await put("a", "account");
      await temp.log.append([
        { stream: "dead-letters", partition: 0, key: "a", value: Buffer.from("letter") },
      ]);
      await append(0, "event");
      expect(await all()).toEqual([["a", "account"]]);
      expect(await readAllText(temp.log)).toEqual(["event"]);
    });
  });

  describe("following a stream", () => {
    test("gives what is there, then what comes, in order and once", async () => {
      const seen: string[] = [];
      const put = (value: string) =>
        temp.log.append([
          { stream: "dead-letters", partition: 0, key: value, value: Buffer.from(value) },
        ]);
      await put("1");
      await put("2");
      const following = await temp.log.follow(
        "dead-letters",
        ({ value }) => void seen.push(value.toString()),
      );
      expect(seen).toEqual(["1", "2"]);
      await put("3");
      await put("4");
      for (let tries = 0; tries < 100 && seen.length < 4; tries++) await sleep(10);
      expect(seen).toEqual(["1", "2", "3", "4"]);
      await following.close();
      await put("5");
      await sleep(300);
      expect(seen).toHaveLength(4);
    });
  });

  describe("receipts", () => {
    test("are kept until they expire, over restarts, beside records or alone", async () => {
      const expiresAt = Date.now() + 60_000;
      await temp.log.append([eventRecord(0, "a")], [{ key: "k", value: "v", expiresAt }]);
      await temp.log.append([], [{ key: "alone", value: "w", expiresAt }]);
      await temp.log.append([], [{ key: "past", value: "x", expiresAt: Date.now() - 1 }]);
      const found = () => ["k", "alone", "past", "other"].map((key) => temp.log.findReceipt(key));
      expect(found()).toEqual(["v", "w", undefined, undefined]);
      await temp.reopen();
      expect(found()).toEqual(["v", "w", undefined, undefined]);
    });

    test("outlive the records that they came with", async () => {
      await temp.log.append(
        [eventRecord(0, "a")],
        [{ key: "k", value: "v", expiresAt: Date.now() + 60_000 }],
      );
      await commit(0, { offset: 1, metadata: "" });
      expect(temp.log.findReceipt("k")).toBe("v");
    });
  });

  describe("a closed log", () => {
    test("refuses appends and commits, says so, and may be closed again", async () => {
      await append(0, "a");
      const [, commitLate] = await new Promise<
        readonly [unknown, (position: Position) => Promise<void>]
      >((resolve) => {
        void temp.log.consume("g", async (assignment) => {
          if (assignment.partition === 0) resolve([undefined, assignment.commit]);
        });
      });
      await temp.log.close();
      const unavailable = expect.objectContaining({
        code: "UNAVAILABLE",
        message: "the log is closed",
      }) as Error;
      await expect(append(0, "b")).rejects.toThrow(unavailable);
      await expect(commitLate({ offset: 1, metadata: "" })).rejects.toThrow(unavailable);
      expect(temp.log.health()).toEqual({ isUp: false, reason: "closed" });
      await temp.log.close();
      expect(textsOf(await readFrom(await temp.reopen(), 0))).toEqual(["a"]);
    });
  });

  describe("consuming", () => {
    test("tells whoever closes it of a failure, and leaves the other partitions alone", async () => {
      const begun = new Set<number>();
      const reached: number[] = [];
      const consumption = await temp.log.consume("g", async ({ partition, signal }) => {
        begun.add(partition);
        if (partition === 1) throw new Error("partition 1 failed");
        if (!signal.aborted) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }
        reached.push(partition);
      });
      for (let waited = 0; begun.size < 4 && waited < 30_000; waited += 20) await sleep(20);
      await expect(consumption.close()).rejects.toThrow("partition 1 failed");
      expect(reached.toSorted()).toEqual([0, 2, 3]);
    });
  });
}
