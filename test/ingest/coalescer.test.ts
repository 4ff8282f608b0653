// Concurrent requests share records; what fails, fails for its whole group and for nobody else.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Coalescer } from "../../ingest/coalescer.ts";
import type { EncodedRequest } from "../../ingest/encode.ts";
import type { Receipt } from "../../ingest/log/log.ts";
import { isUniqueBlockId } from "../../schemas/block-id.ts";
import { blockIdOf, decodeContainer } from "../../schemas/event-codec.ts";
import { anEvent, encode } from "../schemas/random-event.ts";
import { openTempLog, readFrom, type TempLog } from "./log/log-fixture.ts";

let temp: TempLog;

beforeEach(async () => {
  temp = await openTempLog();
});

afterEach(async () => {
  await temp[Symbol.asyncDispose]();
});

/** A request of one event for each of the partitions. */
function requestOf(message: string, ...partitions: readonly number[]): EncodedRequest {
  const pieces = partitions.map((partition) => ({
    partition,
    events: encode([anEvent({ message })]),
  }));
  return {
    pieces,
    accepted: pieces.length,
    invalidUtf8: 0,
    mended: 0,
    sizeBytes: pieces.reduce((sum, { events }) => sum + events.bytes.length, 0),
  };
}

function receiptOf(key: string): Receipt {
  return { key, value: `receipt of ${key}`, expiresAt: Date.now() + 60_000 };
}

/** The messages of each record of a partition. */
async function recordsOf(partition: number): Promise<string[][]> {
  const records = await readFrom(temp.log, partition);
  return records.map(({ value }) => decodeContainer(value).map(({ message }) => message));
}

test("small requests at once share one record, in order of arrival, and are durable when acknowledged", async () => {
  const coalescer = new Coalescer(temp.log, 5);
  const names = Array.from({ length: 50 }, (_, index) => `request ${index}`);
  await Promise.all(names.map((name) => coalescer.submit(requestOf(name, 2))));
  expect(await recordsOf(2)).toEqual([names]);
  expect(await recordsOf(1)).toEqual([]);
});

test("a request alone waits no longer than the linger", async () => {
  const coalescer = new Coalescer(temp.log, 30);
  const begin = performance.now();
  await coalescer.submit(requestOf("alone", 0));
  expect(performance.now() - begin).toBeGreaterThan(25);
  expect(performance.now() - begin).toBeLessThan(2000);
  await coalescer.submit(requestOf("later", 0));
  expect(await recordsOf(0)).toEqual([["alone"], ["later"]]);
});

test("a group of 512 KiB does not wait for the linger", async () => {
  const coalescer = new Coalescer(temp.log, 60_000);
  const large = "x".repeat(130 * 1024);
  await Promise.all([0, 1, 2, 3].map(() => coalescer.submit(requestOf(large, 0))));
  expect((await recordsOf(0)).flat()).toHaveLength(4);
});

test("a record is closed before it exceeds 256 KiB, and none is lost or moved", async () => {
  const coalescer = new Coalescer(temp.log, 10);
  const messages = Array.from({ length: 12 }, (_, index) => `${index} `.padEnd(60_000, "y"));
  await Promise.all(messages.map((message) => coalescer.submit(requestOf(message, 3))));
  const records = await readFrom(temp.log, 3);
  expect(records.length).toBeGreaterThan(2);
  for (const { value } of records) expect(value.length).toBeLessThan(257 * 1024);
  expect((await recordsOf(3)).flat()).toEqual(messages);
});

test("a request over several partitions is one record in each, and its receipt comes with them", async () => {
  const coalescer = new Coalescer(temp.log, 1);
  await coalescer.submit(requestOf("spread", 0, 1, 3), receiptOf("k"));
  expect(await Promise.all([0, 1, 2, 3].map(recordsOf))).toEqual([
    [["spread"]],
    [["spread"]],
    [],
    [["spread"]],
  ]);
  expect(temp.log.findReceipt("k")).toBe("receipt of k");
  expect((await temp.reopen()).findReceipt("k")).toBe("receipt of k");
});

test("every record has a block id of its own", async () => {
  const coalescer = new Coalescer(temp.log, 0);
  await coalescer.submit(requestOf("same", 0));
  await coalescer.submit(requestOf("same", 0));
  const [first, second] = await readFrom(temp.log, 0);
  expect(first?.value).not.toEqual(second?.value);
});

