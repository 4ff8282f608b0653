// An answer grows slice by slice: what is shown never moves, and what is final is said so in time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Answer } from "../../../query/search/answer.ts";
import {
  readSearchRequest,
  type SearchRequest,
  type SearchType,
} from "../../../query/search/request.ts";
import type { SearchReply } from "../../support/snapshots.ts";
import { packCells } from "./slice-fixture.ts";
import { firstByKey, type Finds, type FoundEvent } from "../../../query/search/tally.ts";

function requestOf(type: SearchType, given: Readonly<Record<string, string>> = {}): SearchRequest {
  const regex = "(?<key>(?txt(.*)))(?<x>(?int))(?<y>(?int))";
  return readSearchRequest(new URLSearchParams({ customer: "acme", regex, type, ...given }));
}

function found(time: number, given: Partial<FoundEvent> = {}): FoundEvent {
  return {
    time: BigInt(time),
    ingested: 0n,
    labels: ["web", "", "", ""],
    message: `m${time}`,
    ...given,
  };
}

const eventsOf = (...events: readonly FoundEvent[]): Finds => ({
  kind: "events",
  events,
  cutAt: undefined,
});

/** What a client reads. */
function read(answer: Answer): Pick<SearchReply, "events" | "contexts" | "counts"> {
  return JSON.parse(`{${Buffer.concat(answer.render()).toString()}}`) as SearchReply;
}

const messages = (answer: Answer) => read(answer).events.map(({ message }) => message);

