// LEQL: its grammar, what its expressions find, and what it refuses.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventReader } from "../../../query/language/event-reader.ts";
import { compileHolds } from "../../../query/language/holds.ts";
import { parseLeql, type LeqlKey } from "../../../query/language/leql.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import { line, testWhere } from "./leql-events.ts";
import * as naive from "./naive.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { combined, expectAnswers, type Question } from "./question.ts";
import { keys, message, someTime, words } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

const events = {
  plain: line("Failed password for root from 10.0.0.7 port 22"),
  pairs: line("time=12:00 status=404 path=\"/a b\" user='J D' ms=1.5 empty= GET"),
  json: line(
    '{"status":200,"path":"/a b","user":"bob","ip":"192.168.1.9","nested":{"k":"v"},"a.b":1,"list":["x","y"],"no":null,"cmd":"C:\\\\Windows\\\\cmd.exe"}',
  ),
  other: line('{"status":"500","user":"Alice","ip":"10.9.8.7","ms":1000}'),
};
const all = Object.keys(events) as (keyof typeof events)[];

testWhere(events, [
  ["", all],
  ["/.*/", all],
  ["password", ["plain"]],
  ["Password", []],
  ["pass", []],
  ['"password for root"', ["plain"]],
  ['"for password"', []],
  ["404", ["pairs"]],
  ["10.0.0.7", ["plain"]],
  ["/pass\\w+/", ["plain"]],
  ["/PASS/", []],
  ["/PASS/i", ["plain"]],
  ["/from \\d+\\.\\d+/ AND root", ["plain"]],
  ["password AND root", ["plain"]],
  ["password and nobody", []],
  ["password OR status=200", ["plain", "json"]],
  ["NOT password", ["pairs", "json", "other"]],
  ["GET NOT password", ["pairs"]],
  // NOT before AND before OR
  ["GET OR root AND nobody", ["pairs"]],
  ["root AND nobody OR GET", ["pairs"]],
  ["NOT root AND GET", ["pairs"]],
  ["(GET OR root) AND NOT status=404", ["plain"]],
  ["NOT (GET OR root)", ["json", "other"]],
  ["status=404", ["pairs"]],
  ["status = 404", ["pairs"]],
  ["status=4.04e2", ["pairs"]],
  ["status=500", ["other"]],
  ['status="500"', ["other"]],
  ["status=40", []],
  ["status!=404", ["json", "other"]],
  ["status!=null", ["pairs", "json", "other"]],
  ["status=null", ["plain"]],
  ["no!=null", []],
  ["status>200", ["pairs", "other"]],
  ["status >= 200", ["pairs", "json", "other"]],
  ["status<404", ["json"]],
  ["status<=404", ["pairs", "json"]],
  ["ms>1 AND ms<2", ["pairs"]],
  ["status", ["pairs", "json", "other"]],
  ["user=bob", ["json"]],
  ["user=Bob", []],
  ["user=bo", []],
  ["user='J D'", ["pairs"]],
  ['user="J D"', ["pairs"]],
  ["user='''J D'''", ["pairs"]],
  ['user="""J D"""', ["pairs"]],
  ["user=NOCASE(BOB)", ["json"]],
  ['user=NOCASE("ALICE")', ["other"]],
  ["user=/^b/", ["json"]],
  ["user=/ALI/i", ["other"]],
  ["user!=/^b/", ["pairs", "other"]],
  ["path='/a b'", ["pairs", "json"]],
  ["empty=''", ["pairs"]],
  ["nested.k=v", ["json"]],
  ["a.b=1", ["json"]],
  ['"a.b"=1', ["json"]],
  ["list=x", ["json"]],
  ['cmd="C:\\\\Windows\\\\cmd.exe"', ["json"]],
  ['cmd="C:\\Windows\\cmd.exe"', ["json"]],
  ["cmd=C:\\\\Windows\\\\cmd.exe", ["json"]],
  ["user IN [bob, 'J D']", ["pairs", "json"]],
  ["user in[bob]", ["json"]],
  ["user NOT IN [bob]", ["pairs", "other"]],
  ["NOT user IN [bob]", ["plain", "pairs", "other"]],
  ["user IIN [BOB, aLiCe]", ["json", "other"]],
  ["status IN [200, 404]", ["pairs", "json"]],
  ["ip IN [IP(10.0.0.0/8), 192.168.1.9]", ["json", "other"]],
  ["ip=IP(192.168.0.0/16)", ["json"]],
  ['ip=IP("192.168.0.0/16")', ["json"]],
  ["ip!=IP(192.168.0.0/16)", ["other"]],
  ["user IN [/^b/, /^J/]", ["pairs", "json"]],
  ["user CONTAINS ob", ["json"]],
  ["user CONTAINS OB", []],
  ["user ICONTAINS OB", ["json"]],
  ["user NOT CONTAINS ob", ["pairs", "other"]],
  ["user STARTS-WITH Al", ["other"]],
  ["user ISTARTS-WITH al", ["other"]],
  ["user starts-with al", []],
  ["user CONTAINS-ANY [ob, li]", ["json", "other"]],
  ["user CONTAINS-ALL [o, b]", ["json"]],
  ["user ICONTAINS-ANY ['OB', \"LI\"]", ["json", "other"]],
  ["user ICONTAINS-ALL [A, C]", ["other"]],
  ["user STARTS-WITH-ANY [b, J]", ["pairs", "json"]],
  ["user ISTARTS-WITH-ANY [B]", ["json"]],
  ["user,path=bob", ["json"]],
  ["all(user, status)=/./ AND user=bob", ["json"]],
  ["all(user,path)=bob", []],
  ["PASSWORD, loose", ["plain"]],
  ["user=OB, loose", ["json"]],
]);

