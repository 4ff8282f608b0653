// The exact matcher against definitions tried literally, and against JavaScript.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNumber } from "../../../query/language/captured-number.ts";
import { findSpans } from "../../../query/language/extraction.ts";
import { Matcher } from "../../../query/language/matcher.ts";
import { compileSearch } from "../../../query/language/search.ts";
import { captureAll, isMatch } from "./brute-force.ts";
import { toJavaScript, write } from "./pattern-tree.ts";
import { randomCapturing, randomLine, randomTree } from "./random-pattern.ts";

const runs = Number(process.env["LOGBOOM_TEST_RUNS"] ?? 1500);
const events = fc.array(
  randomLine.map((line) => Buffer.from(line)),
  { minLength: 5, maxLength: 5 },
);

describe("check", () => {
  test("agrees with the definitions tried literally", () => {
    fc.assert(
      fc.property(randomTree(true), events, (tree, given) => {
        const { check } = compileSearch(write(tree));
        const expected = given.map((event) => isMatch(tree, event));
        expect({ [write(tree)]: given.map((event) => check(event)) }).toEqual({
          [write(tree)]: expected,
        });
      }),
      { numRuns: runs },
    );
  });

  test("agrees with JavaScript over latin1, where that can say the pattern", () => {
    fc.assert(
      fc.property(randomTree(false), events, (tree, given) => {
        const js = toJavaScript(tree);
        fc.pre(js !== undefined);
        const regex = new RegExp(`^(?:${js})$`, "s");
        const { check } = compileSearch(write(tree));
        const expected = given.map((event) => regex.test(event.toString("latin1")));
        expect({ [write(tree)]: given.map((event) => check(event)) }).toEqual({
          [write(tree)]: expected,
        });
      }),
      { numRuns: runs },
    );
  });
});

describe("extract", () => {
  test("agrees with the definitions tried literally", () => {
    fc.assert(
      fc.property(randomCapturing(true), events, (tree, given) => {
        const search = compileSearch(write(tree));
        const expected = given.map((event) => {
          const texts = captureAll(tree, event);
          return texts && [toNumber(texts["x"]), toNumber(texts["y"]), toText(texts["key"])];
        });
        const found = given.map((event) => {
          const captures = search.extract(event);
          return captures ? [captures.x, captures.y, toText(captures.key)] : undefined;
        });
        expect({ [write(tree)]: found }).toEqual({ [write(tree)]: expected });
      }),
      { numRuns: runs },
    );
  });
});

function toNumber(text: Buffer | null | undefined): number | null | undefined {
  return text ? readNumber(text.toString("latin1")) : text;
}

function toText(key: Uint8Array | null | undefined): string | null | undefined {
  return key ? Buffer.from(key).toString("latin1") : key;
}

describe("states thrown away", () => {
  test("do not change what matches and what is captured", () => {
    fc.assert(
      fc.property(randomCapturing(true), events, (tree, given) => {
        const { pattern, captureNames } = compileSearch(write(tree));
        const matcher = new Matcher(pattern);
        const forgetful = new Matcher(pattern, 3);
        for (const event of given) {
          expect(forgetful.check(event)).toBe(matcher.check(event));
          const spans = findSpans(matcher, captureNames, event);
          expect(findSpans(forgetful, captureNames, event)).toEqual(spans);
        }
      }),
      { numRuns: Math.ceil(runs / 3) },
    );
  });
});

describe("time", () => {
  const length = 200_000;
  const costly: readonly (readonly [string, string])[] = [
    ["(a|a)*b", "a"],
    ["(.*a){20}c", "ab"],
    [".*a.{200}b.*c", "ab"],
    [".*(?<x>a+)(?<y>a+)(?<key>a+)b*", "a"],
    [".*(?<key>[ab]*a.{6})[^c].*", "ab"],
    ["((a*)*~(b*)*b)*&(.*[ab])*c?", "aab"],
    [".*((?<x>\\d)|.{3}&[^c]*).*", "ab"],
  ];

  test.for(costly)("is linear in the event for %s", ([pattern, text]) => {
    const search = compileSearch(pattern);
    const event = Buffer.from(text.repeat(length / text.length));
    const began = performance.now();
    search.check(event);
    search.extract(event);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("has a limit that an event may not exceed", () => {
    const search = compileSearch(`${"a?".repeat(5000)}b`);
    expect(() => search.check(Buffer.from("aa"))).toThrow("too complex");
    expect(search.check(Buffer.from("b"))).toBe(true);
  });
});
