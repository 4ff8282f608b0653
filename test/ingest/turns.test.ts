// A bounded number of tasks at a time, the others in order.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "../../ingest/turns.ts";

test("no more run at a time than may, and all run in the order in which they came", async () => {
  const turns = new Turns(3);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      turns.run(async () => {
        begun.push(index);
        most = Math.max(most, ++running);
        await nextTurn();
        if (index % 2 === 0) await nextTurn();
        running--;
      }),
    ),
  );
  expect(begun).toEqual(Array.from({ length: 30 }, (_, index) => index));
  expect(most).toBe(3);
});

test("a task's result and its failure reach whoever asked, and a failure passes the turn on", async () => {
  const turns = new Turns(1);
  const failing = turns.run(() => Promise.reject(new Error("no")));
  const throwing = turns.run(() => {
    throw new Error("at once");
  });
  const after = turns.run(() => Promise.resolve("ran"));
  await expect(failing).rejects.toThrow("no");
  await expect(throwing).rejects.toThrow("at once");
  expect(await after).toBe("ran");
});

test("nobody takes a turn between its end and the next in line", async () => {
  const turns = new Turns(1);
  const begun: string[] = [];
  const first = turns.run(async () => {
    begun.push("first");
    await nextTurn();
  });
  const second = turns.run(async () => {
    begun.push("second");
    await nextTurn();
  });
  // Comes when the first has just ended: the second was in line before.
  const third = first.then(() => turns.run(async () => void begun.push("third")));
  await Promise.all([second, third]);
  expect(begun).toEqual(["first", "second", "third"]);
});

test("after a lull as many run at a time as before", async () => {
  const turns = new Turns(2);
  for (let round = 0; round < 3; round++) {
    let running = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 5 }, () =>
        turns.run(async () => {
          most = Math.max(most, ++running);
          await nextTurn();
          running--;
        }),
      ),
    );
    expect(most).toBe(2);
  }
});
