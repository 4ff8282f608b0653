// The translation to SQL against a real ClickHouse: what it finds and captures is what the exact
// matcher does.
import * as fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  compileSearch,
  type Captures,
  type CompiledSearch,
} from "../../../query/language/search.ts";
import type { StoreClient } from "../../../consumers/store/client.ts";
import { openTestStore, type TestStore } from "../../consumers/store/store-fixture.ts";
import { write } from "./pattern-tree.ts";
import { randomCapturing, randomLine, randomTree } from "./random-pattern.ts";

const runs = Number(process.env["LOGBOOM_TEST_RUNS"] ?? 400);
const lineCount = 300;

interface Row {
  readonly n: number;
  readonly x?: number | null;
  readonly y?: number | null;
  /** The bytes as hex. */
  readonly key?: string | null;
}

describe("on ClickHouse", () => {
  let opened: TestStore;
  let client: StoreClient;
  const table = `lines_${String(process.pid)}`;
  const lines = ["", ...fc.sample(randomLine, { numRuns: lineCount - 1 })];
  const events = lines.map((line) => Buffer.from(line));

  beforeAll(async () => {
    opened = await openTestStore();
    client = opened.writer;
    // The n-gram index is that of the product: it reads the expressions by rules of its own.
    await client.command({
      query: `CREATE TABLE ${table} (n UInt32, message String,
        INDEX grams message TYPE ngrambf_v1(4, 16384, 1, 0) GRANULARITY 1)
        ENGINE = MergeTree ORDER BY n SETTINGS index_granularity = 8`,
    });
    await client.insert({
      table,
      values: lines.map((message, n) => ({ n, message })),
      format: "JSONEachRow",
    });
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  async function select(
    { captures }: CompiledSearch,
    where: CompiledSearch["where"],
    isOfCaptured = false,
  ): Promise<Row[]> {
    const took = Object.values(captures).map(({ text }) => `isNotNull(${text})`);
    const conditions = [where?.text ?? "1", ...(isOfCaptured ? [`(${took.join(" OR ")})`] : [])];
    const columns = Object.entries(captures).map(([name, { text }]) =>
      name === "key" ? `hex(${text}) AS key` : `${text} AS ${name}`,
    );
    const result = await client.query({
      query: `SELECT ${["n", ...columns].join(", ")} FROM ${table} WHERE ${conditions.join(" AND ")}`,
      query_params: Object.assign(
        {},
        where?.params,
        ...Object.values(captures).map(({ params }) => params),
      ) as Record<string, unknown>,
      format: "JSONEachRow",
    });
    return result.json<Row>();
  }

  /** Events with captures that only the condition for captures lets through, or does not. */
  async function falselyCaptured(
    search: CompiledSearch,
    found: ReadonlyMap<number, Row>,
  ): Promise<unknown[]> {
    const { captures, captureWhere, isExact, captureIsExact, captureNames } = search;
    if (!isExact || !captureIsExact || captureNames.length === 0) return [];
    const rows = await select(search, captureWhere, true);
    const expected = [...found.values()].filter((row) =>
      captureNames.some((name) => (row[name] ?? null) !== null),
    );
    if (isDeepStrictEqual(numbersOf(rows), numbersOf(expected))) return [];
    return [{ captures, captureWhere, rows, expected }];
  }

  /** What ClickHouse says of a pattern and should not, or the other way round. */
  async function differencesOf(pattern: string): Promise<unknown[]> {
    const search = compileSearch(pattern);
    const found = new Map((await select(search, search.where)).map((row) => [row.n, row]));
    const differences = await falselyCaptured(search, found);
    for (const [n, event] of events.entries()) {
      const row = found.get(n);
      const isMatch = search.check(event);
      const isWrong = search.isExact ? isMatch !== (row !== undefined) : isMatch && !row;
      if (isWrong) differences.push({ pattern, where: search.where, line: lines[n], isMatch });
      if (!isMatch || row === undefined || !search.captureIsExact) continue;
      const expected = { n, ...toRow(search.extract(event) ?? {}) };
      if (isDeepStrictEqual({ ...row }, expected)) continue;
      differences.push({ pattern, captures: search.captures, line: lines[n], row, expected });
    }
    return differences;
  }

  test.for([
    ["conditions with set operations", randomTree(true)],
    ["conditions without them", randomTree(false)],
    ["captures", randomCapturing(true)],
  ] as const)("%s are what the exact matcher says", { timeout: 600_000 }, async ([, trees]) => {
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        expect(await differencesOf(write(tree))).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});

function numbersOf(rows: readonly Row[]): number[] {
  return rows.map(({ n }) => n).toSorted((a, b) => a - b);
}

function toRow({ x, y, key }: Captures): Omit<Row, "n"> {
  return {
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    ...(key === undefined ? {} : { key: key && Buffer.from(key).toString("hex").toUpperCase() }),
  };
}
