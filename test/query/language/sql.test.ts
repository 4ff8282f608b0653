// What ClickHouse is asked for the patterns that logs are searched with.
import { describe, expect, test } from "vitest";
import { compileSearch } from "../../../query/language/search.ts";
import { raw, sql, SqlParameters, type SqlFragment } from "../../../query/language/sql-fragment.ts";

/** The fragment with its values in place, to be read by people only. */
function show(fragment: SqlFragment | undefined): string | undefined {
  return fragment?.text.replaceAll(/\{(p\d+):[A-Za-z()]+\}/g, (_, name: string) =>
    JSON.stringify(fragment.params[name]).replaceAll("\\\\", "\\"),
  );
}

describe("conditions", () => {
  const exact: readonly (readonly [string, string | undefined])[] = [
    [".*", undefined],
    ["(?:.|\\n)*", undefined],
    ["(.*)|x", undefined],
    ["a^b", 'match(message, "^a^b$")'],
    ["[^\\x00-\\xff]", "0"],
    ["error", 'match(message, "error") AND match(message, "^error$")'],
    [".*error.*", 'match(message, "error")'],
    [".*ошибка.*", 'match(message, "ошибка")'],
    [".*50% \\(a_b\\).*", 'match(message, "50% \\(a_b\\)")'],
    [".*[Ee]rror.*", 'match(message, "rror") AND match(message, "[Ee]rror")'],
    [
      ".*(ERROR|WARN).*",
      'multiSearchAny(message, ["ERROR","WARN"]) AND match(message, "ERROR|WARN")',
    ],
    [
      ".*[0-9]{3}-[a-f]{4}.*",
      'multiMatchAny(message, ["[0-9]{3}-[a-f]{4}"]) AND match(message, "[0-9]{3}-[a-f]{4}")',
    ],
    ["(.*foo.*)&(.*bar.*)", 'match(message, "foo") AND match(message, "bar")'],
    ["(.*foo.*)~(.*bar.*)", 'match(message, "foo") AND NOT (match(message, "bar"))'],
    ["[^0-9]*&.*foo.*", 'match(message, "foo") AND match(message, "^[^0-9]*$")'],
    [
      "(.*a1.*&.*b2.*)|.*c3.*",
      '((match(message, "c3")) OR (match(message, "a1") AND match(message, "b2")))',
    ],
    [
      ".*\\Werror\\W.*",
      'match(message, "error") AND match(message, "[^0-9A-Z\\x5fa-z]error[^0-9A-Z\\x5fa-z]")',
    ],
    [
      ".*took (?<y>(?int))ms.*",
      'match(message, "took ") AND match(message, "took [\\x2b\\x2d]?[0-9]+ms")',
    ],
    ["a{2000}", `match(message, "${"a".repeat(128)}") AND match(message, "^a{1000}a{1000}$")`],
    [
      "(a{50}){40}",
      `match(message, "${"a".repeat(128)}") AND match(message, "^(?:a{50}){20}(?:a{50}){20}$")`,
    ],
  ];

  test.for(exact)("%s is exactly its condition", ([pattern, expected]) => {
    const { where, isExact, matchesEverything } = compileSearch(pattern);
    expect({ where: show(where), isExact }).toEqual({ where: expected, isExact: true });
    expect(matchesEverything).toBe(expected === undefined);
  });

  const wider: readonly (readonly [string, string | undefined])[] = [
    [".*id=(\\d+~1\\d*) .*", 'match(message, "id=") AND match(message, "id=[0-9]+ ")'],
    [
      ".*id=(a.*&.*b) .*",
      'match(message, "id=a") AND match(message, "id=") AND match(message, "id=a\\C* ") AND match(message, "id=\\C*b ")',
    ],
    [".*~.*x(a.*&\\d{2}).*", undefined],
    ["a[^b]{2}c", 'match(message, "^a[^b]{1,2}c$")'],
    [`(é\\n){9000}`, `match(message, "${"é\n".repeat(64)}")`],
  ];

  test.for(wider)("%s is asked for more than it matches", ([pattern, expected]) => {
    const { where, isExact, matchesEverything } = compileSearch(pattern);
    expect({ where: show(where)?.replaceAll("\\n", "\n"), isExact }).toEqual({
      where: expected,
      isExact: false,
    });
    expect(matchesEverything).toBe(false);
  });

  test("a condition too large for a query lets everything pass", () => {
    const { where, isExact } = compileSearch(`.*a.*${"&.*b.*c.*d.*".repeat(2000)}`);
    expect(where === undefined || isExact).toBe(true);
    const words = Array.from({ length: 3000 }, (_, index) => `.*word${String(index)}.*`);
    expect(compileSearch(words.join("&"))).toMatchObject({ where: undefined, isExact: false });
  });

  test("a server without vectorscan is not asked for it", () => {
    const { where } = compileSearch(".*\\d-\\d.*", { hasVectorscan: false });
    expect(show(where)).toBe('match(message, "[0-9]-[0-9]")');
  });
});

function number(text: string): string {
  return `nullIf(nullIf(toFloat64OrNull(${text}), inf), -inf)`;
}

