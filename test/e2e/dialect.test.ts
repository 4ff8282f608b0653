// The test vectors of the search specification's section 4, asked of the running service.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { countEvents, ingest, postSearch, search, toNdjson, waitForCount } from "../support/api.ts";
import { replyKeys, type SearchReply } from "../support/snapshots.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 });

let service: Service;

/** Pattern, events that match it, events that do not. */
const vectors: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["error", ["error"], ["an error here"]],
  [".*error.*", ["an error here"], ["an eror here"]],
  ["foo|bar", ["foo", "bar"], ["foo x"]],
  ["(.*foo.*)&(.*bar.*)", ["bar then foo"], ["only foo"]],
  ["(.*foo.*)~(.*bar.*)", ["only foo"], ["foo bar"]],
  ["(ab){3}", ["ababab"], ["abab", "abababab"]],
  ["a{2,}", ["aaaa"], ["a"]],
  ["a{2,3}", ["aa", "aaa"], ["aaaa"]],
  ["a?", ["", "a"], ["aa"]],
  ["a*", ["", "aaaa"], ["b"]],
  ["a{0}b{1}", ["b"], ["ab"]],
  [".*ERROR\\t.*\\t500.*", ["x ERROR\ta\t500"], ["x ERROR a 500"]],
  ["[^0-9]*", ["no digits"], ["a1"]],
  ["\\v", ["\v", "\f", "\n", "\r"], [" ", "\t", "v"]],
  ["\\h", [" ", "\t"], ["\n", "h"]],
  [".*\\Werror\\W.*", ["an error occurred"], ["terrorism"]],
  ["(^\\d{4}-\\d{2}-\\d{2}.*|.*\\[ERROR\\].*)", ["2024-01-15 x", "x [ERROR] y"], ["x ERROR y"]],
  ["a.b", ["a\nb", "a.b"], ["ab"]],
  [".*ERROR.*", ["line one\nERROR in two\nthree"], ["line one\ntwo"]],
  [".*id=(\\d+~1\\d*) .*", ["id=17 id=25 x"], ["id=17 x"]],
  ["A|B&C", ["A"], ["B", "C"]],
  ["[AB]&[BC]~C", ["B"], ["A", "C"]],
  ["A~A|A", ["A"], ["B"]],
  ["(AB~A)|\\&\\~", ["AB", "&~"], ["A"]],
  ["..", ["é", "ab"], ["e", "日"]],
  ["\\xc3\\xa9", ["é"], ["e"]],
  [".*took (?int)ms.*", ["took 245ms", "took -3ms"], ["took ms"]],
  [".*(?num(3))s", ["latency=0.123s"], ["latency=123s"]],
  ["{x}]", ["{x}]"], ["x"]],
  ["a{2000}", ["a".repeat(2000)], ["a".repeat(1999)]],
  ["(a{50}){40}", ["a".repeat(2000)], ["a".repeat(2001)]],
  ["x.*?y+?", ["x1yy"], ["x1"]],
  ["\\N+", ["one line"], ["two\nlines"]],
  ["\\a\\e\\f", ["\u0007\u001b\f"], ["aef"]],
  ["[]a]", ["]", "a"], ["b"]],
];

const events = vectors.flatMap(([, yes, no], row) =>
  [...yes, ...no].map((message) => ({ message, prefix0: `row ${String(row).padStart(2, "0")}` })),
);

const captured = [
  "took 245ms",
  "took 123 ms",
  "latency=0.123s",
  "2024-01-15T07:01:02 status=404",
  "ERROR: AuthFailed x",
];

