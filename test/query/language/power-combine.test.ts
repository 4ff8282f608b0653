// Random joins, unions and transposed tables are on ClickHouse what plain definitions say.
import * as fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import {
  expectTable,
  groups,
  orderOfAll,
  textOf,
  type Cell,
  type Row,
  type Table,
} from "./naive-power.ts";
import { answerOf } from "./power-answer.ts";
import { QueryStore } from "./query-store.ts";
import { randomPowerEvents } from "./random-power-event.ts";

const rounds = 12 * Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);
const events = randomPowerEvents(40);
let store: QueryStore;

beforeAll(async () => {
  store = await QueryStore.open(events);
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

interface Query {
  readonly text: string;
  readonly table: Table;
}

/** Groups of all events, by one key or two. */
const grouped = groups(new Map(), true, 1).map(({ text, apply }): Query => ({
  text: `| ${text}`,
  table: apply({ columns: new Map(), rows: events.map((event) => ({ cells: new Map(), event })) }),
}));

type Type = "text" | "number" | "boolean";

function cellsOf({ cells }: Row, names: Iterable<string>): Cell[] {
  return [...names].map((name) => cells.get(name) ?? null);
}

/** Orders rows by all of their columns. */
function inOrder(columns: ReadonlyMap<string, Type>, rows: readonly Row[]): Table {
  const names = [...columns.keys()];
  return {
    columns,
    rows: [...rows].sort((a, b) => orderOfAll(cellsOf(a, names), cellsOf(b, names))),
  };
}

function joinOf(mode: string, isSql: boolean, left: Table, given: Table): Table {
  const types = [left, given].map(({ columns }) => columns.get("k0") ?? "text");
  const isOfOneType = types[0] === types[1];
  const keyOf = (row: Row): Cell => {
    const key = row.cells.get("k0") ?? null;
    return isOfOneType ? key : textOf(key);
  };
  // Only the first row of a key, unless as in SQL, where what is missing equals nothing.
  const keys = given.rows.map(keyOf);
  const right = isSql
    ? given
    : {
        ...given,
        rows: given.rows.filter((_, index) => keys.indexOf(keys[index] ?? null) === index),
      };
  const columns = new Map<string, Type>([["k0", isOfOneType ? (types[0] ?? "text") : "text"]]);
  const names = (table: Table, other: Table, own: string): [string, string][] =>
    [...table.columns.keys()]
      .filter((name) => name !== "k0")
      .map((name) => [name, other.columns.has(name) ? `${own}.${name}` : name]);
  const ofLeft = names(left, right, "a");
  const ofRight = names(right, left, "b");
  for (const [name, shown] of ofLeft) columns.set(shown, left.columns.get(name) ?? "text");
  for (const [name, shown] of ofRight) columns.set(shown, right.columns.get(name) ?? "text");
  const rows: Row[] = [];
  const add = (a: Row | undefined, b: Row | undefined): void => {
    const cells = new Map<string, Cell>([["k0", keyOf((a ?? b) as Row)]]);
    for (const [name, shown] of ofLeft) cells.set(shown, a?.cells.get(name) ?? null);
    for (const [name, shown] of ofRight) cells.set(shown, b?.cells.get(name) ?? null);
    rows.push({ cells });
  };
  const met = new Set<Row>();
  for (const a of left.rows) {
    const matches = right.rows.filter(
      (b) => (!isSql || keyOf(a) !== null) && keyOf(a) === keyOf(b),
    );
    for (const b of matches) {
      add(a, b);
      met.add(b);
    }
    if (matches.length === 0 && mode !== "inner") add(a, undefined);
  }
  if (mode === "outer") for (const b of right.rows) if (!met.has(b)) add(undefined, b);
  return inOrder(columns, rows);
}

function unionOf(tables: readonly Table[]): Table {
  const columns = new Map<string, Type>();
  for (const table of tables) {
    for (const [name, type] of table.columns) {
      columns.set(name, (columns.get(name) ?? type) === type ? type : "text");
    }
  }
  const rows = tables.flatMap(
    (table) =>
      inOrder(
        columns,
        table.rows.map(({ cells }) => ({
          cells: new Map(
            [...columns].map(([name, type]): [string, Cell] => {
              const cell = cells.get(name) ?? null;
              return [name, type === "text" ? textOf(cell) : cell];
            }),
          ),
        })),
      ).rows,
  );
  return { columns, rows };
}

/** `k0` becomes columns, the other keys stay. */
function transposed({ columns, rows }: Table): Table {
  const keys = [...columns.keys()].filter((name) => name !== "k0" && name.startsWith("k"));
  const measures = [...columns.keys()].filter((name) => name.startsWith("f"));
  const labels = [...new Set(rows.map(({ cells }) => textOf(cells.get("k0") ?? null)))].sort(
    (a, b) => orderOfAll([a], [b]),
  );
  const made = new Map<string, Type>(keys.map((name) => [name, columns.get(name) ?? "text"]));
  const nameOf = (label: string | null, measure: string): string =>
    measures.length === 1 ? (label ?? "null") : `${label ?? "null"} ${measure}`;
  for (const label of labels) for (const name of measures) made.set(nameOf(label, name), "number");
  const places = new Map<string, Map<string, Cell>>();
  for (const row of rows) {
    const place = JSON.stringify(cellsOf(row, keys));
    const cells =
      places.get(place) ?? new Map(keys.map((name) => [name, row.cells.get(name) ?? null]));
    for (const name of measures) {
      cells.set(nameOf(textOf(row.cells.get("k0") ?? null), name), row.cells.get(name) ?? null);
    }
    places.set(place, cells);
  }
  return {
    columns: made,
    rows: [...places.values()]
      .map((cells) => ({ cells }))
      .sort((a, b) => orderOfAll(cellsOf(a, keys), cellsOf(b, keys))),
  };
}

test("random joins combine rows of equal keys", async () => {
  const joins = fc.sample(
    fc.tuple(fc.constantFrom("inner", "left", "outer"), fc.boolean(), grouped, grouped),
    rounds,
  );
  for (const [mode, isSql, a, b] of joins) {
    const text = `| ${isSql ? "sql " : ""}${mode} join a = (${a.text}), b = (${b.text}) on k0`;
    expectTable(await answerOf(store, text), joinOf(mode, isSql, a.table, b.table), text);
  }
});

test("random unions have the rows of all", async () => {
  for (const parts of fc.sample(fc.array(grouped, { minLength: 2, maxLength: 3 }), rounds)) {
    const text = `| union ${parts.map((part) => `(${part.text})`).join(", ")}`;
    expectTable(await answerOf(store, text), unionOf(parts.map(({ table }) => table)), text);
  }
});

test("random tables are transposed", async () => {
  for (const { text, table } of fc.sample(grouped, rounds)) {
    const on = table.columns.has("k1") ? " on k1" : "";
    const query = `${text} | transpose k0${on}`;
    expectTable(await answerOf(store, query), transposed(table), query);
  }
});
