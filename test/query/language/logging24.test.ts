// The dialect's parser: the vectors of the search specification, and what it refuses.
import { describe, expect, test } from "vitest";
import { LogboomError } from "../../../schemas/errors.ts";
import { maxPositions, parseLogging24 } from "../../../query/language/logging24.ts";
import { compileSearch, type Captures } from "../../../query/language/search.ts";

/** Pattern, events that match it, events that do not. */
const vectors: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["error", ["error"], ["an error here", ""]],
  [".*error.*", ["an error here", "error", "a\nerror\nb"], ["an eror here"]],
  ["foo|bar", ["foo", "bar"], ["foo x"]],
  ["(.*foo.*)&(.*bar.*)", ["bar then foo"], ["only foo"]],
  ["(.*foo.*)~(.*bar.*)", ["only foo"], ["foo bar"]],
  ["A|B&C", ["A"], ["B", "C"]],
  ["[AB]&[BC]~C", ["B"], ["A", "C"]],
  ["A~A&A", [], ["A"]],
  ["(ab){3}", ["ababab"], ["abab"]],
  ["a{2,}", ["aaaa"], ["a"]],
  ["a{2,3}", ["aa", "aaa"], ["aaaa", "a"]],
  ["a?", ["", "a"], ["aa"]],
  ["a*", ["", "aaaa"], ["b"]],
  ["a*?b+?c??", ["b", "aabbc"], ["bcc"]],
  [".*ERROR\\t.*\\t500.*", ["x ERROR\ta\t500"], ["x ERROR a 500"]],
  ["[^0-9]*", ["no digits", "日本"], ["a1"]],
  ["\\v", ["\v", "\f", "\n", "\r"], [" ", "\t"]],
  ["\\h\\H", [" a", "\tb"], ["  ", "ab"]],
  ["\\s\\S\\N", [" a\r", "\nbx"], [" a\n"]],
  ["\\a\\e\\f", ["\u0007\u001b\f"], ["aef"]],
  [".*\\Werror\\W.*", ["an error occurred", "éerroré"], ["terrorism", "error"]],
  ["(^\\d{4}-\\d{2}-\\d{2}.*|.*\\[ERROR\\].*)", ["2024-01-15 x", "x [ERROR] y"], ["x ERROR y"]],
  ["a.b", ["a\nb", "a.b"], ["ab", "aéb"]],
  ["a..b", ["aéb"], ["a日b"]],
  ["[^a]", ["b"], ["a", "é", "bb"]],
  [".*id=(\\d+~1\\d*) .*", ["id=17 id=25 x"], ["id=17 x"]],
  ["x^|^y$|$z", ["y"], ["x", "z"]],
  ["a*^b$c*", ["b"], ["ab", "bc"]],
  ["(^a|b)+", ["abb", "b"], ["aa", "ba"]],
  ["(^|a){2}", ["", "a", "aa"], ["aaa"]],
  ["[]a-]+", ["]-a"], ["b"]],
  ["[^]]", ["a"], ["]"]],
  ["[aé]", ["a", "é"], ["\u00c3", "b"]],
  ["[а-я]+", ["ошибка"], ["Ошибка", "a"]],
  ["[~-\u{1f680}]", ["~", "é", "日", "🚀"], ["}", "🚁"]],
  ["[\\xc3-\\xff][\\x80-\\xbf]", ["é", "ÿ"], ["日", "ab"]],
  ["[\\d_.]+", ["1_2.3"], ["a"]],
  ["\\xc3\\xa9", ["é"], ["e"]],
  ["é+", ["éé"], ["\u00c3"]],
  ["{x}a{,2}{", ["{x}a{,2}{"], ["aa"]],
  ["\\&\\~\\|\\.\\{", ["&~|.{"], ["x"]],
  ["(?int)", ["12", "-3", "+007"], ["", "-", "1.5", "1e3"]],
  ["(?num(2))", ["0.25", "-10.00"], ["1", "1.2", "1.234", ".25"]],
  ["(?num(0))", ["5"], ["5."]],
  ["(?txt([a-z]+|[0-9]+))", ["abc", "12"], ["a1"]],
  ["()|(?:)x", ["", "x"], ["xx"]],
  ["[^\\x00-\\xff]|a", ["a"], ["b", ""]],
  ["(a{50}){40}", ["a".repeat(2000)], ["a".repeat(2001)]],
];