/** Slices newest first, each of events newest first, as a plan has them. */
const slices = fc
  .array(fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((keys) =>
    keys.map((slice, index) => slice.map((key, at) => found(1000 - index * 10 - at, { key }))),
  );

const order = (length: number) =>
  fc.shuffledSubarray([...Array(length).keys()], { minLength: length, maxLength: length });

const withOrder = slices.chain((all) => fc.tuple(fc.constant(all), order(all.length)));

describe("newest events", () => {
  test("come out newest first whatever slice is done first, and what is shown never moves", () => {
    fc.assert(
      fc.property(withOrder, fc.integer({ min: 1, max: 12 }), ([all, done], limit) => {
        const answer = new Answer(requestOf("BACKWARD_RESULTS", { limit: String(limit) }));
        let shown: string[] = [];
        for (const index of done) {
          answer.add(index, eventsOf(...(all[index] ?? [])));
          const now = messages(answer);
          expect(now.slice(0, shown.length)).toEqual(shown);
          shown = now;
        }
        expect(shown).toEqual(
          all
            .flat()
            .slice(0, limit)
            .map(({ message }) => message),
        );
      }),
    );
  });

  test("of an older slice wait until every newer one is known", () => {
    const answer = new Answer(requestOf("BACKWARD_RESULTS"));
    answer.add(1, eventsOf(found(5)));
    answer.add(2, eventsOf(found(3)));
    expect(messages(answer)).toEqual([]);
    answer.add(0, eventsOf(found(9)));
    expect(messages(answer)).toEqual(["m9", "m5", "m3"]);
  });

  test("do not wait for a slice that failed", () => {
    const answer = new Answer(requestOf("BACKWARD_RESULTS"));
    answer.add(1, eventsOf(found(5)));
    answer.add(0, undefined);
    expect(messages(answer)).toEqual(["m5"]);
  });

  test("are certain once the limit is reached without a gap, not before", () => {
    const answer = new Answer(requestOf("BACKWARD_RESULTS", { limit: "2" }));
    expect(answer.wanted).toBe(2);
    answer.add(1, eventsOf(found(5), found(4), found(3)));
    expect(answer.isCertain).toBe(false);
    answer.add(0, eventsOf(found(9)));
    expect(answer.isCertain).toBe(true);
    expect(answer.wanted).toBe(0);
    expect(messages(answer)).toEqual(["m9", "m5"]);
  });

  test("fewer than the limit are never certain by themselves", () => {
    const answer = new Answer(requestOf("BACKWARD_RESULTS", { limit: "5" }));
    answer.add(0, eventsOf(found(9), found(8)));
    expect(answer.isCertain).toBe(false);
    expect(answer.wanted).toBe(3);
  });
});

describe("any events", () => {
  test("are shown as they come, and certain at the limit", () => {
    const answer = new Answer(requestOf("UNSORTED_RESULTS", { limit: "3" }));
    answer.add(7, eventsOf(found(1), found(2)));
    expect(messages(answer)).toEqual(["m1", "m2"]);
    expect(answer.isCertain).toBe(false);
    answer.add(0, eventsOf(found(9), found(8)));
    expect(messages(answer)).toEqual(["m1", "m2", "m9"]);
    expect(answer.isCertain).toBe(true);
  });
});

describe("the newest of each key", () => {
  test("is that of all slices, whatever slice is done first", () => {
    fc.assert(
      fc.property(withOrder, fc.integer({ min: 1, max: 5 }), ([all, done], limit) => {
        const answer = new Answer(
          requestOf("BACKWARD_RESULTS_ONE_PER_KEY31", { limit: String(limit) }),
        );
        let shown: string[] = [];
        for (const index of done) {
          answer.add(index, eventsOf(...firstByKey(all[index] ?? [])));
          const now = messages(answer);
          expect(now.slice(0, shown.length)).toEqual(shown);
          shown = now;
        }
        const expected = firstByKey(all.flat()).slice(0, limit);
        expect(shown).toEqual(expected.map(({ message }) => message));
        expect(answer.isCertain).toBe(expected.length === limit);
      }),
    );
  });

  test("carries its key, an empty one as well; other types have none", () => {
    const keyed = new Answer(requestOf("BACKWARD_RESULTS_ONE_PER_KEY31"));
    keyed.add(0, eventsOf(found(9, { key: "é" }), found(8, { key: "" })));
    expect(read(keyed).events.map(({ key }) => key)).toEqual(["é", ""]);
    const plain = new Answer(requestOf("BACKWARD_RESULTS"));
    plain.add(0, eventsOf(found(9)));
    expect(read(plain).events).toEqual([{ time: "9", context: 0, message: "m9" }]);
  });
});

describe("contexts", () => {
  test("are listed once, and events name them by their index", () => {
    const answer = new Answer(requestOf("BACKWARD_RESULTS"));
    answer.add(
      0,
      eventsOf(
        found(9, { labels: ["b", "", "", "x"] }),
        found(8, { labels: ["a", "", "", ""] }),
        found(7, { labels: ["b", "", "", "x"] }),
      ),
    );
    expect(read(answer)).toEqual({
      events: [
        { time: "9", context: 0, message: "m9" },
        { time: "8", context: 1, message: "m8" },
        { time: "7", context: 0, message: "m7" },
      ],
      contexts: [
        { customer: "acme", prefix0: "b", prefix1: "", prefix2: "", prefix3: "x" },
        { customer: "acme", prefix0: "a", prefix1: "", prefix2: "", prefix3: "" },
      ],
      counts: [],
    });
  });

  test("of events beyond the limit are not listed", () => {
    const answer = new Answer(requestOf("UNSORTED_RESULTS", { limit: "1" }));
    answer.add(0, eventsOf(found(9), found(8, { labels: ["other", "", "", ""] })));
    expect(read(answer).contexts).toHaveLength(1);
  });

  test("times beyond what a JavaScript number can say are exact", () => {
    const answer = new Answer(requestOf("UNSORTED_RESULTS"));
    answer.add(0, eventsOf({ ...found(0), time: 1_795_254_011_690_123_457n }));
    expect(read(answer).events[0]?.time).toBe("1795254011690123457");
  });
});

describe("counts", () => {
  const tally = (cells: [number, number][], contexts: [string, number][]): Finds => ({
    kind: "tally",
    tally: { cells: packCells(cells), contexts: new Map(contexts) },
  });
  const web = "web\0\0\0";
  const db = "db\0x\0\0";

  test("have a number for every cell, grow with each slice, and add up to the contexts'", () => {
    const answer = new Answer(requestOf("EXACT_COUNTS_BINNED", { timeBins: "4" }));
    expect(read(answer)).toEqual({ events: [], contexts: [], counts: [0, 0, 0, 0] });
    answer.add(2, tally([[3, 5]], [[web, 5]]));
    answer.add(
      0,
      tally(
        [
          [0, 1],
          [3, 2],
        ],
        [
          [web, 1],
          [db, 2],
        ],
      ),
    );
    expect(read(answer)).toEqual({
      events: [],
      contexts: [
        { customer: "acme", prefix0: "web", prefix1: "", prefix2: "", prefix3: "", count: 6 },
        { customer: "acme", prefix0: "db", prefix1: "x", prefix2: "", prefix3: "", count: 2 },
      ],
      counts: [1, 0, 0, 7],
    });
  });

  const some = fc.record({
    cells: fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat(100)), { selector: ([cell]) => cell }),
    contexts: fc.uniqueArray(fc.tuple(fc.constantFrom(web, db), fc.nat(100)), {
      selector: ([context]) => context,
    }),
  });
  test("are the sum of the slices', in any order, and leave those as they were", () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 6 }), (all) => {
        const given = all.map(({ cells, contexts }) => tally(cells, contexts));
        const [forward, backward] = ["4", "4"].map(
          (timeBins) => new Answer(requestOf("EXACT_COUNTS_BINNED", { timeBins })),
        ) as [Answer, Answer];
        for (const [index, finds] of given.entries()) forward.add(index, finds);
        for (const [index, finds] of given.toReversed().entries()) backward.add(index, finds);
        const sum = (pairs: readonly (readonly [unknown, number])[], key: unknown) =>
          pairs.reduce((total, [own, count]) => total + (own === key ? count : 0), 0);
        const reply = read(forward);
        const cells = all.flatMap((one) => one.cells);
        expect(reply.counts).toEqual([0, 1, 2, 3].map((cell) => sum(cells, cell)));
        const contexts = all.flatMap((one) => one.contexts);
        for (const { prefix0, count } of reply.contexts) {
          expect(count).toBe(sum(contexts, prefix0 === "web" ? web : db));
        }
        expect(new Set(reply.contexts)).toEqual(new Set(read(backward).contexts));
        expect(read(backward).counts).toEqual(reply.counts);
        for (const [index, finds] of given.entries()) {
          if (finds.kind !== "tally") throw new Error("no tally");
          const held = (all[index]?.cells ?? []).filter(([, count]) => count > 0);
          expect(new Map(finds.tally.cells)).toEqual(new Map(held));
        }
      }),
    );
  });

  test("of a histogram have bins times buckets", () => {
    const answer = new Answer(
      requestOf("EXACT_XY_HISTOGRAM_BINNED", { timeBins: "2", xSplits: "1,2", ySplits: "5" }),
    );
    answer.add(0, tally([[11, 4]], [[web, 4]]));
    expect(read(answer).counts).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
  });

  test("are never certain before all is scanned, whatever the limit, and go without a slice that failed", () => {
    const answer = new Answer(requestOf("EXACT_COUNTS_BINNED", { limit: "1" }));
    answer.add(0, tally([[0, 100]], [[web, 100]]));
    answer.add(1, undefined);
    expect(answer.isCertain).toBe(false);
    expect(read(answer).counts).toEqual([100]);
  });
});

