// What a search may see: never more than the token, never more than the query.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Prefixes } from "../../../query/search/request.ts";
import { effectivePrefixes, joinPrefixes, scopeCondition } from "../../../query/search/scope.ts";

/** Short, so that one is often the beginning of another; with characters of several bytes. */
const label = fc.string({ unit: fc.constantFrom("a", "b", "é", "🙂", "%"), maxLength: 3 });
const labels: fc.Arbitrary<Prefixes> = fc.tuple(label, label, label, label);

const startsWithAll = (given: Prefixes, prefixes: Prefixes) =>
  given.every((text, index) => text.startsWith(prefixes[index] ?? ""));

test("a stream is seen exactly when query and token both allow it", () => {
  fc.assert(
    fc.property(labels, labels, labels, (stream, query, token) => {
      const both = effectivePrefixes(query, token);
      const isSeen = both !== undefined && startsWithAll(stream, both);
      expect(isSeen).toBe(startsWithAll(stream, query) && startsWithAll(stream, token));
    }),
    { numRuns: 5000 },
  );
});

test("a token without limits leaves the query as it is, and the other way round", () => {
  const none: Prefixes = ["", "", "", ""];
  fc.assert(
    fc.property(labels, (given) => {
      expect(effectivePrefixes(given, none)).toEqual(given);
      expect(effectivePrefixes(none, given)).toEqual(given);
    }),
  );
});

test("one label on which they disagree hides everything", () => {
  expect(effectivePrefixes(["a", "", "", "x"], ["", "", "", "y"])).toBeUndefined();
  expect(effectivePrefixes(["A", "", "", ""], ["a", "", "", ""])).toBeUndefined();
});

test("the condition names the customer and each label that is limited, as parameters only", () => {
  const evil = "x' OR 1=1 --";
  const { text, params } = scopeCondition("acme", [evil, "", "b", ""]);
  expect(text).toBe(
    "customer = {customer:String} AND startsWith(prefix0, {prefix0:String}) AND startsWith(prefix2, {prefix2:String})",
  );
  expect(params).toEqual({ customer: "acme", prefix0: evil, prefix2: "b" });
});

test("scopes that differ have keys that differ", () => {
  fc.assert(
    fc.property(labels, labels, (one, other) => {
      expect(joinPrefixes(one) === joinPrefixes(other)).toBe(one.join("|") === other.join("|"));
    }),
  );
});
