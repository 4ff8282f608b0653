// Statements take turns by customer and by search.
import { expect, test } from "vitest";
import { StatementPool } from "../../../query/search/statement-pool.ts";

/** A pool of one, and tasks that note when they run. */
function recordingPool(limit = 1) {
  const pool = new StatementPool(limit);
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const run = (customer: string, search: string, name: string) =>
    pool.run(customer, search, async () => {
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
  const failing = pool.run("a", "s", () => Promise.reject(new Error("no")));
  const after = pool.run("a", "s", () => Promise.resolve("ran"));
  await expect(failing).rejects.toThrow("no");
  expect(await after).toBe("ran");
  await Promise.all(Array.from({ length: 9 }, (_, index) => run("a", "s", String(index))));
  expect(mostAtATime()).toBe(2);
  expect(order).toHaveLength(9);
});