describe("clauses", () => {
  const key = (name: string): LeqlKey => expect.objectContaining({ name }) as LeqlKey;

  test.for([
    ["", {}],
    ["where(/.*/)", {}],
    ["calculate(count)", { calculate: { kind: "count" } }],
    ["where(a=1)calculate(COUNT)", { calculate: { kind: "count" } }],
    ["where(a=1) groupby(user)", { groupby: [key("user")] }],
    [
      "where(a=1)groupby(user, ip)calculate(count)",
      { groupby: [key("user"), key("ip")], calculate: { kind: "count" } },
    ],
    [
      "GROUPBY('a b') Calculate(Unique:user)",
      { groupby: [key("a b")], calculate: { kind: "unique", key: key("user") } },
    ],
    ["calculate(count:user)", { calculate: { kind: "count", key: key("user") } }],
    ["calculate(sum:a.b)", { calculate: { kind: "sum", key: key("a.b") } }],
    ["calculate(average:ms)", { calculate: { kind: "average", key: key("ms") } }],
    ["calculate(avg: ms)", { calculate: { kind: "average", key: key("ms") } }],
    ["calculate(min:ms)", { calculate: { kind: "min", key: key("ms") } }],
    ["calculate(max:ms)", { calculate: { kind: "max", key: key("ms") } }],
    [
      "calculate(percentile(95):ms)",
      { calculate: { kind: "percentile", percent: 95, key: key("ms") } },
    ],
    [
      "calculate(pctl(99.9):ms)",
      { calculate: { kind: "percentile", percent: 99.9, key: key("ms") } },
    ],
    ["calculate(sd:ms)", { calculate: { kind: "standarddeviation", key: key("ms") } }],
    [
      "calculate(standarddeviation:ms)",
      { calculate: { kind: "standarddeviation", key: key("ms") } },
    ],
    ["calculate(bytes)", { calculate: { kind: "bytes" } }],
    [
      "groupby(u) having(count>=5)",
      {
        groupby: [key("u")],
        having: { kind: "compare", calculation: { kind: "count" }, comparison: ">=", value: 5 },
      },
    ],
    [
      "groupby(u)having(unique:ip >= 5 AND count != 2)",
      {
        groupby: [key("u")],
        having: {
          kind: "and",
          operands: [
            {
              kind: "compare",
              calculation: { kind: "unique", key: key("ip") },
              comparison: ">=",
              value: 5,
            },
            { kind: "compare", calculation: { kind: "count" }, comparison: "!=", value: 2 },
          ],
        },
      },
    ],
    ["calculate(count) timeslice(60)", { calculate: { kind: "count" }, timeslice: { count: 60 } }],
    ["timeslice(1h)", { timeslice: { seconds: 3600 } }],
    ["timeslice(1d)", { timeslice: { seconds: 86_400 } }],
    ["timeslice(30 min)", { timeslice: { seconds: 1800 } }],
    ["sort(asc)", { sort: { order: "asc", key: undefined } }],
    ["sort(desc#key)", { sort: { order: "desc", key: "key" } }],
    ["limit(10)", { limit: [10] }],
    ["limit(10,20)", { limit: [10, 20] }],
    [
      "select(a, b.c as d)where(x)",
      {
        select: [
          { ...key("a"), as: "a" },
          { ...key("b.c"), as: "d" },
        ],
      },
    ],
    [
      "where(connection_status=DENY)groupby(source_address)sort(desc)limit(5)",
      { groupby: [key("source_address")], sort: { order: "desc", key: undefined }, limit: [5] },
    ],
  ] as const)("%s", ([statement, expected]) => {
    const { where: _, select, ...rest } = parseLeql(statement);
    const empty = {
      select: [],
      groupby: [],
      calculate: undefined,
      having: undefined,
      timeslice: undefined,
      sort: undefined,
      limit: [],
    };
    const wanted = { ...empty, ...expected };
    expect(rest).toEqual({ ...wanted, select: undefined });
    expect(select.map(({ name, as }) => [name, as])).toEqual(
      wanted.select.map(({ as }, index) => [["a", "b.c"][index], as]),
    );
  });

  test("named groups of expressions are keys, wherever they stand", () => {
    for (const statement of [
      "where(/from (?P<address>[0-9.]+)/)groupby(address)",
      "groupby(address) where(/from (?P<address>[0-9.]+)/)",
    ]) {
      const [address] = parseLeql(statement).groupby;
      const reader = new EventReader(toQueryEvent(events.plain));
      expect(address && reader.texts(address.field)).toEqual(["10.0.0.7"]);
    }
  });

  test("a statement without clauses is an expression", () => {
    const holds = compileHolds(parseLeql("password AND root").where);
    expect(all.filter((name) => holds(toQueryEvent(events[name])))).toEqual(["plain"]);
  });

  test.each([
    "a=1 OR b calculate(count)limit(2)",
    "limit(2) calculate(count) where(a=1 OR b)",
    "a=1 OR where(b) calculate(count) limit(2)",
  ])("%s: clauses may follow an expression without where()", (statement) => {
    expect(parseLeql(statement)).toEqual(parseLeql("where(a=1 OR b) calculate(count) limit(2)"));
  });
});

