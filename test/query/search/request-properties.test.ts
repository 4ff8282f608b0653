// Searches as forms: what is the same search, and what is another; numbers and times as people write them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cellCount,
  readSearchRequest,
  searchTypes,
  type SearchRequest,
} from "../../../query/search/request.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { formatTimestamp } from "../../../schemas/time.ts";

type Form = Readonly<Record<string, string>>;

const plain = { customer: "acme", regex: ".*" };
const read = (form: Form) => readSearchRequest(new URLSearchParams({ ...plain, ...form }));

function refusalOf(form: Form | URLSearchParams): LogboomError {
  try {
    readSearchRequest(
      form instanceof URLSearchParams ? form : new URLSearchParams({ ...plain, ...form }),
    );
  } catch (error) {
    if (error instanceof LogboomError) return error;
    throw error;
  }
  throw new Error("the form was taken");
}

const splits = fc
  .uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), {
    maxLength: 6,
    comparator: "SameValueZero",
  })
  .map((numbers) => numbers.toSorted((a, b) => a - b));

/** Any valid search, as the form says it in its plainest way. */
const form: fc.Arbitrary<Form> = fc
  .record({
    customer: fc.string({ minLength: 1, maxLength: 8 }),
    prefix0: fc.string({ unit: "binary", maxLength: 6 }),
    prefix3: fc.constantFrom("", "a"),
    type: fc.constantFrom(...searchTypes),
    limit: fc.integer({ min: 1, max: 10_000 }),
    beginTime: fc.bigInt(0n, 2n ** 63n - 1n).map(formatTimestamp),
    endTime: fc.bigInt(0n, 2n ** 63n - 1n).map(formatTimestamp),
    timeBins: fc.integer({ min: 1, max: 4096 }),
    regex: fc.string({ unit: "binary", maxLength: 10 }),
    xSplits: splits.map(String),
    ySplits: splits.map(String),
  })
  .map((parameters) =>
    Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)])),
  );

const defaults: Form = {
  prefix0: "",
  prefix1: "",
  prefix2: "",
  prefix3: "",
  type: "UNSORTED_RESULTS",
  limit: "100",
  beginTime: "1970-01-01 01:00:00",
  endTime: "2254-07-22 01:34:33",
  timeBins: "1",
  xSplits: "",
  ySplits: "",
};

