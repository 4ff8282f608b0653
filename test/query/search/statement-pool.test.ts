// Statements take turns by what customers have read, and by search.
import { expect, test } from "vitest";
import { StatementPool } from "../../../query/search/statement-pool.ts";

/** A pool, and tasks that note when they run. */
function recordingPool(limit = 1) {
  const pool = new StatementPool(limit);
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const run = (customer: string, search: string, name: string, bytes = 1) =>
    pool.run(customer, search, bytes, async () => {
      most = Math.max(most, ++running);
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
  return { run, order, mostAtATime: () => most };
}

test("a customer with many statements does not keep another waiting", async () => {
  const { run, order } = recordingPool();
  const heavy = Array.from({ length: 20 }, (_, index) => run("heavy", "s", `heavy ${index}`));
  await Promise.all([...heavy, run("light", "t", "light")]);
  // One was running already, one more may have its turn first.
  expect(order.indexOf("light")).toBeLessThanOrEqual(2);
  expect(order).toHaveLength(21);
});

test("shares are of bytes: who reads little at a time has more turns", async () => {
  const { run, order } = recordingPool();
  await Promise.all([
    run("other", "s", "first"),
    ...Array.from({ length: 5 }, (_, index) => run("large", "s", `large ${index}`, 1000)),
    ...Array.from({ length: 20 }, (_, index) => run("small", "t", `small ${index}`, 100)),
  ]);
  const large = order
    .map((name, at) => (name.startsWith("large") ? at : -1))
    .filter((at) => at >= 0);
  const between = large.slice(1, 3).map((at, index) => at - (large[index] ?? 0));
  expect(between[0]).toBeGreaterThanOrEqual(9);
  expect(between[0]).toBeLessThanOrEqual(12);
});

test("who comes anew has no claim on what others read before", async () => {
  const { run, order } = recordingPool();
  const old = Array.from({ length: 30 }, (_, index) => run("old", "s", `old ${index}`, 10));
  await Promise.all(old.slice(0, 15));
  const begin = order.length;
  await Promise.all([
    ...old,
    ...Array.from({ length: 10 }, (_, index) => run("new", "t", `new ${index}`, 10)),
  ]);
  // They take turns from then on: the new one does not run ten times in a row.
  const firstTen = order.slice(begin + 1, begin + 11).filter((name) => name.startsWith("new"));
  expect(firstTen.length).toBeLessThanOrEqual(7);
});

test("searches of one customer take turns, too", async () => {
  const { run, order } = recordingPool();
  await Promise.all([
    ...[0, 1, 2, 3, 4].map((index) => run("acme", "first", `first ${index}`)),
    run("acme", "second", "second 0"),
  ]);
  expect(order.indexOf("second 0")).toBeLessThanOrEqual(2);
});

test("no more run at a time than the limit, and a failure passes the turn on", async () => {
  const { run, order, mostAtATime } = recordingPool(2);
  const pool = new StatementPool(1);
  const failing = pool.run("a", "s", 1, () => Promise.reject(new Error("no")));
  const after = pool.run("a", "s", 1, () => Promise.resolve("ran"));
  await expect(failing).rejects.toThrow("no");
  expect(await after).toBe("ran");
  await Promise.all(Array.from({ length: 9 }, (_, index) => run("a", "s", String(index))));
  expect(mostAtATime()).toBe(2);
  expect(order).toHaveLength(9);
});

test("a large statement has the threads that are free, up to four, and a small one has one", async () => {
  const pool = new StatementPool(7);
  const given: Record<string, number> = {};
  const large = 64 * 1024 * 1024;
  const ends: (() => void)[] = [];
  const run = (name: string, bytes: number) =>
    pool.run("acme", "s", bytes, async (threads) => {
      given[name] = threads;
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const [first, ...others] = [
    run("first", large),
    run("small", 1000),
    run("second", large),
    run("third", large),
  ];
  expect(given).toEqual({ first: 4, small: 1, second: 2 });
  ends[0]?.();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect(given).toEqual({ first: 4, small: 1, second: 2, third: 4 });
  for (const end of ends) end();
  await Promise.all(others);
  expect(pool.width).toBe(3);
});