describe("captures", () => {
  const exact: readonly (readonly [string, Record<string, string>])[] = [
    [".*took (?<y>(?int))ms.*", { y: number('extract(message, "took ([\\x2b\\x2d]?[0-9]+)ms")') }],
    [
      ".* (?<x>[^ ]+)ms",
      {
        x: number("extract(extract(message, \" ([^\\x20]+)ms$\"), '^[+-]?[0-9]+(?:[.][0-9]+)?$')"),
      },
    ],
    [
      ".*T(?<x>\\d{2}):.*=(?<y>(?num(2))).*",
      {
        x: number(
          'extractGroups(message, "T([0-9]{2}):\\C*?=([\\x2b\\x2d]?[0-9]+\\.[0-9]{2})")[1]',
        ),
        y: number(
          'extractGroups(message, "T([0-9]{2}):\\C*?=([\\x2b\\x2d]?[0-9]+\\.[0-9]{2})")[2]',
        ),
      },
    ],
    ['.*user="(?<key>[^"]*)".*', { key: 'toNullable(extract(message, "user=\\"([^\\x22]*)\\""))' }],
    [
      ".*(account|user|id)=(?<key>GET|GETX) .*",
      { key: "nullIf(extract(message, \"(?:id|user|account)=(GETX|GET) \"), '')" },
    ],
    [
      ".*a=(?<key>\\w+).*|.*b.*",
      { key: "nullIf(extract(message, \"a=([0-9A-Z\\x5fa-z]+)\"), '')" },
    ],
    [
      "(.*a=(?<x>\\d+).*)&(.*b=(?<y>\\d+).*)~.*c.*",
      { x: number('extract(message, "a=([0-9]+)")'), y: number('extract(message, "b=([0-9]+)")') },
    ],
    ["(?<x>\\d+) .*", { x: number('extract(message, "^([0-9]+) ")') }],
  ];

  test.for(exact)("%s is captured by ClickHouse", ([pattern, expected]) => {
    const { captures, captureIsExact } = compileSearch(pattern);
    const shown = Object.entries(captures).map(([name, fragment]) => [name, show(fragment)]);
    expect(Object.fromEntries(shown)).toEqual(expected);
    expect(captureIsExact).toBe(true);
  });

  test.for([
    ".*a(?:bc)?(?<x>\\d+).*",
    ".*(?:b|abc)(?<x>\\d).*",
    ".*x(?:ab)+(?<x>\\d).*",
    ".*(?: took (?<y>\\d+))?.*",
    "a=(?<x>\\d+).*|b=(?<y>\\d+).*",
    ".*=.(?<key>[^ ]*).*",
    ".*=(?<key>[^ ]).*",
    ".*id=(?<key>\\d+~1\\d*) .*",
    "a(?<key>b*)c|.*",
  ])("%s is extracted by the exact matcher", (pattern) => {
    expect(compileSearch(pattern)).toMatchObject({ captures: {}, captureIsExact: false });
  });
});

describe("of events with captures", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    [".*took (?<y>(?int))ms.*", 'match(message, "took ")'],
    [".*\\[(?<key>w-\\d+)\\].*", 'match(message, "\\[w-")'],
    // An empty key looks like none.
    [".*u=(?<key>\\w*);.*", 'match(message, "u=") AND match(message, "u=[0-9A-Z\\x5fa-z]*;")'],
    // Nothing is cheaper than the captures: few of them are worth taking out.
    ["(?<x>\\d+)", 'match(message, "^[0-9]+$")'],
    [
      "(.*a=(?<x>\\d+).*)&(.*bc.*)",
      'match(message, "a=") AND match(message, "bc") AND match(message, "a=[0-9]")',
    ],
  ];

  test.for(cases)("%s is asked what its captures do not decide", ([pattern, expected]) => {
    expect(show(compileSearch(pattern).captureWhere)).toBe(expected);
  });
});

describe("required literals", () => {
  const cases: readonly (readonly [string, readonly (readonly string[])[]])[] = [
    [".*", []],
    [".*[Ee]rror.*", [["rror"]]],
    ["(ab){2}c+de?f.*ghij", [["abab"], ["ghij"]]],
    [".*(?:ERROR|WARN: x) é.*", [["ERROR", "WARN: x"], [" é"]]],
    ["(.*foo.*)&(.*bars.*)~.*baz.*", [["bars"], ["foo"]]],
    ["foo|.*", []],
    ["(?<key>ab)cd", [["abcd"]]],
    ["(?:foo)*bar?", [["ba"]]],
  ];

  test.for(cases)("of %s", ([pattern, expected]) => {
    expect(compileSearch(pattern).requiredLiterals).toEqual(expected);
  });
});

test("fragments of one allocator share a query", () => {
  const parameters = new SqlParameters();
  const first = compileSearch(".*foo.*", { parameters, messageColumn: "m" });
  const second = compileSearch(".*bar.*", { parameters });
  const both = sql`${first.where ?? raw("1")} OR ${second.where ?? raw("1")}`;
  expect(both).toEqual({
    text: "match(m, {p0:String}) OR match(message, {p1:String})",
    params: { p0: "foo", p1: "bar" },
  });
});