beforeAll(async () => {
  service = await startService();
  await ingest(service, toNdjson(events));
  await ingest(service, toNdjson(captured.map((message) => ({ message, prefix0: "captures" }))));
  await waitForCount(service, { regex: ".*" }, events.length + captured.length);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

describe("patterns", () => {
  test.for(vectors.map((vector, row) => [row, ...vector] as const))(
    "row %i: %s matches what it should",
    async ([row, regex, yes]) => {
      const prefix0 = `row ${String(row).padStart(2, "0")}`;
      const reply = await search(service, { regex, prefix0 });
      const messages = reply.events.map(({ message }) => message);
      expect(messages.toSorted()).toEqual(yes.toSorted());
      expect(await countEvents(service, { regex, prefix0 })).toBe(yes.length);
    },
  );
});

describe("captures", () => {
  /** Pattern, splits on x and y, and the index of the one cell that holds one event. */
  const cells: readonly (readonly [string, string, string, readonly number[]])[] = [
    [".*took (?<y>(?int))ms.*", "", "245,246", [0, 1, 0]],
    [".*took (?<y>(?int)) ms.*", "", "4,123,124", [0, 0, 1, 0]],
    [".*(?<y>(?int)) ms", "", "123,124", [0, 1, 0]],
    [".*latency=(?<y>(?num(3)))s.*", "", "0.122,0.123,0.124", [0, 0, 1, 0]],
    [".*T(?<x>\\d{2}):\\d{2}:\\d{2}.*status=(?<y>(?int)).*", "7,8", "404", [0, 0, 0, 1, 0, 0]],
    [".*T(?<x>\\d{2}):\\d{2}:\\d{2}.*", "7,8", "", [0, 1, 0]],
  ];

  test.for(cells)("%s falls into its bucket", async ([regex, xSplits, ySplits, counts]) => {
    const reply = await search(service, {
      regex,
      xSplits,
      ySplits,
      type: "EXACT_XY_HISTOGRAM_BINNED",
      prefix0: "captures",
    });
    expect(reply.counts).toEqual(counts);
  });

  test("a key is the captured text", async () => {
    const reply = await search(service, {
      regex: ".*ERROR: (?<key>(?txt([A-Za-z_]+))).*",
      type: "BACKWARD_RESULTS_ONE_PER_KEY31",
      prefix0: "captures",
    });
    expect(reply.events.map(({ key, message }) => [key, message])).toEqual([
      ["AuthFailed", "ERROR: AuthFailed x"],
    ]);
  });

  const missing: readonly (readonly [string, Record<string, string>])[] = [
    ["y", { type: "EXACT_XY_HISTOGRAM_BINNED", ySplits: "1", regex: ".*(?<x>\\d).*" }],
    ["x", { type: "EXACT_XY_HISTOGRAM_BINNED", xSplits: "1", regex: ".*" }],
    ["key", { type: "BACKWARD_RESULTS_ONE_PER_KEY31", regex: ".*(?<x>\\d).*" }],
  ];

  test.for(missing)(
    "a query that needs the capture %s is refused without it",
    async ([name, asked]) => {
      const body = new URLSearchParams({ customer: "acme", ...asked }).toString();
      const response = await postSearch(service, body);
      expect(response.status).toBe(400);
      const reply = (await response.json()) as SearchReply;
      expect(reply.error).toContain(name);
    },
  );
});

describe("what the dialect does not have", () => {
  /** Pattern and the offset at which a reader finds the fault. */
  const refused: readonly (readonly [string, number])[] = [
    ["(?i)x", 0],
    ["abc(?=a)", 3],
    ["(?!a)", 0],
    ["(?<=a)b", 0],
    ["(a)\\1", 3],
    ["x\\b", 1],
    ["\\Ax", 0],
    ["\\p{L}", 0],
    ["\\Qx\\E", 0],
    ["[[:alpha:]]", 1],
    ["(?>a)", 0],
    ["a*+", 2],
    ["a**", 2],
    ["(a", 0],
    ["a)", 1],
    ["[a", 0],
    ["a{3,2}", 1],
    ["a{10001}", 1],
    ["*a", 0],
    ["(?<z>a)", 0],
    ["a~(?<y>\\d)", 2],
    ["a\\", 1],
    ["\\x4", 0],
    ["(?num(10))", 0],
  ];

  test.for(refused)("%s is refused with the offset", async ([regex, offset]) => {
    const response = await postSearch(service, { regex });
    expect(response.status).toBe(400);
    const reply = (await response.json()) as SearchReply & { details?: { offset?: number } };
    expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
    expect(reply).toMatchObject({ errorCode: "BAD_REGEX", events: [], counts: [], contexts: [] });
    // The fault may be told at the construct's begin or where it goes wrong inside.
    const told = Number(/offset (\d+)/.exec(reply.error ?? "")?.[1] ?? reply.details?.offset);
    expect(told).toBeGreaterThanOrEqual(offset);
    expect(told).toBeLessThanOrEqual(regex.length);
  });

  const advice: readonly (readonly [string, RegExp])[] = [
    ["(?i)error", /\[Ee\]/],
    ["a&", /\\&/],
    ["~b", /\\~/],
  ];

  test.for(advice)("%s is answered with what to write instead", async ([regex, expected]) => {
    const response = await postSearch(service, { regex });
    expect(response.status).toBe(400);
    expect(((await response.json()) as SearchReply).error).toMatch(expected);
  });

  test("a pattern that grows too large is refused and names the limit", async () => {
    const response = await postSearch(service, { regex: "((a{10000}){10000}){10000}" });
    expect(response.status).toBe(400);
    const reply = (await response.json()) as SearchReply;
    expect(reply.errorCode).toBe("BAD_REGEX");
    expect(reply.error).toMatch(/\d/);
  });
});
