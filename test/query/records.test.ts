// What customers keep in the service, over a real log: kept, changed, deleted, bounded, followed, apart.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Records } from "../../query/records.ts";
import { openTempLog, type TempLog } from "../ingest/log/log-fixture.ts";
import { waitUntil } from "../ingest/wait-until.ts";

const place = { customer: "acme", collection: "logentries-tag" } as const;
let temp: TempLog;
let records: Records;

beforeEach(async () => {
  temp = await openTempLog();
  records = await Records.open(temp.log);
});

afterEach(async () => {
  await records.close();
  await temp[Symbol.asyncDispose]();
});

test("a record is as it was put last, with the time of its first putting and a version that increases", async () => {
  const first = await records.put(place, "a", { name: "one", more: [1, null, { x: "é" }] });
  expect(first).toMatchObject({ ...place, id: "a", version: 1 });
  expect(first.changedAt).toBe(first.createdAt);
  const second = await records.put(place, "a", "a text");
  expect(second).toMatchObject({ value: "a text", version: 2, createdAt: first.createdAt });
  expect(records.find(place, "a")).toEqual(second);
  expect(records.list(place)).toEqual([second]);
});

test("records are listed by the time at which they were made", async () => {
  for (const id of ["c", "a", "b"]) {
    await records.put(place, id, id);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await records.put(place, "c", "changed");
  expect(records.list(place).map(({ id }) => id)).toEqual(["c", "a", "b"]);
});

test("records of other customers and collections are apart", async () => {
  await records.put(place, "a", 1);
  await records.put({ ...place, customer: "other" }, "a", 2);
  await records.put({ ...place, collection: "logentries-team" }, "a", 3);
  expect(records.list(place).map(({ value }) => value)).toEqual([1]);
  expect(await records.delete({ ...place, customer: "other" }, "a")).toBe(true);
  expect(records.find(place, "a")?.value).toBe(1);
  expect(records.find({ ...place, collection: "logentries-team" }, "a")?.value).toBe(3);
});

test("a deleted record is gone, deleting it again says so, and made anew it begins anew", async () => {
  await records.put(place, "a", 1);
  await records.put(place, "a", 2);
  expect(await records.delete(place, "a")).toBe(true);
  expect(await records.delete(place, "a")).toBe(false);
  expect(records.find(place, "a")).toBeUndefined();
  expect(await records.put(place, "a", 3)).toMatchObject({ version: 1, value: 3 });
});

test("a restart knows what was kept, and not what was deleted", async () => {
  await records.put(place, "a", { n: 1 });
  const kept = await records.put(place, "a", { n: 2 });
  await records.put(place, "b", "gone");
  await records.delete(place, "b");
  await records.close();
  await temp.reopen();
  records = await Records.open(temp.log);
  expect(records.list(place)).toEqual([kept]);
});

test("another process sees what is put, and one that begins later nothing of what was deleted", async () => {
  const other = await Records.open(temp.log);
  await records.put(place, "a", 1);
  await waitUntil(() => other.find(place, "a") !== undefined);
  await other.put(place, "a", 2);
  await waitUntil(() => records.find(place, "a")?.value === 2);
  expect(records.find(place, "a")?.version).toBe(2);
  await other.close();
  await records.put(place, "b", 1);
  await records.delete(place, "a");
  const later = await Records.open(temp.log);
  expect(later.list(place).map(({ id }) => id)).toEqual(["b"]);
  await later.close();
});

describe("what is beyond the bounds is refused, and nothing of it kept", () => {
  test("a value of more than 512 KiB, an id of more than 300 characters", async () => {
    const full = "x".repeat(512 * 1024 - 300);
    await records.put(place, "a", full);
    await expect(records.put(place, "b", `${full}${"x".repeat(300)}`)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      details: { limit: 512 * 1024 },
    });
    await records.put(place, "i".repeat(300), 1);
    await expect(records.put(place, "i".repeat(301), 1)).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
    expect(records.list(place)).toHaveLength(2);
  });

  test("more than 1,000 of one collection, while those there can be changed", async () => {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => records.put(place, `n${n}`, n)));
    await expect(records.put(place, "one more", 1)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      details: { limit: 1_000 },
    });
    expect(await records.put(place, "n0", "changed")).toMatchObject({ version: 2 });
    await records.put({ ...place, customer: "other" }, "a", 1);
    await records.delete(place, "n1");
    await records.put(place, "one more", 1);
    expect(records.list(place)).toHaveLength(1_000);
  });
});

test("what the log does not take is not kept", async () => {
  await records.put(place, "a", 1);
  await records.close();
  await temp.log.close();
  await expect(records.put(place, "a", 2)).rejects.toThrow();
  await expect(records.delete(place, "a")).rejects.toThrow();
  expect(records.find(place, "a")?.value).toBe(1);
  await temp.reopen();
  records = await Records.open(temp.log);
  expect(records.find(place, "a")?.value).toBe(1);
});

test("records that cannot be read, and those of a later version, are left alone", async () => {
  const key = (id: string) => `record/acme/logentries-tag/${id}`;
  const record = { ...(await records.put(place, "a", 1)), version: 5 };
  for (const [id, value] of [
    ["a", JSON.stringify(record)],
    // Older than what is known.
    ["a", JSON.stringify({ ...record, version: 4, value: "older" })],
    ["b", "{"],
    ["c", JSON.stringify({ ...record, id: "c", collection: "of a later version" })],
    ["d", JSON.stringify({ ...record, id: "d", version: 0 })],
  ] as const) {
    const value_ = Buffer.from(value);
    await temp.log.append([{ stream: "accounts", partition: 0, key: key(id), value: value_ }]);
  }
  await temp.log.append([
    { stream: "accounts", partition: 0, key: "token/a", value: Buffer.from("{}") },
  ]);
  await records.put(place, "last", 1);
  await waitUntil(() => records.find(place, "a")?.version === 5);
  expect(records.list(place).map(({ id, value }) => [id, value])).toEqual([
    ["a", 1],
    ["last", 1],
  ]);
});
