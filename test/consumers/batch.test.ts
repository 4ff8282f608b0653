// Batches from a real log: their limits, and the exact range of one that has to be repeated.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  fillBatch,
  gatherBatch,
  repeatBatch,
  type Batch,
  type BatchLimits,
} from "../../consumers/batch.ts";
import {
  openTempLog,
  eventRecord,
  withPartition,
  type TempLog,
} from "../ingest/log/log-fixture.ts";
import { encodeEvents, eventAt } from "./store/store-fixture.ts";

const unbounded: BatchLimits = { maxBytes: 1e9, maxEvents: 1e9, maxAgeMs: 0 };

let now: number;
let temp: TempLog;

beforeEach(async () => {
  now = Date.now() - 60_000;
  temp = await openTempLog({ now: () => now });
});

afterEach(async () => {
  await temp[Symbol.asyncDispose]();
});

/** Appends records of so many events each. */
async function append(...counts: readonly number[]): Promise<void> {
  const values = counts.map((count) =>
    encodeEvents(Array.from({ length: count }, (_, index) => eventAt(BigInt(index)))),
  );
  await temp.log.append(values.map((value) => eventRecord(0, value)));
}

function gather(from: number, limits: Partial<BatchLimits> = {}): Promise<Batch | undefined> {
  return withPartition(temp.log, 0, (assignment) =>
    gatherBatch(assignment, from, { ...unbounded, ...limits }),
  );
}

function repeat(first: number, last: number): Promise<Batch | undefined> {
  return withPartition(temp.log, 0, (assignment) => repeatBatch(assignment, first, last));
}

const shapeOf = (batch: Batch | undefined) =>
  batch && {
    first: batch.first,
    last: batch.last,
    offsets: batch.records.map(({ offset }) => offset),
  };

const range = (first: number, last: number) => ({
  first,
  last,
  offsets: Array.from({ length: last - first + 1 }, (_, index) => first + index),
});