describe("vectors", () => {
  test.for(vectors)("%s", ([pattern, matching, others]) => {
    const { check } = compileSearch(pattern);
    expect(matching.filter((event) => !check(Buffer.from(event)))).toEqual([]);
    expect(others.filter((event) => check(Buffer.from(event)))).toEqual([]);
  });
});

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

describe("captures", () => {
  const captures: readonly (readonly [string, string, Captures | null])[] = [
    [".*took (?<y>(?int))ms.*", "took 245ms", { y: 245 }],
    [".*(?<y>(?int)).*", "took 123 ms", { y: 123 }],
    [".*(?<y>(?int)).*", "a-5", { y: -5 }],
    [".*latency=(?<y>(?num(3)))s.*", "latency=0.123s", { y: 0.123 }],
    [
      ".*T(?<x>\\d{2}):\\d{2}:\\d{2}.*status=(?<y>(?int)).*",
      "..T07:01:02 status=404",
      { x: 7, y: 404 },
    ],
    [".*ERROR: (?<key>(?txt([A-Za-z_]+))).*", "ERROR: AuthFailed x", { key: bytes("AuthFailed") }],
    [".*=(?<key>[^ ]*).*", "a= b=c", { key: bytes("") }],
    [".*=(?<key>[^ ]+).*", "a= b=é日 c", { key: bytes("é日") }],
    [".*(?<x>[a-z0-9.+-]+) end", "nan end", { x: null }],
    [".* (?<x>[^ ]+) end", "a inf end", { x: null }],
    [".* (?<x>[^ ]+) end", "a 1e3 end", { x: null }],
    [".* (?<x>[^ ]+) end", "a +01.50 end", { x: 1.5 }],
    ["(?<x>\\d+)", "9".repeat(400), { x: null }],
    ["a(?<x>\\d)?(?<key>b)?.*", "a7", { x: 7, key: null }],
    ["(?<x>\\d+)|(?<y>.*)", "12", { x: 12, y: null }],
    ["(.*(?<y>\\d).*)&(.*(?<x>\\d{2}).*)~x", "a1b23", { y: 1, x: 23 }],
    ["(?<x>\\d*)(?<y>\\d*)(?<key>.*)", "12", { x: 12, y: null, key: bytes("") }],
    [".*(?<x>a|ab)(?<key>.*)c", "abc", { x: null, key: bytes("") }],
    [".*id=(?<key>\\d+~1\\d*) .*", "id=17 id=25 x", { key: bytes("25") }],
    [".*(?<x>\\d)x", "12", null],
  ];

  test.for(captures)("%s on %s", ([pattern, event, expected]) => {
    const found = compileSearch(pattern).extract(Buffer.from(event));
    const key = found?.key;
    expect(found && { ...found, ...(key ? { key: Buffer.from(key) } : {}) }).toEqual(expected);
  });
});

function refusalOf(pattern: string): { offset: unknown; message: string } | undefined {
  try {
    parseLogging24(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof LogboomError) || error.code !== "BAD_REGEX") throw error;
    return { offset: error.details["offset"], message: error.message };
  }
}