// An edge may die between appending events and their receipt; the repeat comes to another edge.
test("a request with a receipt has records of its own, named alike when it is repeated", async () => {
  const coalescer = new Coalescer(temp.log, 5);
  const idsOf = async (partition: number) =>
    (await readFrom(temp.log, partition)).map(({ value }) => blockIdOf(value));
  await Promise.all([
    coalescer.submit(requestOf("shared", 0)),
    coalescer.submit(requestOf("keyed", 0, 1), receiptOf("k")),
    coalescer.submit(requestOf("shared as well", 0)),
  ]);
  expect(await recordsOf(0)).toEqual([["shared", "shared as well"], ["keyed"]]);
  await new Coalescer(temp.log, 0).submit(requestOf("keyed", 0, 1), receiptOf("k"));
  await coalescer.submit(requestOf("keyed", 0, 1), receiptOf("another"));
  const [shared, first, repeated, another] = await idsOf(0);
  expect([shared, first].map((id) => isUniqueBlockId(id ?? ""))).toEqual([true, false]);
  expect(repeated).toBe(first);
  expect(another).not.toBe(first);
  const ids = await idsOf(1);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[0]).not.toBe(first);
});

describe("an append that fails", () => {
  test("rejects all of its group with its reason, and nothing of them is kept, nor their receipts", async () => {
    await using small = await openTempLog({ maxBytes: 5000 });
    const coalescer = new Coalescer(small.log, 5);
    const group = [
      coalescer.submit(requestOf("a", 0), receiptOf("a")),
      coalescer.submit(requestOf("x".repeat(6000), 1), receiptOf("large")),
      coalescer.submit(requestOf("c", 2), receiptOf("c")),
    ];
    const results = await Promise.allSettled(group);
    for (const result of results) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { code: "OVERLOADED", retryAfterSeconds: 2 },
      });
    }
    for (const partition of [0, 1, 2]) expect(await readFrom(small.log, partition)).toEqual([]);
    for (const key of ["a", "large", "c"]) expect(small.log.findReceipt(key)).toBeUndefined();

    await coalescer.submit(requestOf("after", 0), receiptOf("after"));
    expect(await readFrom(small.log, 0)).toHaveLength(1);
    expect(small.log.findReceipt("after")).toBeDefined();
  });

  test("does not concern the group before it or after it", async () => {
    await using small = await openTempLog({ maxBytes: 5000 });
    const coalescer = new Coalescer(small.log, 3);
    const before = coalescer.submit(requestOf("before", 0));
    await before;
    const failing = coalescer.submit(requestOf("x".repeat(6000), 0));
    const after = failing.catch(() => coalescer.submit(requestOf("after", 0)));
    await expect(failing).rejects.toThrow("exceed its bound of 5000");
    await after;
    expect(await readFrom(small.log, 0)).toHaveLength(2);
  });

  test("may be repeated where the bytes are kept, whatever was encoded meanwhile", async () => {
    await using small = await openTempLog({ maxBytes: 5000 });
    const message = "x".repeat(40_000);
    const request = requestOf(message, 0);
    const refusing = new Coalescer(small.log, 1, { keepsBytes: true });
    await expect(refusing.submit(request)).rejects.toMatchObject({ code: "OVERLOADED" });
    requestOf("y".repeat(40_000), 0);
    const coalescer = new Coalescer(temp.log, 1, { keepsBytes: true });
    await coalescer.submit(request);
    expect(await recordsOf(0)).toEqual([[message]]);
  });

  test("after the log was closed says that it cannot be written", async () => {
    const coalescer = new Coalescer(temp.log, 1);
    await temp.log.close();
    await expect(coalescer.submit(requestOf("late", 0))).rejects.toThrow(
      expect.objectContaining({ code: "UNAVAILABLE" }),
    );
    await temp.reopen();
    expect(await recordsOf(0)).toEqual([]);
  });
});

test("closing appends what waits, at once", async () => {
  const coalescer = new Coalescer(temp.log, 60_000);
  const submitted = ["a", "b"].map((name) => coalescer.submit(requestOf(name, 1)));
  await coalescer.close();
  await Promise.all(submitted);
  expect(await recordsOf(1)).toEqual([["a", "b"]]);
  await coalescer.close();
});