describe("what a search may hold", () => {
  const tooLarge = expect.objectContaining({
    code: "TOO_LARGE",
    details: expect.objectContaining({ field: "limit", limit: 256 * 1024 * 1024 }) as object,
  }) as Error;

  test.each(["UNSORTED_RESULTS", "BACKWARD_RESULTS"] as const)(
    "is 256 MiB: more is refused with what to do, by %s",
    (type) => {
      const answer = new Answer(requestOf(type, { limit: "10000" }));
      const message = "x".repeat(16 * 1024 * 1024);
      // The newest slice is unknown: those of a search for the newest events wait for it.
      for (let index = 1; index < 16; index++) {
        answer.add(index, eventsOf(found(index, { message })));
      }
      expect(answer.heldBytes).toBeGreaterThanOrEqual(15 * message.length);
      expect(answer.heldBytes).toBeLessThan(15 * message.length + 10_000);
      expect(() => {
        for (const index of [16, 17]) answer.add(index, eventsOf(found(index, { message })));
      }).toThrow(tooLarge);
    },
  );

  test("counts what contexts take", () => {
    const answer = new Answer(requestOf("EXACT_COUNTS_BINNED"));
    const long = "l".repeat(255);
    const contexts = (slice: number) =>
      Array.from({ length: 20_000 }, (_, index): [string, number] => [
        [`${slice}/${index}`, long, long, long].join("\0"),
        1,
      ]);
    const add = (slice: number): void =>
      answer.add(slice, {
        kind: "tally",
        tally: { cells: packCells([[0, 20_000]]), contexts: new Map(contexts(slice)) },
      });
    expect(() => {
      for (let slice = 0; slice < 10; slice++) add(slice);
    }).toThrow(tooLarge);
  });

  test("is bounded for the most cells that may be asked for, and so is the reply", () => {
    const splits = Array.from({ length: 31 }, (_, index) => index).join();
    const form = { timeBins: "4096", xSplits: splits, ySplits: splits };
    const answer = new Answer(requestOf("EXACT_XY_HISTOGRAM_BINNED", form));
    const sizeOf = () => answer.render().reduce((sum, { length }) => sum + length, 0);
    expect(sizeOf()).toBeLessThan(9e6);
    expect(answer.heldBytes).toBeLessThan(1e4);
    answer.add(0, {
      kind: "tally",
      tally: { cells: packCells([[4_194_303, 5]]), contexts: new Map([["web\0\0\0", 5]]) },
    });
    expect(read(answer).counts.at(-1)).toBe(5);
    expect(answer.heldBytes).toBeLessThan(1e5);
  });

  test("is shared between polls as long as nothing is found", () => {
    const answer = new Answer(requestOf("UNSORTED_RESULTS"));
    answer.add(0, eventsOf(found(1)));
    const [before, again] = [answer.render(), answer.render()];
    expect(before.every((piece, index) => piece === again[index])).toBe(true);
    answer.add(1, eventsOf(found(2)));
    expect(answer.render()).toContain(before[1]);
    expect(messages(answer)).toEqual(["m1", "m2"]);
  });
});