describe("refusals", () => {
  /** Pattern, offset of the construct, what the message says to write. */
  const refused: readonly (readonly [string, number, string])[] = [
    ["(?i)x", 0, "[Ee]rror"],
    ["a(?s:b)", 1, "[Ee]rror"],
    ["abc(?=a)", 3, "A&B"],
    ["(?!a)", 0, "A~B"],
    ["(?<=a)b", 0, "A&B"],
    ["(?<!a)b", 0, "A~B"],
    ["(?>a)", 0, "(?:"],
    ["(?#a)", 0, "leave it out"],
    ["(?P<x>a)", 0, "(?<key>"],
    ["(?<z>a)", 0, "(?<key>"],
    ["(?R)", 0, "write the text again"],
    ["(?", 0, "(?:"],
    ["(a)\\1", 3, "write the text again"],
    ["x\\b", 1, "(\\W|$)"],
    ["\\Ax", 0, "write ^"],
    ["x\\z", 1, "write $"],
    ["\\p{L}", 0, "class"],
    ["\\Qx\\E", 0, "backslash"],
    ["\\u00e9", 0, "the character itself"],
    ["\\R", 0, "\\v"],
    ["\\y", 0, "write y"],
    ["\\é", 0, "without the backslash"],
    ["\\x4", 0, "\\x0A"],
    ["ab\\", 2, "\\\\"],
    ["a[[:alpha:]]", 2, "[A-Za-z]"],
    ["a[b", 1, "]"],
    ["[]", 0, "]"],
    ["[z-a]", 1, "[a-z]"],
    ["[\\d-z]", 1, "[a-z]"],
    ["[a-\\d]", 1, "[a-z]"],
    ["[\\xc3-é]", 1, "[a-z]"],
    ["a[^bé]", 4, "(.*~.*é.*)"],
    ["[\\b]", 1, "word"],
    ["a*+", 2, "(?:a*)+"],
    ["a**", 2, "(?:a*)+"],
    ["a*??", 3, "(?:a*)+"],
    ["a{2}{3}", 4, "(?:a*)+"],
    ["*a", 0, "\\*"],
    ["(+a)", 1, "\\+"],
    ["a|{2}", 2, "\\{"],
    ["a{3,2}", 1, "N <= M"],
    ["a{10001}", 1, "group"],
    ["a{1,10001}", 1, "group"],
    ["(a", 0, "\\("],
    ["x(?txt(a)", 1, "))"],
    ["a)", 1, "\\)"],
    ["a&", 1, "\\&"],
    ["~b", 0, "\\~"],
    ["(|a&&b)", 3, "\\&"],
    ["a~(?<y>\\d)", 2, "(?:"],
    ["a~b(c(?<y>\\d))", 5, "(?:"],
    ["(?<x>a)(?<x>b)", 7, "once"],
    ["(?<x>a(?<y>b))", 0, "side by side"],
    ["(?<x>a)*", 0, "inside"],
    ["b(a(?<x>\\d)){2}", 1, "inside"],
    ["(?num(10))", 0, "0 to 9"],
    ["(?num)", 0, "(?num(N))"],
    ["(?num(x))", 0, "(?num(N))"],
    ["(?<y>(?int(3)))", 5, "(?int)"],
    ["(?txt)", 0, "(?txt(…))"],
    ["a\ud800b", 1, "bytes"],
    ["[\udc00]", 1, "bytes"],
    ["((a{10000}){10000}){10000}", 11, String(maxPositions)],
    ["(?:(?:ab){10000}c){5}", 18, String(maxPositions)],
  ];

  test.for(refused)("%s at offset %i", ([pattern, offset, advice]) => {
    const refusal = refusalOf(pattern);
    expect(refusal?.offset).toBe(offset);
    expect(refusal?.message).toContain(advice);
    expect(refusal?.message).toContain(`offset ${String(offset)}`);
    expect(refusal?.message).toMatch(/^[^A-Z].*[^.]$/s);
  });
});

/** An event may cost too much, which is an answer, too; but a quick one. */
function checkOrRefuse(pattern: string): unknown {
  try {
    return compileSearch(pattern).check(Buffer.from("aab"));
  } catch (error) {
    return error instanceof LogboomError ? error.code : error;
  }
}

describe("limits", () => {
  /** What it is, the pattern, whether it is taken. */
  const large: readonly (readonly [string, string, boolean])[] = [
    ["a hundred thousand characters", "a".repeat(100_000), true],
    ["one character more", "a".repeat(100_001), false],
    ["open groups", "(".repeat(4000), false],
    ["nested groups", `${"(".repeat(4000)}a${")".repeat(4000)}`, false],
    ["nested groups within the limit", `${"(".repeat(200)}a${")*".repeat(200)}`, true],
    ["a long repetition", "a{10000}", true],
    ["many repetitions", "a{10000}".repeat(10), true],
    ["too many repetitions", `${"a{10000}".repeat(10)}a`, false],
    ["a long union", "ab|".repeat(33_000), true],
    ["a long intersection", `a${"&.*b".repeat(20_000)}`, true],
    ["a long exclusion", `a${"~.*b".repeat(20_000)}`, true],
    ["many classes", Array.from({ length: 9000 }, (_, i) => `[${String(i)}x]`).join(""), true],
    ["a large class", `[${"é".repeat(99_000)}]`, true],
    ["many optional parts", "a?".repeat(50_000), true],
  ];

  test.for(large)("%s", { timeout: 20_000 }, ([, pattern, isTaken]) => {
    const began = performance.now();
    expect(refusalOf(pattern) === undefined).toBe(isTaken);
    expect([true, false, "BAD_REGEX"]).toContain(checkOrRefuse(pattern));
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