describe("the hash", () => {
  test("does not depend on the order of parameters, on unknown ones, or on whether defaults are said", () => {
    fc.assert(
      fc.property(form, fc.infiniteStream(fc.nat()), (given, random) => {
        const expected = readSearchRequest(new URLSearchParams(given)).fullHash;
        const said = { ...defaults, ...given, nocache: "1" };
        const keys = new Map(Object.keys(said).map((name) => [name, random.next().value]));
        const shuffled = Object.entries(said).toSorted(
          ([a], [b]) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0),
        );
        expect(readSearchRequest(new URLSearchParams(shuffled)).fullHash).toBe(expected);
        const unsaid = Object.entries(given).filter(([name, value]) => defaults[name] !== value);
        expect(readSearchRequest(new URLSearchParams(unsaid)).fullHash).toBe(expected);
      }),
    );
  });

  test("is the same exactly when all parameters are", () => {
    fc.assert(
      fc.property(
        form,
        form,
        fc.constantFrom(...Object.keys(defaults), "customer", "regex"),
        (one, other, name) => {
          const a = readSearchRequest(new URLSearchParams(one));
          const b = readSearchRequest(
            new URLSearchParams({ ...one, [name]: other[name] ?? defaults[name] ?? "" }),
          );
          const same = (request: SearchRequest) =>
            JSON.stringify({ ...request, fullHash: "" }, (_, value: unknown) =>
              typeof value === "bigint" ? String(value) : value,
            );
          expect(a.fullHash === b.fullHash).toBe(same(a) === same(b));
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    [
      "a time in another zone",
      { beginTime: "2026-05-01T12:00:00Z" },
      { beginTime: "2026-05-01 14:00:00+0200" },
    ],
    [
      "digits past the ninth",
      { beginTime: "2026-05-01T12:00:00.1" },
      { beginTime: "2026-05-01T12:00:00.1000000009" },
    ],
    ["zeros before a number", { limit: "7", timeBins: "3" }, { limit: "007", timeBins: "03" }],
    ["other writings of splits", { xSplits: "-1,0.5,1000" }, { xSplits: " -1.0 , +.5,1e3" }],
    ["a negative zero", { xSplits: "0,1" }, { xSplits: "-0,1" }],
    ["blanks for no splits", { xSplits: "" }, { xSplits: "  " }],
  ])("is the same for %s", (_, one, other) => {
    expect(read(other).fullHash).toBe(read(one).fullHash);
  });

  test.each([
    ["a prefix elsewhere", { prefix0: "a" }, { prefix1: "a" }],
    [
      "borders between parameters",
      { prefix0: "ab", prefix1: "c" },
      { prefix0: "a", prefix1: "bc" },
    ],
    ["splits of another axis", { xSplits: "1" }, { ySplits: "1" }],
    ["more splits", { xSplits: "1,2" }, { xSplits: "1,2,3" }],
    ["another case", { regex: "A" }, { regex: "a" }],
    ["white space in the pattern", { regex: "a" }, { regex: "a " }],
  ])("is another for %s", (_, one, other) => {
    expect(read(other).fullHash).not.toBe(read(one).fullHash);
  });
});

describe("a number", () => {
  test.each([
    ["limit", "1", 1],
    ["limit", "10000", 10_000],
    ["timeBins", "1", 1],
    ["timeBins", "4096", 4096],
  ] as const)("%s may be %s", (name, value, expected) => {
    expect(read({ [name]: value })[name]).toBe(expected);
  });

  test.each([
    "0",
    "-1",
    "+1",
    "1.0",
    "1e2",
    "0x10",
    "",
    " 5",
    "5 ",
    "ten",
    "٥",
    "99999999999999999999",
  ])("%j is refused, never bent into the range", (value) => {
    for (const name of ["limit", "timeBins"]) {
      const refusal = refusalOf({ [name]: value });
      expect(refusal).toMatchObject({ code: "BAD_REQUEST", details: { field: name } });
      expect(refusal.message).toContain(JSON.stringify(value));
      expect(refusal.message).toContain(`expected 1 to ${name === "limit" ? 10_000 : 4096}`);
    }
  });
});

describe("splits", () => {
  test("of any ascending numbers are read as they are", () => {
    fc.assert(
      fc.property(splits, (numbers) => {
        expect(read({ xSplits: numbers.join() }).xSplits.map((split) => split + 0)).toEqual(
          numbers.map((split) => split + 0),
        );
      }),
    );
  });

  test.each([
    ["1,,2", "numbers separated by commas"],
    [",", "numbers separated by commas"],
    ["1,2,", "numbers separated by commas"],
    ["1;2", "numbers separated by commas"],
    ["1 2", "numbers separated by commas"],
    ["NaN", "numbers separated by commas"],
    ["1,Infinity", "numbers separated by commas"],
    ["1e999", "numbers separated by commas"],
    ["0x10", "numbers separated by commas"],
    ["1_000", "numbers separated by commas"],
    ["1,1", "strictly ascending numbers"],
    ["2,1", "strictly ascending numbers"],
    ["-0,0", "strictly ascending numbers"],
    ["0.1,0.10000000000000000001", "strictly ascending numbers"],
  ])("%j are refused", (value, expected) => {
    for (const name of ["xSplits", "ySplits"]) {
      const refusal = refusalOf({ [name]: value });
      expect(refusal).toMatchObject({ code: "BAD_REQUEST", details: { field: name } });
      expect(refusal.message).toContain(`expected ${expected}`);
    }
  });

  test("may be 1,024 on an axis and no more", () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index).join();
    expect(read({ xSplits: numbers(1024) }).xSplits).toHaveLength(1024);
    expect(refusalOf({ xSplits: numbers(1025) }).message).toContain("at most 1024");
  });
});

