// Ids that hold what they stand for.
import { expect, test } from "vitest";
import { z } from "zod";
import { openId, sealId } from "../../../query/ask/opaque.ts";

const schema = z.object({ q: z.string(), n: z.int() });
const scope = { customer: "acme", use: "search" };
const content = { q: "a ü \u{1f600} ".repeat(100), n: 5 };

test("an id gives back what it was made of, and has no character that an address would encode", () => {
  const id = sealId(scope, content);
  expect(id).toMatch(/^[\w-]+$/);
  expect(id.length).toBeLessThan(300);
  expect(openId(scope, id, schema)).toEqual(content);
});

test("is nothing to another customer, for another use, or under another schema", () => {
  const id = sealId(scope, content);
  expect(openId({ ...scope, customer: "other" }, id, schema)).toBeUndefined();
  expect(openId({ ...scope, use: "cursor" }, id, schema)).toBeUndefined();
  expect(openId(scope, id, z.object({ other: z.string() }))).toBeUndefined();
});

test.each(["", "x", "123456789012", "0".repeat(500), "ü"])("%j is no id", (id) => {
  expect(openId(scope, id, schema)).toBeUndefined();
});

test("an id that unfolds to more than the largest query is none", () => {
  const id = sealId(scope, { q: "a".repeat(1_000_000), n: 1 });
  expect(openId(scope, id, schema)).toBeUndefined();
});
