// Lookups of power queries: random ones are on ClickHouse what plain definitions say; what the vendor's documents show.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataCell, DataTable } from "../../../query/language/power-lookup-sql.ts";
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import {
  expectTable,
  expressions,
  groups,
  textOf,
  type Cell,
  type Row,
  type Table,
} from "./naive-power.ts";
import { answerOf } from "./power-answer.ts";
import { QueryStore, type PlainEvent } from "./query-store.ts";
import { randomPowerEvents } from "./random-power-event.ts";

const rounds = 15 * Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);
/** Random ones, and those that the examples are about. */
const events = [
  ...randomPowerEvents(26),
  ...[{ user: "bob" }, { user: "404" }, { user: "Bob" }, {}].map((attributes, n): PlainEvent => ({
    time: 1_795_133_800_000_000_000n + BigInt(n) * 1_000_000_000n,
    message: `example ${String(n)}`,
    prefixes: ["web-1", "app.log", "", "scalyr"],
    attributes,
  })),
];
let store: QueryStore;

beforeAll(async () => {
  store = await QueryStore.open(events);
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

const cells = ["", "0", "404", "4e2", "7.5", "bob", "x'\"y", "a\\b\tc", "ошибка", "true", "false"];
const cell: fc.Arbitrary<DataCell> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...cells) },
  { weight: 2, arbitrary: fc.constantFrom(0, -3, 7.5, 400, 404, 1e21) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constant(null) },
);
const column = fc.oneof(
  { weight: 3, arbitrary: fc.constant(cell) },
  { weight: 1, arbitrary: fc.constant(fc.oneof(fc.constant(null), fc.constantFrom(2, 7.5, 404))) },
  { weight: 1, arbitrary: fc.constant(fc.oneof(fc.constant(null), fc.boolean())) },
);
const dataTable = fc
  .tuple(column, column, column)
  .chain((columns) => fc.array(fc.tuple(...columns), { maxLength: 12 }))
  .map((rows): DataTable => ({ columns: ["a", "b c", "d"], rows }));

/** What is equal has the same one. */
function comparable(value: Cell): string | null {
  const text = textOf(value);
  const number = text !== null && /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  return Math.abs(number) < 2 ** 53 ? String(number + 0) : text;
}

function typeOf({ rows }: DataTable, index: number): "text" | "number" | "boolean" {
  const values = rows.map((row) => row[index]).filter((value) => value !== null);
  if (values.length === 0) return "text";
  if (values.every((value) => typeof value === "number")) return "number";
  return values.every((value) => typeof value === "boolean") ? "boolean" : "text";
}

function lookedUp(
  { columns, rows }: Table,
  data: DataTable,
  by: readonly { readonly index: number; readonly of: (row: Row) => Cell }[],
): Table {
  const type = typeOf(data, 2);
  return {
    columns: new Map([...columns, ["found", type]]),
    rows: rows.map((row) => {
      const found = data.rows.find((candidate) =>
        by.every(({ index, of }) => comparable(candidate[index] ?? null) === comparable(of(row))),
      );
      const value = found?.[2] ?? null;
      return {
        ...row,
        cells: new Map([...row.cells, ["found", type === "text" ? textOf(value) : value]]),
      };
    }),
  };
}

const all: Table = {
  columns: new Map(),
  rows: events.map((event) => ({ cells: new Map(), event })),
};

test("random lookups in groups find the first row of equal keys", async () => {
  const asked = groups(new Map(), true, 1).chain(({ text, apply }) => {
    const table = apply(all);
    return fc.record({
      data: dataTable,
      text: fc.constant(text),
      table: fc.constant(table),
      first: expressions(table.columns, false),
      second: fc.option(expressions(table.columns, false), { nil: undefined }),
    });
  });
  for (const { data, text, table, first, second } of fc.sample(asked, rounds)) {
    const by = `a = ${first.text}${second === undefined ? "" : `, "b c" = ${second.text}`}`;
    const query = `| ${text} | lookup found = d from "some table" by ${by}`;
    const keys = [first, ...(second === undefined ? [] : [second])];
    expectTable(
      await answerOf(store, query, (name) => (name === "some table" ? data : undefined)),
      lookedUp(
        table,
        data,
        keys.map(({ of }, index) => ({ index, of })),
      ),
      query,
    );
  }
});

