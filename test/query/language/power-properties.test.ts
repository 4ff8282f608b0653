// Random power queries make on ClickHouse what plain definitions say.
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commands, fields, groups, type Cell, type Step, type Table } from "./naive-power.ts";
import { answerOf } from "./power-answer.ts";
import { QueryStore, type PlainEvent } from "./query-store.ts";

const rounds = 40 * Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

const values = ["", "0", "404", "4e2", "7.5", "-3", "bob", "Bob", "ошибка", "x'\"y", "false", " 7"];
const events = fc
  .sample(
    fc.record({
      host: fc.constantFrom("", "web-1", "web-10"),
      attributes: fc.dictionary(
        fc.constantFrom("user", "ms", "status"),
        fc.constantFrom(...values),
      ),
    }),
    120,
  )
  .map(({ host, attributes }, index): PlainEvent => ({
    time: 1_795_132_800_000_000_000n + BigInt(index) * 7_000_000_000n,
    message: `event ${String(index)}`,
    prefixes: [host, "app.log", "", "scalyr"],
    attributes: { ...attributes },
  }));

let store: QueryStore;

beforeAll(async () => {
  store = await QueryStore.open(events);
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

/** All events, newest first; behind a command, `filter` takes an expression. */
const source: Table = {
  columns: new Map([["z", "number"]]),
  rows: events.toReversed().map((event) => ({ cells: new Map([["z", 0]]), event })),
};

interface Query {
  readonly text: string;
  readonly expected: Table;
}

function extend(query: Query, steps: number, areEvents: boolean): fc.Arbitrary<Query> {
  if (steps === 0) return fc.constant(query);
  return commands(query.expected.columns, areEvents).chain((step) =>
    extend(add(query, step), steps - 1, areEvents),
  );
}

function add({ text, expected }: Query, step: Step): Query {
  return { text: `${text} | ${step.text}`, expected: step.apply(expected) };
}

/** Names that a table of events shows, so that the others are not in question. */
function shown(query: Query): Query {
  const names = [...new Set([...fields, ...query.expected.columns.keys()])];
  return {
    text: `${query.text} | columns ${names.join(", ")}`,
    expected: {
      columns: new Map(names.map((name) => [name, "text"])),
      rows: query.expected.rows.map(({ cells, event }) => ({
        cells: new Map(
          names.map((name): [string, Cell] => [
            name,
            cells.has(name)
              ? (cells.get(name) ?? null)
              : name === "serverHost"
                ? event?.prefixes[0] || null
                : (event?.attributes[name] ?? null),
          ]),
        ),
      })),
    },
  };
}

const queries = fc.integer({ min: 0, max: 3 }).chain((before) =>
  extend({ text: "| let z = 0", expected: source }, before, true).chain((query) =>
    fc.boolean().chain((isGrouped) =>
      isGrouped
        ? groups(query.expected.columns, true).chain((step) => {
            const grouped = add(query, step);
            return fc.integer({ min: 0, max: 2 }).chain((after) => extend(grouped, after, false));
          })
        : fc.constant(shown(query)),
    ),
  ),
);

/** Sums are added up in another order. */
function isSame(found: unknown, expected: Cell): boolean {
  if (typeof found !== "number" || typeof expected !== "number") return found === expected;
  return Math.abs(found - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
}

test("random queries make the tables that plain definitions make", async () => {
  for (const { text, expected } of fc.sample(queries, rounds)) {
    const names = [...expected.columns.keys()];
    const { columns, rows } = await answerOf(store, text);
    expect(columns, text).toEqual(names);
    const plain = expected.rows.map(({ cells }) => names.map((name) => cells.get(name) ?? null));
    const isEqual =
      rows.length === plain.length &&
      rows.every((row, index) => row.every((cell, at) => isSame(cell, plain[index]?.[at] ?? null)));
    if (!isEqual) expect(rows, text).toEqual(plain);
  }
});