describe("a batch", () => {
  test("holds what has waited long enough, from the offset on", async () => {
    await append(1, 1, 1, 1);
    expect(shapeOf(await gather(0))).toEqual(range(0, 3));
    expect(shapeOf(await gather(2))).toEqual(range(2, 3));
  });

  test("ends with the record that brings it to its events", async () => {
    await append(10, 10, 10, 10);
    expect(shapeOf(await gather(0, { maxEvents: 20 }))).toEqual(range(0, 1));
    expect(shapeOf(await gather(0, { maxEvents: 11 }))).toEqual(range(0, 1));
    expect(shapeOf(await gather(0, { maxEvents: 1 }))).toEqual(range(0, 0));
    expect(shapeOf(await gather(2, { maxEvents: 20 }))).toEqual(range(2, 3));
  });

  test("counts a record that is no container of ours as one event", async () => {
    await temp.log.append(["x", "y", "z"].map((text) => eventRecord(0, text)));
    expect(shapeOf(await gather(0, { maxEvents: 2 }))).toEqual(range(0, 1));
  });

  test("ends before its bytes are exceeded", async () => {
    await temp.log.append(Array.from({ length: 5 }, () => eventRecord(0, Buffer.alloc(1000))));
    expect(shapeOf(await gather(0, { maxBytes: 3000 }))).toEqual(range(0, 2));
    expect(shapeOf(await gather(0, { maxBytes: 2999 }))).toMatchObject({ first: 0 });
    expect((await gather(0, { maxBytes: 2999 }))?.records.length).toBeLessThanOrEqual(3);
  });

  test("has a record that is larger than a batch, alone", async () => {
    await temp.log.append([eventRecord(0, Buffer.alloc(5000)), eventRecord(0, "b")]);
    expect(shapeOf(await gather(0, { maxBytes: 1000 }))).toEqual(range(0, 0));
  });

  test("is formed of several reads of the log", async () => {
    await temp.log.append(Array.from({ length: 12 }, () => eventRecord(0, Buffer.alloc(2 ** 20))));
    expect(shapeOf(await gather(0))).toEqual(range(0, 11));
  });

  test.each([
    { events: 1, isHeld: false },
    { events: 16_000, isHeld: true },
  ])("of $events events waits the whole time for others: $isHeld; else half", async (example) => {
    // The wait then begins when the record is seen.
    now = Date.now() + 60_000;
    await append(example.events);
    const gathering = gather(0, { maxAgeMs: 1_000 });
    await sleep(250);
    await append(1);
    await sleep(500);
    await append(1);
    expect((await gathering)?.records).toHaveLength(example.isHeld ? 3 : 2);
  });

  test("does not wait when it is full", async () => {
    now = Date.now();
    await append(5, 5);
    const begin = performance.now();
    expect(shapeOf(await gather(0, { maxEvents: 10, maxAgeMs: 30_000 }))).toEqual(range(0, 1));
    expect(performance.now() - begin).toBeLessThan(5000);
  });

  // The clock was set back since the append: the age would be over only when that time comes again.
  test("of a record from a clock that was ahead waits no longer than the age", async () => {
    now = Date.now() + 3_600_000;
    await append(1);
    let batch: Batch | undefined;
    const consumption = await temp.log.consume("g", async (assignment) => {
      if (assignment.partition !== 0) return;
      batch = await gatherBatch(assignment, 0, { ...unbounded, maxAgeMs: 100 });
    });
    for (let waited = 0; waited < 1500 && batch === undefined; waited += 20) await sleep(20);
    const formed = batch;
    await consumption.close();
    expect(shapeOf(formed)).toEqual(range(0, 0));
  });

  test("ends when its partition is taken away, with what there is", async () => {
    now = Date.now();
    await append(1);
    let batch: Batch | undefined;
    const consumption = await temp.log.consume("g", async (assignment) => {
      if (assignment.partition !== 0) return;
      batch = await gatherBatch(assignment, 0, { ...unbounded, maxAgeMs: 60_000 });
    });
    await sleep(50);
    const begin = performance.now();
    await consumption.close();
    expect(shapeOf(batch)).toEqual(range(0, 0));
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});

describe("a batch that is filled up", () => {
  const MIB = 2 ** 20;

  /** Gathers up to some bytes, then fills up what was gathered. */
  function fill(gatheredBytes: number, limits: Partial<BatchLimits> = {}) {
    return withPartition(temp.log, 0, async (assignment) => {
      const gathered = await gatherBatch(assignment, 0, { ...unbounded, maxBytes: gatheredBytes });
      if (gathered === undefined) throw new Error("nothing was gathered");
      return fillBatch(assignment, gathered, { ...unbounded, ...limits });
    });
  }

  async function appendMib(count: number): Promise<void> {
    await temp.log.append(Array.from({ length: count }, () => eventRecord(0, Buffer.alloc(MIB))));
  }

  test("takes all that is there behind it", async () => {
    await appendMib(20);
    expect(shapeOf(await fill(3 * MIB))).toEqual(range(0, 19));
  });

  test("keeps to its bytes and events, and stays as it is when it has them already", async () => {
    await appendMib(20);
    expect(shapeOf(await fill(3 * MIB, { maxBytes: 12 * MIB }))).toEqual(range(0, 11));
    expect(shapeOf(await fill(3 * MIB, { maxEvents: 7 }))).toEqual(range(0, 6));
    expect(shapeOf(await fill(3 * MIB, { maxBytes: 2 * MIB }))).toEqual(range(0, 2));
    expect(shapeOf(await fill(3 * MIB, { maxEvents: 3 }))).toEqual(range(0, 2));
  });

  test("does not wait for what has not come", async () => {
    await appendMib(3);
    expect(shapeOf(await fill(3 * MIB, { maxAgeMs: 60_000 }))).toEqual(range(0, 2));
  });
});

describe("a batch that is repeated", () => {
  test("has exactly its records, whatever came since", async () => {
    await append(1, 1, 1, 1, 1, 1);
    expect(shapeOf(await repeat(1, 3))).toEqual(range(1, 3));
    expect(shapeOf(await repeat(0, 0))).toEqual(range(0, 0));
  });

  test("of more than one read has all of them", async () => {
    await temp.log.append(Array.from({ length: 20 }, () => eventRecord(0, Buffer.alloc(2 ** 20))));
    expect(shapeOf(await repeat(0, 18))).toEqual(range(0, 18));
  });

  test("whose records are gone is none", async () => {
    await append(1, 1);
    await withPartition(temp.log, 0, (assignment) =>
      assignment.commit({ offset: 2, metadata: "" }),
    );
    expect(await repeat(0, 1)).toBeUndefined();
  });

  test("is the batch that was formed, in range and records", async () => {
    await append(3, 3, 3, 3);
    const formed = await gather(0, { maxEvents: 9 });
    expect(await repeat(0, formed?.last ?? -1)).toEqual(formed);
  });

  // Offsets may have gaps, and a position may lie in one. The range names the insert's token: were it
  // another when repeated, the store would take the batch for a new one.
  test("is the batch that was formed also when the position lies in a gap", async () => {
    await append(1, 1, 1, 1);
    await withPartition(
      temp.log,
      0,
      (assignment) => assignment.commit({ offset: 2, metadata: "" }),
      "another group",
    );
    const formed = await gather(0);
    expect(formed?.records.map(({ offset }) => offset)).toEqual([2, 3]);
    expect(await repeat(0, formed?.last ?? -1)).toEqual(formed);
  });
});
