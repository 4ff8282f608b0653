// What is kept of slices is given back to the same question only, within its bound.
import { describe, expect, test } from "vitest";
import { partialKeys, Partials } from "../../../query/search/partials.ts";
import { readSearchRequest, type Prefixes } from "../../../query/search/request.ts";
import type { Finds } from "../../../query/search/tally.ts";
import { sliceOf } from "./slice-fixture.ts";

const none: Prefixes = ["", "", "", ""];
const slice = sliceOf({ firstHour: 100, lastHour: 103 });

const requestOf = (form: Readonly<Record<string, string>> = {}) =>
  readSearchRequest(new URLSearchParams({ customer: "acme", regex: ".*a.*", ...form }));

function events(count: number, cutAt?: number, length = 1): Finds {
  const one = { time: 1n, ingested: 1n, labels: none, message: "m".repeat(length) };
  return { kind: "events", events: Array.from({ length: count }, () => one), cutAt };
}

describe("the name of finds", () => {
  const base = partialKeys(requestOf(), none, slice)("one");

  test("is the same for a range that cuts nothing off, and for other limits and bins", () => {
    for (const form of [
      { beginTime: "1970-01-01 00:00:00" },
      { endTime: "2200-01-01 00:00:00" },
      { limit: "7" },
      { timeBins: "9" },
      { prefix0: "narrowed by the scope that is given" },
    ]) {
      expect(partialKeys(requestOf(form), none, slice)("one")).toBe(base);
    }
  });

  test.each<[string, () => string]>([
    ["another customer", () => partialKeys(requestOf({ customer: "b" }), none, slice)("one")],
    ["another scope", () => partialKeys(requestOf(), ["x", "", "", ""], slice)("one")],
    [
      "the same text in another label",
      () => partialKeys(requestOf(), ["", "x", "", ""], slice)("one"),
    ],
    ["another pattern", () => partialKeys(requestOf({ regex: ".*b.*" }), none, slice)("one")],
    [
      "another type",
      () => partialKeys(requestOf({ type: "BACKWARD_RESULTS" }), none, slice)("one"),
    ],
    ["other cells", () => partialKeys(requestOf(), none, slice)("grid/5")],
    ["other hours", () => partialKeys(requestOf(), none, { ...slice, lastHour: 104 })("one")],
    [
      "events that came since",
      () => partialKeys(requestOf(), none, { ...slice, signature: "2" })("one"),
    ],
    [
      "a range that cuts off the begin",
      () => partialKeys(requestOf({ beginTime: "1970-01-05 05:00:00" }), none, slice)("one"),
    ],
    [
      "a range that cuts off the end",
      () => partialKeys(requestOf({ endTime: "1970-01-05 05:00:00" }), none, slice)("one"),
    ],
  ])("is another for %s", (_, key) => {
    expect(key()).not.toBe(base);
  });
});

describe("finds that are kept", () => {
  test("are given to who wants no more than they were cut to", () => {
    const partials = new Partials(1e6);
    partials.keep("all", events(3));
    partials.keep("cut", events(3, 3));
    expect(partials.find("all", 100)).toEqual(events(3));
    expect(partials.find("cut", 3)).toEqual(events(3, 3));
    expect(partials.find("cut", 4)).toBeUndefined();
    expect(partials.find("other", 1)).toBeUndefined();
  });

  test("stay within the bound, those used last the longest; large ones are not kept", () => {
    const partials = new Partials(100_000);
    for (let index = 0; index < 100; index++) {
      partials.keep(`key ${index}`, events(1, undefined, 5000));
      partials.find("key 0", 1);
      expect(partials.heldBytes).toBeLessThanOrEqual(100_000);
    }
    expect(partials.find("key 0", 1)).toBeDefined();
    expect(partials.find("key 1", 1)).toBeUndefined();
    expect(partials.find("key 99", 1)).toBeDefined();
    partials.keep("large", events(1, undefined, 50_000));
    expect(partials.find("large", 1)).toBeUndefined();
  });

  test("of a bound of 0 are none", () => {
    const partials = new Partials(0);
    partials.keep("key", events(0));
    expect(partials.find("key", 1)).toBeUndefined();
  });
});
