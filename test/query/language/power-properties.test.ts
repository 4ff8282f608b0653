// Random power queries make on ClickHouse what plain definitions say.
import * as fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import {
  commands,
  expectTable,
  fields,
  groups,
  type Cell,
  type Step,
  type Table,
} from "./naive-power.ts";
import { answerOf } from "./power-answer.ts";
import { QueryStore } from "./query-store.ts";
import { randomPowerEvents } from "./random-power-event.ts";

const rounds = 40 * Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

const events = randomPowerEvents(120);
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

test("random queries make the tables that plain definitions make", async () => {
  for (const { text, expected } of fc.sample(queries, rounds)) {
    expectTable(await answerOf(store, text), expected, text);
  }
});
