// Places in sequences: stored once, remembered over restarts, and requests of a session in order.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { IncomingEvent } from "../../ingest/protocols/door.ts";
import { Sequences } from "../../ingest/sequences.ts";
import { openTempLog, type TempLog } from "./log/log-fixture.ts";

let temp: TempLog;

beforeEach(async () => {
  temp = await openTempLog();
});

afterEach(() => temp[Symbol.asyncDispose]());

const eventAt = (id: string, number: number | bigint): IncomingEvent => ({
  message: `${id}-${number}`,
  sequence: { id, number },
});

/** Stores a request's events with their receipts, and returns those that were new. */
function store(
  sequences: Sequences,
  events: readonly IncomingEvent[],
  session = "s",
): Promise<string[]> {
  return sequences.inOrder(session, async (places) => {
    const taken = [...places.unseen(events)].map(({ message }) => message.toString());
    expect(places.repeated).toBe(events.length - taken.length);
    await temp.log.append([], places.receipts());
    return taken;
  });
}

describe("a place", () => {
  test("is stored once, within a request, over requests and over restarts", async () => {
    const first = [eventAt("a", 1), eventAt("a", 2), eventAt("a", 2), eventAt("b", 1)];
    expect(await store(new Sequences(temp.log), first)).toEqual(["a-1", "a-2", "b-1"]);
    await temp.reopen();
    const second = [eventAt("a", 2), eventAt("a", 3), eventAt("b", 1)];
    expect(await store(new Sequences(temp.log), second)).toEqual(["a-3"]);
  });

  test("of another session is another one", async () => {
    const sequences = new Sequences(temp.log);
    await store(sequences, [eventAt("a", 1)], "one");
    expect(await store(sequences, [eventAt("a", 1)], "other")).toEqual(["a-1"]);
  });

  test("below a stored one is new, if it was not stored", async () => {
    const sequences = new Sequences(temp.log);
    await store(sequences, [eventAt("a", 100), eventAt("a", 0)]);
    expect(await store(sequences, [eventAt("a", 50), eventAt("a", 0)])).toEqual(["a-50"]);
  });

  test("is exact beyond the numbers of JavaScript", async () => {
    const sequences = new Sequences(temp.log);
    const large = 999_999_999_999_999_998n;
    await store(sequences, [eventAt("a", large), eventAt("a", Number.MAX_SAFE_INTEGER)]);
    expect(
      await store(sequences, [
        eventAt("a", large),
        eventAt("a", large + 1n),
        eventAt("a", Number.MAX_SAFE_INTEGER),
        eventAt("a", Number.MAX_SAFE_INTEGER - 1),
      ]),
    ).toEqual([`a-${large + 1n}`, `a-${Number.MAX_SAFE_INTEGER - 1}`]);
  });

  test("of a long sequence is remembered, the oldest as a whole", async () => {
    const sequences = new Sequences(temp.log);
    const events = Array.from({ length: 5000 }, (_, index) => eventAt("a", index * 10));
    expect(await store(sequences, events)).toHaveLength(5000);
    expect(await store(sequences, events)).toEqual([]);
    expect(await store(sequences, [eventAt("a", 49_995), eventAt("a", 50_000)])).toEqual([
      "a-49995",
      "a-50000",
    ]);
  });

  test("of a request that failed is free", async () => {
    const sequences = new Sequences(temp.log);
    const failing = sequences.inOrder("s", (places) => {
      expect([...places.unseen([eventAt("a", 1)])]).toHaveLength(1);
      return Promise.reject(new Error("no room"));
    });
    await expect(failing).rejects.toThrow("no room");
    expect(await store(sequences, [eventAt("a", 1)])).toEqual(["a-1"]);
  });
});

test("an event without a place is always new", async () => {
  const sequences = new Sequences(temp.log);
  const events = [{ message: "m" }, { message: "m" }];
  expect(await store(sequences, events)).toEqual(["m", "m"]);
  expect(await store(sequences, events)).toEqual(["m", "m"]);
});

test("requests of a session are stored one after the other, those of others at once", async () => {
  const sequences = new Sequences(temp.log);
  const steps: string[] = [];
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const first = sequences.inOrder("s", async () => {
    steps.push("first begins");
    await held;
    steps.push("first ends");
  });
  const second = sequences.inOrder("s", async () => {
    steps.push("second");
  });
  await sequences.inOrder("other", async () => {
    steps.push("other");
  });
  release();
  await Promise.all([first, second]);
  expect(steps).toEqual(["first begins", "other", "first ends", "second"]);
});

test("a request with too many sequences is refused", async () => {
  const events = Array.from({ length: 1001 }, (_, index) => eventAt(String(index), 1));
  await expect(store(new Sequences(temp.log), events)).rejects.toThrow("more than 1000 sequences");
});
