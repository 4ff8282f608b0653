// Expressions in RE2's syntax: ClickHouse and the evaluator find the same, and refuse the same.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import type { Predicate } from "../../../query/language/predicate.ts";
import { compileRe2, type Re2 } from "../../../query/language/re2-regex.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { message } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

describe("on ClickHouse", () => {
  const texts = [
    "",
    "a",
    "ab",
    "AB",
    "a\nb",
    "x41",
    "A",
    "pL",
    "k \u212a K",
    "ſ s S",
    "ß ẞ",
    "İi",
    "a.b*c",
    "[x]",
    "{1}",
    "(",
    "é",
    "\u0000",
    ...fc.sample(message, 150),
  ];
  const events = texts.map((text): PlainEvent => ({
    time: 1_795_132_800_000_000_000n,
    message: text,
    prefixes: ["", "", "", ""],
    attributes: {},
  }));
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(events);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const piece = fc.constantFrom(
    "a",
    "b",
    "k",
    "s",
    "err",
    "ERROR",
    "web-",
    "1",
    " ",
    "é",
    "ß",
    ".",
    "\\.",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\B",
    "^",
    "$",
    "\\A",
    "\\z",
    "\\x41",
    "\\x{42}",
    "\\pL",
    "\\p{Lu}",
    "\\PN",
    "\\n",
    "\\t",
    "\\Q.*\\E",
    "[ab]",
    "[^ab]",
    "[a-c]",
    "[[:alpha:]]",
    "[^\\d]",
    "(a|b)",
    "(?:x|user)",
    "(?i)",
    "(?i:k)",
    "(?-s:.)",
    "(?m)",
    "(?P<n>o)",
    "(?<m>e)",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{1,2}",
    "{0,}",
    "*?",
    "+?",
    "(",
    ")",
    "[",
    "\\",
  );
  const source = fc.array(piece, { minLength: 1, maxLength: 6 }).map((all) => all.join(""));

  function compiled(text: string, ignoreCase: boolean): Re2[] {
    try {
      return [compileRe2(text, ignoreCase, 0)];
    } catch (error) {
      expect(error).toBeInstanceOf(LogboomError);
      return [];
    }
  }

  test("random expressions find the same as their evaluation", async () => {
    for (let round = 0; round < rounds; round += 1) {
      const regexes = fc
        .sample(fc.tuple(source, fc.boolean()), 80)
        .flatMap(([text, ignoreCase]) => compiled(text, ignoreCase));
      const predicates = regexes.map((regex): Predicate => ({
        kind: "field",
        field: { kind: "message" },
        test: { kind: "regex", regex },
      }));
      const answers = await store.ask(predicates);
      const differences = answers.flatMap(({ passed }, index) => {
        const holds = compileHolds(predicates[index] ?? { kind: "never" });
        return events.flatMap((event, n) =>
          holds(toQueryEvent(event)) === passed.has(n)
            ? []
            : [
                {
                  regex: regexes[index]?.text,
                  literals: regexes[index]?.literals,
                  message: event.message,
                  passed: passed.has(n),
                },
              ],
        );
      });
      expect(differences.slice(0, 3)).toEqual([]);
      expect(predicates.length).toBeGreaterThan(10);
    }
  });
});

test.for([
  ["failed password for .* from", ["failed password for ", " from"]],
  ["abc?de", ["ab", "de"]],
  ["ab|cd", []],
  ["(?i)abc", []],
  ["x(abc)yz", ["yz"]],
  ["\\x41bc\\pLde\\.f", ["de.f", "bc"]],
  ["[abc]def{2}gh", ["de", "gh"]],
  ["\\Qab\\E", []],
] as const)("%s holds the texts that every match holds", ([source, expected]) => {
  expect(compileRe2(source, false, 0).literals).toEqual(expected);
});
