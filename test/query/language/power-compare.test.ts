// `compare` of power queries: how far the other time is, and which rows stand beside each other.
import { describe, expect, test } from "vitest";
import { compareTables } from "../../../query/language/power-compare.ts";
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import { compilePowerQuery } from "../../../query/language/power-sql.ts";
import { raw, SqlParameters } from "../../../query/language/sql-fragment.ts";
import { expectRefusals } from "./bad-queries.ts";
import { span } from "./power-answer.ts";

const hourNs = 3_600_000_000_000n;

test.each([
  ["a | compare timeshift('1h')", -hourNs, "timeshift('1h')"],
  ["| group count() | compare before = timeshift('-1 hour')", -hourNs, "before"],
  ["|compare after=timeshift( '+2h' )", 2n * hourNs, "after"],
  ["| compare x = timeshift(queryspan())", -hourNs, "x"],
  ["| compare x = timeshift(-queryspan())", -hourNs, "x"],
  ["| compare x = timeshift(+ queryspan())", hourNs, "x"],
])("%s is of another time", (text, shiftNs, name) => {
  const { comparison } = parsePowerQuery(text);
  expect(comparison?.shiftOf(span)).toBe(shiftNs);
  expect(comparison?.name).toBe(name);
});

test.each([
  ["a | compare", 11],
  ["a | compare b", 12],
  ["a | compare timeshift", 21],
  ["a | compare timeshift('often')", 22],
  ["a | compare timeshift('1 month')", 22],
  ["a | compare timeshift(1)", 22],
  ["a | compare timeshift('1h') | limit 5", 28],
  ["a | compare timeshift('1h'), x = timeshift('2h')", 27],
  ["| union (a | compare timeshift('1h')), (b)", 11],
])("%s is refused at its offset", (text, offset) => {
  expectRefusals(parsePowerQuery, text, offset);
});

function rolesOf(text: string) {
  const query = parsePowerQuery(text);
  const sources = query.filters.map(() => raw("events"));
  const statement = compilePowerQuery(query, {
    sources,
    parameters: new SqlParameters(),
    ...span,
    values: [["x"]],
  });
  if (statement.kind !== "rows") throw new TypeError("no rows");
  const { columns, roles, isKeyed } = statement;
  return isKeyed ? columns.map((name, index) => `${name}: ${roles[index] ?? ""}`).join(", ") : "";
}

test.each([
  ["a", ""],
  ["a | columns x", ""],
  ["a | group count()", "count(): figure"],
  ["a | group c = count(), u = any(b) by b, t = timebucket('1h')", keysAnd("c: figure, u: other")],
  [
    "a | group c = count() by b, t = timebucket('1h') | let d = c * 2 | sort c",
    keysAnd("c: figure, d: figure"),
  ],
  ["a | group c = count() by b, s = timebucket('1h') | columns b, t = s, c", keysAnd("c: figure")],
  ["a | group c = count() by b, d | columns b, c", ""],
  ["a | top 5 count() by b", "rank: figure, b: key, count(): figure"],
  [
    "| join (a | group x = count() by b), (a | group y = max(n) by b) on b",
    "b: key, x: figure, y: figure",
  ],
  ["| sql join (a | group x = count() by b), (a | group y = max(n) by b) on b", ""],
  ["| union (a | group x = count() by b), (a | group y = max(n) by b)", ""],
  ["a | group c = count() by b, t = timebucket('1h') | transpose b on t", "t: time, x: figure"],
])("of %s the rows are named by their keys", (text, roles) => {
  expect(rolesOf(text)).toBe(roles);
});

function keysAnd(others: string): string {
  return `b: key, t: time, ${others}`;
}

describe("a row", () => {
  const columns = ["b", "t", "c", "u"];
  const roles = ["key", "time", "figure", "other"] as const;
  const table = (...rows: unknown[][]) => ({ columns, roles, rows });

  test("has the figures of the one with equal keys, which are as much earlier or later", () => {
    const now = table(["x", 5e9, 1, "u"], ["y", 5e9, 2, "u"], [null, null, 3, null]);
    const before = table(["x", 3e9, 7, "v"], ["x", 5e9, 8, "v"], [null, null, 9, null]);
    expect(compareTables(now, before, "prev", -2_000_000_000n)).toEqual({
      columns: [...columns, "c (prev)"],
      rows: [
        ["x", 5e9, 1, "u", 7],
        ["y", 5e9, 2, "u", null],
        [null, null, 3, null, 9],
      ],
    });
  });
});