describe("cells", () => {
  test("are bins times buckets in a histogram, and bins otherwise", () => {
    const given = { timeBins: "10", xSplits: "1,2", ySplits: "5" };
    for (const type of searchTypes) {
      expect(cellCount(read({ ...given, type }))).toBe(
        type === "EXACT_XY_HISTOGRAM_BINNED" ? 60 : 10,
      );
    }
  });

  test("of types that have no histogram are not limited by splits", () => {
    const many = Array.from({ length: 1024 }, (_, index) => index).join();
    expect(read({ timeBins: "4096", xSplits: many, ySplits: many }).timeBins).toBe(4096);
    expect(
      refusalOf({ type: "EXACT_XY_HISTOGRAM_BINNED", timeBins: "4", xSplits: many, ySplits: many }),
    ).toMatchObject({
      code: "BAD_REQUEST",
      details: { field: "timeBins, xSplits, ySplits" },
    });
  });
});

describe("other parameters", () => {
  test.each([
    "customer",
    "prefix0",
    "prefix3",
    "type",
    "beginTime",
    "endTime",
    "regex",
    "xSplits",
    "ySplits",
    "timeBins",
  ])("%s may not be given twice, even with the same value", (name) => {
    const twice = new URLSearchParams({ ...plain });
    twice.append(name, "x");
    twice.append(name, "x");
    expect(refusalOf(twice)).toMatchObject({ code: "BAD_REQUEST", details: { field: name } });
  });

  test("an unknown one may be given as often as one likes", () => {
    const request = readSearchRequest(new URLSearchParams("customer=acme&regex=.*&_=1&_=2"));
    expect(request.fullHash).toBe(read({}).fullHash);
  });

  test.each([
    ["type", ""],
    ["type", "unsorted_results"],
    ["beginTime", ""],
    ["endTime", "2026-05-01"],
    ["endTime", "1795254011690123456"],
  ])("%s of %j is refused", (name, value) => {
    expect(refusalOf({ [name]: value })).toMatchObject({
      code: "BAD_REQUEST",
      details: { field: name },
    });
  });

  test("a range that is empty or upside down is a search all the same", () => {
    expect(
      read({ beginTime: "2026-05-01 00:00:00", endTime: "2026-05-01 00:00:00" }),
    ).toMatchObject({ type: "UNSORTED_RESULTS" });
    expect(
      read({ beginTime: "2026-05-02 00:00:00", endTime: "2026-05-01 00:00:00" }).begin,
    ).toBeGreaterThan(0n);
  });

  test("a pattern may have 100,000 characters, and a longer one is refused without being repeated", () => {
    expect(read({ regex: "a".repeat(100_000) }).regex).toHaveLength(100_000);
    const refusal = refusalOf({ regex: "a".repeat(100_001) });
    expect(refusal).toMatchObject({ code: "BAD_REQUEST", details: { field: "regex" } });
    expect(refusal.message.length).toBeLessThan(300);
  });

  test("a long value is repeated only in its beginning", () => {
    for (const name of ["type", "limit", "beginTime", "xSplits"]) {
      expect(refusalOf({ [name]: "x".repeat(100_000) }).message.length).toBeLessThan(400);
    }
  });

  test("percent-encoding, plus signs and characters of all kinds arrive as they were meant", () => {
    const request = readSearchRequest(
      new URLSearchParams("customer=acme&regex=a%2Bb+%E6%97%A5&prefix0=%C3%A9%00"),
    );
    expect(request).toMatchObject({ regex: "a+b 日", prefixes: ["é\0", "", "", ""] });
  });
});
