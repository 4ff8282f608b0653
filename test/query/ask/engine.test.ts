// The engine of the vendors' questions over a real store: pages, groups and figures over many hours, both ways of
// deciding, and its bounds.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../../query/ask/engine.ts";
import {
  makeQuestion,
  type Group,
  type Grouping,
  type Order,
  type Place,
  type Progress,
  type Question,
} from "../../../query/ask/question.ts";
import { parseLoggly } from "../../../query/language/loggly.ts";
import { jsonField } from "../../../query/language/field.ts";
import { StatementPool } from "../../../query/search/statement-pool.ts";
import type { StoredEvent } from "../../../schemas/event-codec.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  insertEvents,
  openTestStore,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";

let opened: TestStore;
let engine: Engine;
const total = 300;
/** Over many hours, so that there are several slices. */
const first = 400_000n * hourNs;
const step = hourNs / 5n;
const end = first + BigInt(total) * step;
const never = { signal: new AbortController().signal };

/** Threes of events have the same time, and pairs of those arrived at the same time as well. */
function eventOf(n: number): StoredEvent {
  return eventAt(first + BigInt(n - (n % 3)) * step, {
    ingested: BigInt(n - (n % 2)) + 1n,
    message: JSON.stringify({
      n,
      ms: (n * 7) % 100,
      kind: n % 2 === 0 ? "even" : "odd",
      list: ["a", n % 5],
    }),
    attributes: { n: String(n) },
  });
}

