// The parser takes what the grammar of KQL has, and refuses everything else.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseKql } from "../../../query/language/kql.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { isKql } from "./kql-grammar.ts";

function isTaken(text: string): boolean {
  try {
    parseKql(text);
    return true;
  } catch (error) {
    if (error instanceof LogboomError && error.code === "BAD_REQUEST") return false;
    throw error;
  }
}

const blank = fc.constantFrom(" ", "  ", "\n", "\t ");
const mixed = (keyword: string) =>
  fc
    .array(fc.boolean(), { minLength: keyword.length, maxLength: keyword.length })
    .map((upper) =>
      [...keyword].map((letter, at) => (upper[at] ? letter.toUpperCase() : letter)).join(""),
    );
const name = fc.constantFrom(
  "level",
  "http.status",
  "user name",
  '"a b"',
  "x*",
  "note\\:x",
  "or\\:",
);
const value = fc.constantFrom(
  "ERROR",
  "foo bar",
  '"and or (not)"',
  '"\\"x\\d"',
  "*",
  "a*b",
  "\\and",
  "true",
  "5.2",
  "orange",
  "android",
  "nothing",
  "order and\\ore",
  "\\u0041",
  "\\(\\)",
);
const bound = fc.constantFrom("5", "-7", '"2024-03-15"', "now-1d/d", "f");
const spaced = (sign: string) =>
  fc.tuple(fc.constantFrom("", " "), fc.constantFrom("", "  ")).map(([a, b]) => a + sign + b);

/** Filters as the grammar makes them. */
const { filter } = fc.letrec<{ filter: string; term: string; values: string; list: string }>(
  (tie) => {
    const joined = (item: fc.Arbitrary<string>) =>
      fc
        .tuple(
          item,
          fc.array(
            fc
              .tuple(blank, fc.oneof(mixed("and"), mixed("or"), mixed("not")), blank, item)
              .filter(([, word, , next]) => !(/^not$/i.test(word) && /^not\s/i.test(next)))
              .map((parts) => parts.join("")),
            { maxLength: 2 },
          ),
        )
        .map(([first, rest]) => first + rest.join(""));
    const negatable = (item: fc.Arbitrary<string>) =>
      fc.oneof(
        { weight: 3, arbitrary: item },
        { weight: 1, arbitrary: fc.tuple(mixed("not"), blank, item).map((all) => all.join("")) },
      );
    const grouped = (item: fc.Arbitrary<string>, open: string, close: string) =>
      fc
        .tuple(fc.constantFrom("", " "), item, fc.constantFrom("", " "))
        .map(([a, inside, b]) => `${open}${a}${inside}${b}${close}`);
    return {
      filter: joined(negatable(tie("term"))),
      list: joined(negatable(tie("values"))),
      values: fc.oneof(
        { maxDepth: 2, depthIdentifier: "values" },
        value,
        grouped(tie("list"), "(", ")"),
      ),
      term: fc.oneof(
        { maxDepth: 2, depthIdentifier: "term" },
        fc.tuple(name, spaced(":"), tie("values")).map((all) => all.join("")),
        value,
        fc
          .tuple(name, fc.constantFrom("<", "<=", ">", ">=").chain(spaced), bound)
          .map((all) => all.join("")),
        grouped(tie("filter"), "(", ")"),
      ),
    };
  },
);

test("every filter that the grammar makes is taken, in any case and with any blanks", () => {
  fc.assert(
    fc.property(filter, (text) => {
      expect(isKql(text), `the grammar: ${text}`).toBe(true);
      expect(isTaken(text), text).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("any row of the grammar's pieces is taken or refused as the grammar says", () => {
  // Each field in braces has a value of its own; other meanings of texts are none of the grammar's.
  const piece = fc.constantFrom(
    "a",
    "b c",
    ":",
    ":",
    "(",
    ")",
    " and ",
    " or ",
    " not ",
    "not ",
    "and",
    "or",
    " ",
    '"x y"',
    '"',
    "<",
    ">=",
    "\\:",
    "\\and",
    "\\d",
    "\\",
    "5",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join("")),
      (text) => {
        expect(isTaken(text), text).toBe(isKql(text));
      },
    ),
    { numRuns: 20_000 },
  );
});

test.each([
  ["a or(b)", false],
  ["(a)or b", false],
  ["(a) or (b)", true],
  ["not(a)", false],
  ["not (a)", true],
  ["not not a", false],
  ["not (not a)", true],
  ["a not b", true],
  ["a and not b", true],
  ["a:(b)c", false],
  ["a:{b:1 and c:(2 or 3)}", true],
  ["a:{b:{c > 1}}", true],
  ["a:{b:1", false],
  ["level:/err.*/", true],
  ["status:[400 TO 499]", true],
  ["name:rob~1", true],
  ["message:\\d+", false],
  ["a:1 b:2", false],
  ["a b", true],
] as const)("%s: %s", (text, expected) => {
  expect(isKql(text)).toBe(expected);
  expect(isTaken(text)).toBe(expected);
});