test("random lookups in events keep all of them, and what follows can use the columns", async () => {
  const asked = fc.record({ data: dataTable, key: expressions(new Map(), true) });
  for (const { data, key } of fc.sample(asked, rounds)) {
    const query = `| lookup found = d from some by a = ${key.text} | sort timestamp | columns message, found`;
    const table = lookedUp(all, data, [{ index: 0, of: key.of }]);
    const { columns, rows } = await answerOf(store, query, () => data);
    expect(columns).toEqual(["message", "found"]);
    const expected = table.rows.map(({ event, cells }) => [
      event?.message,
      cells.get("found") ?? null,
    ]);
    expect({ data, query, rows }).toEqual({ data, query, rows: expected });
  }
});

describe("as the vendor's documents show them", () => {
  const users: DataTable = {
    columns: ["user", "name", "cost per hour"],
    rows: [
      ["bob", "Robert", 2.5],
      ["bob", "another", 9],
      [404, "Number", null],
      [null, "Nobody", 0],
    ],
  };
  const ask = async (query: string) =>
    answerOf(store, query, (name) => (name === "users" ? users : undefined));

  test("names alone are the table's columns and the query's fields", async () => {
    const { columns, rows } = await ask(
      '| group n = count() by user | lookup name, cost = "cost per hour" from users by user',
    );
    expect(columns).toEqual(["user", "n", "name", "cost"]);
    const found = new Map(rows.map(([user, , ...rest]) => [user, rest]));
    expect(found.get("bob")).toEqual(["Robert", 2.5]);
    expect(found.get("404")).toEqual(["Number", null]);
    expect(found.get(null)).toEqual(["Nobody", 0]);
    expect(found.get("Bob")).toEqual([null, null]);
  });

  test("figures of the table are figures of the query", async () => {
    const { rows } = await ask(
      "user = 'bob' | group n = count() by user | lookup cost = \"cost per hour\" from 'users' by user | let all = n * cost | columns all",
    );
    const count = events.filter(({ attributes }) => attributes["user"] === "bob").length;
    expect(rows).toEqual([[count * 2.5]]);
  });

  test("long numbers are equal only if all of their digits are", async () => {
    const ids: DataTable = {
      columns: ["id", "name"],
      rows: [
        ["123456789012345678", "one"],
        ["123456789012345679", "other"],
      ],
    };
    const { rows } = await answerOf(
      store,
      "| limit 1 | let id = '123456789012345679' | lookup name from ids by id | columns name",
      () => ids,
    );
    expect(rows).toEqual([["other"]]);
  });

  test.for([
    ['| lookup name from "nothing" by user', 19, "there is no table nothing"],
    ["| lookup wish from users by user", 9, "the table users has no column wish"],
    ["| lookup name from users by wish = 1", 28, "the table users has no column wish"],
    ["| group count() | lookup name from users by user", 44, "no such column: user"],
  ] as const)("%s is refused", async ([query, offset, what]) => {
    const refusal = { code: "BAD_REQUEST", details: { offset } };
    await expect(ask(query)).rejects.toMatchObject(refusal);
    await expect(ask(query)).rejects.toThrow(what);
  });
});

test.for([
  ["| lookup", 8],
  ["| lookup name", 13],
  ["| lookup name from", 18],
  ["| lookup name from users", 24],
  ["| lookup name from users by", 27],
  ["| lookup name from users by =", 28],
  ["| lookup name = from users by x", 21],
  ["| lookup name from users by x =:anycase y", 30],
  [`| lookup ${Array.from({ length: 51 }, () => "a").join(",")} from t by x`, 109],
] as const)("%s is no query", ([query, offset]) => {
  expect(() => parsePowerQuery(query)).toThrow(
    expect.objectContaining({ code: "BAD_REQUEST", details: { offset } }),
  );
});