beforeAll(async () => {
  opened = await openTestStore();
  engine = new Engine({ store: opened.reader, pool: new StatementPool(2) });
  const events = Array.from({ length: total }, (_, n) => eventOf(n));
  const foreign = [eventAt(first + 1n, { customer: "other", message: '{"n":1}' })];
  await insertEvents(opened.writer, encodeEvents([...events, ...foreign]), "1");
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

function questionOf(query: string, given: Partial<Question> = {}): Question {
  return makeQuestion({
    customer: "acme",
    prefixes: ["", "", "", ""],
    begin: first,
    end,
    predicate: parseLoggly(query),
    ...given,
  });
}

/** The same question, every event of it decided by TypeScript. */
function decided(question: Question): Question {
  return { ...question, search: { ...question.search, where: undefined, isExact: false } };
}

const ways = [
  ["in the store", (question: Question) => question],
  ["by TypeScript", decided],
] as const;

describe.each(ways)("decided %s", (_, way) => {
  test.each(["newest", "oldest"] as const)(
    "pages, %s first, hold each event once",
    async (order) => {
      const question = way(questionOf("json.kind:odd"));
      const found: number[] = [];
      let after: Place | undefined;
      for (;;) {
        const page = await engine.find(question, { order, limit: 7, after }, never);
        found.push(...page.map(({ attributes }) => Number(attributes["n"])));
        after = page.at(-1);
        if (page.length < 7) break;
      }
      expect(found).toHaveLength(total / 2);
      expect(new Set(found).size).toBe(total / 2);
      const times = found.map((n) => Math.floor(n / 3));
      expect(times).toEqual([...times].sort((a, b) => (order === "newest" ? b - a : a - b)));
    },
  );

  test("counts and bins", async () => {
    const question = way(questionOf("json.n:<100"));
    const events = Array.from({ length: 100 }, (_, n) => eventOf(n).message.length);
    expect(await engine.count(question, never)).toEqual({
      count: 100,
      bytes: events.reduce((sum, length) => sum + length, 0),
    });
    const groups = await engine.group(way(questionOf("*")), { bins: 4 }, never);
    expect(groups.map(({ bin, count }) => [bin, count]).sort()).toEqual([
      [0, 75],
      [1, 75],
      [2, 75],
      [3, 75],
    ]);
  });

  test("groups by several fields, and by each value of a list", async () => {
    const keys = [{ field: jsonField("kind") }, { field: jsonField("list"), isMulti: true }];
    const groups = await engine.group(way(questionOf("*")), { keys }, never);
    expect(groups).toHaveLength(2 * 6);
    const of = (kind: string, item: string) =>
      groups.find(({ keys }) => keys[0] === kind && keys[1] === item)?.count;
    expect(of("even", "a")).toBe(150);
    expect(of("odd", "3")).toBe(30);
  });

  test("a missing field makes no group unless it is asked to", async () => {
    const field = jsonField("nothing");
    expect(await engine.group(way(questionOf("*")), { keys: [{ field }] }, never)).toEqual([]);
    const kept = await engine.group(
      way(questionOf("*")),
      { keys: [{ field, keepsMissing: true }] },
      never,
    );
    expect(kept).toMatchObject([{ keys: [null], count: total }]);
  });

  test("figures of numbers", async () => {
    const measures = [
      { field: jsonField("ms"), quantiles: [0, 0.5, 0.95, 1], deviation: true, unique: true },
      { field: jsonField("kind"), unique: true },
    ];
    const [group] = await engine.group(way(questionOf("*")), { measures }, never);
    const values = Array.from({ length: total }, (_, n) => (n * 7) % 100).sort((a, b) => a - b);
    const sum = values.reduce((all, value) => all + value, 0);
    const mean = sum / total;
    const at = (quantile: number) => {
      const place = (total - 1) * quantile;
      const [low = 0, high = 0] = [values[Math.floor(place)], values[Math.ceil(place)]];
      return low + (high - low) * (place - Math.floor(place));
    };
    expect(group?.measures).toEqual([
      {
        present: total,
        numbers: total,
        sum,
        min: 0,
        max: 99,
        unique: 100,
        deviation: expect.closeTo(
          Math.sqrt(values.reduce((all, value) => all + (value - mean) ** 2, 0) / total),
        ) as number,
        quantiles: [0, 0.5, 0.95, 1].map((quantile) => expect.closeTo(at(quantile)) as number),
      },
      expect.objectContaining({
        present: total,
        numbers: 0,
        sum: 0,
        min: null,
        max: null,
        unique: 2,
      }),
    ]);
  });
});

test("both ways of deciding say the same of any question", async () => {
  const queries = [
    "*",
    "even",
    "json.ms:[10 TO 50]",
    "NOT json.list:3",
    "json.kind:e* OR json.n:7",
    "nothing",
  ];
  const groupings: Grouping[] = [
    {},
    { bins: 7 },
    {
      keys: [{ field: jsonField("list"), isMulti: true }],
      measures: [{ field: jsonField("n"), quantiles: [0.3] }],
    },
  ];
  const name = ({ bin, keys }: Group) => JSON.stringify([bin, keys]);
  const sorted = (groups: Group[]) => groups.sort((a, b) => (name(a) < name(b) ? -1 : 1));
  for (const query of queries) {
    const question = questionOf(query);
    for (const grouping of groupings) {
      const [inStore, here] = await Promise.all([
        engine.group(question, grouping, never),
        engine.group(decided(question), grouping, never),
      ]);
      const plain = (groups: Group[]) =>
        sorted(groups).map((group) => ({
          ...group,
          measures: group.measures.map(({ sum, min, max, numbers, quantiles }) => ({
            sum,
            min,
            max,
            numbers,
            quantiles,
          })),
        }));
      expect(plain(here)).toEqual(plain(inStore));
    }
    for (const order of ["newest", "oldest"] satisfies Order[]) {
      const page = { order, limit: 20 };
      expect(await engine.find(decided(question), page, never)).toEqual(
        await engine.find(question, page, never),
      );
    }
  }
});

test("only the time asked for counts, to the nanosecond", async () => {
  const at = first + 30n * step;
  expect(await engine.count(questionOf("*", { begin: at, end: at + 1n }), never)).toMatchObject({
    count: 3,
  });
  expect(
    await engine.count(questionOf("*", { begin: at + 1n, end: at + 2n }), never),
  ).toMatchObject({ count: 0 });
  expect(await engine.count(questionOf("*", { begin: at, end: at }), never)).toMatchObject({
    count: 0,
  });
});

test("a question that may see nothing finds nothing", async () => {
  const question = questionOf("*", { prefixes: undefined });
  expect(await engine.find(question, { order: "newest", limit: 5 }, never)).toEqual([]);
  expect(await engine.count(question, never)).toEqual({ count: 0, bytes: 0 });
});

test("progress grows to all blocks", async () => {
  const seen: Progress[] = [];
  await engine.group(
    questionOf("*"),
    {},
    { ...never, onProgress: (progress) => seen.push(progress) },
  );
  expect(seen[0]).toMatchObject({ doneBlocks: 0 });
  const last = seen.at(-1);
  expect(last?.doneBlocks).toBe(last?.blocks);
  expect(last?.blocks).toBeGreaterThan(0);
});

test("an aborted question is given up with the signal's reason", async () => {
  const stop = new AbortController();
  const reason = new Error("nobody waits");
  stop.abort(reason);
  const asking = { signal: stop.signal };
  await expect(engine.count(questionOf("*"), asking)).rejects.toBe(reason);
  await expect(engine.find(questionOf("*"), { order: "newest", limit: 1 }, asking)).rejects.toBe(
    reason,
  );
});

test("more groups than an answer may have are refused", async () => {
  const many = Array.from({ length: 100_001 }, (_, n) =>
    eventAt(first + BigInt(n), { customer: "many", message: `{"k":${n}}` }),
  );
  await insertEvents(opened.writer, encodeEvents(many), "many", 1024 * 1024);
  const question = questionOf("*", { customer: "many" });
  for (const one of [question, decided(question)]) {
    await expect(
      engine.group(one, { keys: [{ field: jsonField("k") }] }, never),
    ).rejects.toMatchObject({
      code: "TOO_LARGE",
      details: { limit: 100_000 },
    });
  }
});

describe("a store that says nothing", () => {
  const waits = { planMs: 300, statementMs: 600 };

  /** Stops the store's process when called; what it is asked then waits. */
  function hang(): void {
    process.kill(opened.store.pid ?? 0, "SIGSTOP");
  }

  function goOn(): void {
    process.kill(opened.store.pid ?? 0, "SIGCONT");
  }

  test("is not waited for: neither for a plan, nor for a statement, nor for a turn", async () => {
    const pool = new StatementPool(1);
    const hasty = new Engine({ store: opened.reader, pool, waits });
    const question = questionOf("*");
    const ask = (onProgress?: (progress: Progress) => void) =>
      hasty.count(question, { ...never, ...(onProgress && { onProgress }) });
    const away = { code: "UNAVAILABLE", message: "the store does not answer" };
    const late = { code: "UNAVAILABLE", details: { reason: "timeout" } };
    try {
      // It hangs when the plan is made: the statement has begun, and a second one waits for its turn.
      const planned = Promise.withResolvers<void>();
      const waiting = ask(() => void planned.promise);
      await Promise.all([
        expect(ask(hang)).rejects.toMatchObject(late),
        waiting.catch((error: unknown) => expect(error).toMatchObject({ code: "UNAVAILABLE" })),
      ]);
      await expect(ask()).rejects.toMatchObject(away);
      await expect(hasty.count(question, { ...never, isPolled: true })).rejects.toMatchObject(away);
    } finally {
      goOn();
    }
    expect(await ask()).toMatchObject({ count: total });
  });
});
