// What a search request may say.
import { describe, expect, test } from "vitest";
import { readSearchRequest } from "../../../query/search/request.ts";
import { effectivePrefixes } from "../../../query/search/scope.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { eventTimeRange } from "../../../schemas/time.ts";

const read = (text: string) => readSearchRequest(new URLSearchParams(text));
const plain = "customer=acme&regex=.*";

test("what is not given has its documented default", () => {
  expect(read(plain)).toMatchObject({
    prefixes: ["", "", "", ""],
    type: "UNSORTED_RESULTS",
    limit: 100,
    begin: 3_600_000_000_000n,
    end: eventTimeRange.end,
    timeBins: 1,
    xSplits: [],
    ySplits: [],
  });
});

test.each([
  ["no customer", "regex=.*", "customer"],
  ["an empty customer", "customer=&regex=.*", "customer"],
  ["no regex", "customer=acme", "regex"],
  ["an unknown type", `${plain}&type=COUNTS`, "type"],
  ["a limit of 0", `${plain}&limit=0`, "limit"],
  ["a limit beyond the largest", `${plain}&limit=10001`, "limit"],
  ["a limit that is no number", `${plain}&limit=ten`, "limit"],
  ["too many bins", `${plain}&timeBins=4097`, "timeBins"],
  ["a time of another form", `${plain}&beginTime=yesterday`, "beginTime"],
  ["a day that does not exist", `${plain}&endTime=2026-02-30T00:00:00`, "endTime"],
  ["splits that do not ascend", `${plain}&xSplits=1,3,3`, "xSplits"],
  ["splits that are no numbers", `${plain}&ySplits=1,x`, "ySplits"],
  ["a parameter given twice", `${plain}&limit=1&limit=2`, "limit"],
])("%s is refused by its name", (_, text, field) => {
  let thrown: unknown;
  try {
    read(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(LogboomError);
  expect(thrown).toMatchObject({ code: "BAD_REQUEST", details: { field } });
});

test("4,194,304 cells are allowed and one bin more is not", () => {
  const splits = Array.from({ length: 31 }, (_, index) => index).join();
  const cells = (bins: number) =>
    read(
      `${plain}&type=EXACT_XY_HISTOGRAM_BINNED&timeBins=${bins}&xSplits=${splits}&ySplits=${splits}`,
    );
  expect(cells(4096).timeBins).toBe(4096);
  const wide = Array.from({ length: 32 }, (_, index) => index).join();
  expect(() =>
    read(`${plain}&type=EXACT_XY_HISTOGRAM_BINNED&timeBins=4096&xSplits=${wide}&ySplits=${splits}`),
  ).toThrow(/4325376 cells/);
});

describe("the hash", () => {
  const hash = read(plain).fullHash;

  test("is 64 upper-case hexadecimal digits", () => {
    expect(hash).toMatch(/^[0-9A-F]{64}$/);
  });

  test.each([
    ["another order", "regex=.*&customer=acme"],
    ["a default given", `${plain}&limit=100`],
    ["an unknown parameter", `${plain}&color=red`],
    ["the same time in another form", `${plain}&beginTime=1970-01-01T02:00:00%2B01:00`],
  ])("is the same with %s", (_, text) => {
    expect(read(text).fullHash).toBe(hash);
  });

  test.each([
    ["another limit", `${plain}&limit=99`],
    ["another prefix", `${plain}&prefix1=a`],
    ["another pattern", "customer=acme&regex=.%2B"],
    ["a nanosecond later", `${plain}&beginTime=1970-01-01T01:00:00.000000001`],
  ])("is another with %s", (_, text) => {
    expect(read(text).fullHash).not.toBe(hash);
  });
});

test.each([
  [
    ["web", "", "", ""],
    ["", "", "", ""],
    ["web", "", "", ""],
  ],
  [
    ["", "", "", ""],
    ["web", "", "", ""],
    ["web", "", "", ""],
  ],
  [
    ["web-1", "", "", ""],
    ["web", "", "", ""],
    ["web-1", "", "", ""],
  ],
  [
    ["we", "", "", ""],
    ["web", "", "", ""],
    ["web", "", "", ""],
  ],
  [["db", "", "", ""], ["web", "", "", ""], undefined],
  [
    ["web", "ng", "", "x"],
    ["w", "nginx", "", ""],
    ["web", "nginx", "", "x"],
  ],
] as const)("a query for %j under a token for %j sees %j", (query, token, expected) => {
  expect(effectivePrefixes(query, token)).toEqual(expected);
});
