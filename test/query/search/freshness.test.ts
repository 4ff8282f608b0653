// Up to when everything acknowledged is searchable, by where a group stands in a real log.
import { expect, test } from "vitest";
import { Freshness } from "../../../query/search/freshness.ts";
import { eventRecord, openTempLog, withPartition } from "../../ingest/log/log-fixture.ts";

test("is now when everything is stored, else the time of the oldest record that is not", async () => {
  await using temp = await openTempLog();
  const { log } = temp;
  const look = () => new Freshness(() => log.lag("store")).searchableUntil();
  const before = Date.now();
  expect(await look()).toBeGreaterThanOrEqual(before);

  await log.append([eventRecord(1, "a")]);
  const appended = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 30));
  await log.append([eventRecord(2, "b")]);
  expect(await look()).toBeLessThanOrEqual(appended);
  expect(await look()).toBeGreaterThanOrEqual(before);

  const store = (partition: number) =>
    withPartition(log, partition, ({ commit }) => commit({ offset: 1, metadata: "" }), "store");
  await store(1);
  expect(await look()).toBeGreaterThan(appended);
  await store(2);
  const after = Date.now();
  expect(await look()).toBeGreaterThanOrEqual(after);
});

test("is waited for until it has caught up, and no longer than told", async () => {
  await using temp = await openTempLog();
  const { log } = temp;
  const freshness = new Freshness(() => log.lag("store"));
  await log.append([eventRecord(0, "a")]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await freshness.caughtUp(100);
  expect(await freshness.searchableUntil()).toBeLessThan(Date.now() - 90);

  let isCaughtUp = false;
  const waiting = freshness.caughtUp(20_000).then(() => (isCaughtUp = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isCaughtUp).toBe(false);
  await withPartition(log, 0, ({ commit }) => commit({ offset: 1, metadata: "" }), "store");
  await waiting;
});

test("is waited for also while the log is away for a moment", async () => {
  await using temp = await openTempLog();
  let looks = 0;
  const freshness = new Freshness(() =>
    ++looks < 3 ? Promise.reject(new Error("the log is away")) : temp.log.lag("store"),
  );
  await freshness.caughtUp(20_000);
  expect(looks).toBe(3);
  await expect(freshness.searchableUntil()).resolves.toBeGreaterThan(0);
});