test.for([
  ["where(", 6],
  ["where(a", 7],
  ["where(a))", 8],
  ["where(a AND)", 11],
  ["where(OR a)", 6],
  ["where(a OR OR b)", 11],
  ["where(a=)", 8],
  ["where(a>b)", 8],
  ["where(a IN b)", 11],
  ["where(a IN [b)", 13],
  ["where(a=IP(10.0.0.0/99))", 8],
  ["where(/a(/)", 7],
  ["where(/a(?<=b)/)", 8],
  ["where(/a/x)", 9],
  ["where('a)", 6],
  ["where(a) nonsense(b)", 9],
  ["where(a) groupby()", 17],
  ["groupby(a) groupby(b)", 11],
  ["calculate(median:x)", 10],
  ["calculate(sum)", 10],
  ["calculate(percentile:x)", 10],
  ["calculate(percentile(101):x)", 10],
  ["having(count)", 12],
  ["timeslice(0)", 10],
  ["timeslice(5 parsecs)", 10],
  ["sort(up)", 5],
  ["limit(0)", 7],
  ["limit(x)", 6],
  [`where(${"(".repeat(200)}`, 107],
  [`where(a IN [${"b,".repeat(300)}b])`, 510],
] as const)("%s is refused at its offset", ([statement, offset]) => {
  expectRefusals(parseLeql, statement, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  const parts = [
    "where(",
    ")",
    "a=",
    " IN [",
    "]",
    " AND ",
    " OR ",
    "NOT ",
    "/a",
    "'''",
    '"',
    "groupby(",
    "calculate(",
    "having(",
    "count>",
    ",",
    "IP(",
    "all(",
    "!",
  ];
  survivesAnything((text) => parseLeql(text).where, parts);
});

describe("on ClickHouse", () => {
  const sampled = fc
    .sample(fc.tuple(someTime, message), 250)
    .map(([time, text]) => ({ ...line(text), time }));
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(sampled);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  function term(text: string, holds: Question["holds"]): Question {
    return { text, form: "term", holds };
  }

  const values = ({ message: text }: PlainEvent, key: string): string[] => {
    const found = naive.jsonValues(text, key);
    return found.length > 0 ? found : naive.pairValues(text, key);
  };
  const words_ = (text: string) =>
    (text.replaceAll(/\\[bfnrt]/g, " ").match(/[\p{L}\p{N}_]+/gu) ?? []) as string[];
  const plainWord = fc.constantFrom(...words.filter((word) => /^[\p{L}\p{N}]/u.test(word)));
  const anyWord = fc.constantFrom(...words);
  const key = fc.constantFrom(...keys);
  const quotedWord = anyWord.map((word) => `"${word}"`);

  const terms = fc.oneof(
    plainWord.map((word) =>
      term(`"${word}"`, (event) => naive.standsIn(words_(word), words_(event.message))),
    ),
    fc
      .tuple(
        fc.constantFrom(
          "err",
          "[0-9]{3}",
          "time|user",
          "^web-\\d+",
          "é|ß",
          "\\bx\\b",
          "\\x41|\\x{44}b",
          "\\pL-\\d",
        ),
        fc.boolean(),
      )
      .map(([regex, ignoreCase]) =>
        term(`/${regex}/${ignoreCase ? "i" : ""}`, ({ message: text }) =>
          new RegExp(
            regex.replace("\\x{44}", "D").replace("\\pL", "\\p{L}"),
            ignoreCase ? "siu" : "su",
          ).test(text),
        ),
      ),
    fc.tuple(key, quotedWord, fc.constantFrom("=", "!=")).map(([name, quoted, operator]) =>
      term(`${name}${operator}${quoted}`, (event) => {
        const found = values(event, name);
        const isEqual = found.includes(quoted.slice(1, -1));
        return operator === "=" ? isEqual : found.length > 0 && !isEqual;
      }),
    ),
    fc
      .tuple(
        key,
        fc.constantFrom("404", "5.2", "-7", "1e3", "0"),
        fc.constantFrom("=", "<", "<=", ">", ">="),
      )
      .map(([name, number, operator]) =>
        term(`${name} ${operator} ${number}`, (event) =>
          values(event, name).some((value) => {
            const parsed = naive.numberIn(value);
            return (
              (operator === "=" && value === number) ||
              (parsed !== undefined && naive.compare(operator, parsed, Number(number)))
            );
          }),
        ),
      ),
    fc
      .tuple(
        key,
        fc.uniqueArray(quotedWord, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.boolean(),
      )
      .map(([name, list, ignoreCase, isNot]) =>
        term(
          `${name} ${isNot ? "NOT " : ""}${ignoreCase ? "IIN" : "IN"} [${list.join(", ")}]`,
          (event) => {
            const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
            const wanted = list.map((quoted) => fold(quoted.slice(1, -1)));
            const found = values(event, name);
            const isIn = found.some((value) => wanted.includes(fold(value)));
            return isNot ? found.length > 0 && !isIn : isIn;
          },
        ),
      ),
    fc
      .tuple(
        key,
        fc.uniqueArray(fc.constantFrom("e", "er", "o", "ош", "-", "40", "B"), {
          minLength: 1,
          maxLength: 2,
        }),
        fc.constantFrom("CONTAINS", "STARTS-WITH"),
        fc.constantFrom("-ANY", "-ALL"),
        fc.boolean(),
      )
      .map(([name, parts, operator, many, ignoreCase]) =>
        term(
          `${name} ${ignoreCase ? "I" : ""}${operator}${many} [${parts.map((part) => `'${part}'`).join()}]`,
          (event) => {
            const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
            const passes = (part: string) =>
              values(event, name).some((value) =>
                operator === "CONTAINS"
                  ? fold(value).includes(fold(part))
                  : fold(value).startsWith(fold(part)),
              );
            return many === "-ANY" ? parts.some(passes) : parts.every(passes);
          },
        ),
      ),
    fc
      .tuple(key, fc.constantFrom("10.0.0.0/8", "fe80::/10", "0.0.0.0/0"))
      .map(([name, network]) =>
        term(`${name}=IP(${network})`, (event) =>
          values(event, name).includes(network.startsWith("fe") ? "fe80::1" : "10.1.2.3"),
        ),
      ),
    key.map((name) => term(`${name}!=null`, (event) => values(event, name).length > 0)),
    fc
      .tuple(key, fc.constantFrom("e.*r", "^\\d+$", "A|B"))
      .map(([name, regex]) =>
        term(`${name}=/${regex}/`, (event) =>
          values(event, name).some((value) => new RegExp(regex, "su").test(value)),
        ),
      ),
  );
  const questions = combined(terms, {
    and: [" AND ", " and "],
    or: [" OR ", " or "],
    not: ["NOT ", "not ", "!"],
  });

  test("random expressions find what plain definitions say", async () => {
    for (let round = 0; round < rounds; round += 1) {
      await expectAnswers(
        store,
        sampled,
        fc.sample(questions, 30),
        (text) => parseLeql(`where(${text})`).where,
      );
    }
  });
});
