// Finds in order: newest first, one of each key, and counts that add up.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareNewestFirst,
  firstByKey,
  joinLabels,
  NewestEvents,
  RunningTally,
  splitLabels,
  type FoundEvent,
} from "../../../query/search/tally.ts";

/** Few values, so that many tie. */
const event: fc.Arbitrary<FoundEvent> = fc.record({
  time: fc.bigInt(0n, 3n),
  ingested: fc.bigInt(0n, 2n),
  labels: fc.tuple(
    fc.constantFrom("a", "b"),
    fc.constant(""),
    fc.constant(""),
    fc.constantFrom("", "z"),
  ),
  message: fc.constantFrom("m", "n", "o"),
  key: fc.constantFrom("k", "l", ""),
});

const events = fc.array(event, { maxLength: 30 });

/** By what stands first: time, arrival, then content. */
function sortKey({ time, ingested }: FoundEvent): bigint {
  return -(time * 1000n + ingested);
}

describe("the order of events", () => {
  test("is newest first, and of equal times what came in later first", () => {
    fc.assert(
      fc.property(events, (given) => {
        const keys = given.toSorted(compareNewestFirst).map(sortKey);
        expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
      }),
    );
  });

  test("is an order: of two events that differ one is always first", () => {
    fc.assert(
      fc.property(event, event, (a, b) => {
        const isSame =
          joinLabels(a.labels) === joinLabels(b.labels) &&
          a.message === b.message &&
          sortKey(a) === sortKey(b);
        if (isSame) return;
        expect(Math.sign(compareNewestFirst(a, b))).toBe(-Math.sign(compareNewestFirst(b, a)));
      }),
      { numRuns: 2000 },
    );
  });

  // Two edges may give the same time of arrival: a repeated search still has to list the same.
  test("does not depend on the order in which the store sends them", () => {
    fc.assert(
      fc.property(events, fc.infiniteStream(fc.nat()), (given, random) => {
        const shuffled = given
          .map((one) => ({ one, at: random.next().value }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ one }) => one);
        const shown = (list: readonly FoundEvent[]) =>
          list.map(({ time, ingested, labels, message }) =>
            [time, ingested, ...labels, message].join("|"),
          );
        expect(shown(shuffled.toSorted(compareNewestFirst))).toEqual(
          shown(given.toSorted(compareNewestFirst)),
        );
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the newest events", () => {
  const distinct = fc.uniqueArray(fc.nat(500), { maxLength: 120 }).map((times) =>
    times.map((time): FoundEvent => ({
      time: BigInt(time),
      ingested: 0n,
      labels: ["", "", "", ""],
      message: String(time),
      key: String(time % 7),
    })),
  );

  test("up to a limit are those of all, whatever the order they come in", () => {
    fc.assert(
      fc.property(distinct, fc.integer({ min: 1, max: 20 }), (given, limit) => {
        const newest = new NewestEvents(limit, false);
        for (const one of given) newest.add(one);
        expect(newest.newest()).toEqual(given.toSorted(compareNewestFirst).slice(0, limit));
      }),
    );
  });

  test("of each key up to a limit are those of all, whatever the order they come in", () => {
    fc.assert(
      fc.property(distinct, fc.integer({ min: 1, max: 9 }), (given, limit) => {
        const newest = new NewestEvents(limit, true);
        for (const one of given) newest.add(one);
        const expected = firstByKey(given.toSorted(compareNewestFirst)).slice(0, limit);
        expect(newest.newest()).toEqual(expected);
      }),
    );
  });

  test("of a key is the first that stands in the list; an empty key is a key", () => {
    const list = ["a", "", "b", "a", ""].map((key, index): FoundEvent => ({
      time: BigInt(9 - index),
      ingested: 0n,
      labels: ["", "", "", ""],
      message: "",
      key,
    }));
    expect(firstByKey(list).map(({ key, time }) => [key, time])).toEqual([
      ["a", 9n],
      ["", 8n],
      ["b", 7n],
    ]);
  });
});

test("a tally counts an event in its cell and in its context", () => {
  const running = new RunningTally();
  running.countOne(3, "a");
  running.countOne(3, "b");
  running.countOne(0, "a");
  const { cells, contexts } = running.finish();
  expect([...cells]).toEqual([
    [0, 1],
    [3, 2],
  ]);
  expect(contexts).toEqual(
    new Map([
      ["a", 2],
      ["b", 1],
    ]),
  );
});

test("labels that are joined come apart as they were, empty ones as well", () => {
  const label = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.tuple(label, label, label, label), (labels) => {
      expect(splitLabels(joinLabels(labels))).toEqual(labels);
    }),
  );
});
