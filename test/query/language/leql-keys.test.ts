// LEQL's comparisons of keys with keys, `key.*`, numbers with units, and where() within where().
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import { parseLeql } from "../../../query/language/leql.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import { line, testWhere } from "./leql-events.ts";
import * as naive from "./naive.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { combined, expectAnswers, type Question } from "./question.ts";
import { keys, message, someTime } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

const events = {
  router: line("at=info connect=1ms service=23ms bytes=20kb http.status=200 http.path='/a b'"),
  traffic: line('{"src":"10.0.0.1","dst":"10.0.0.1","sent":5,"got":"5.0","most":[1,9]}'),
  failure: line(
    '{"src":"a","dst":"b","sent":7,"got":20,"exc":{"type":"IO","of":[{"type":"Net"}],"no":null,"code":9},"size":"3MB","took":1500}',
  ),
  flat: line('{"exc.type":"IO","exc":5,"sent":"2kb","dst":"c"}'),
  words: line("exc.code went from http.path to web"),
};

testWhere(events, [
  ["src=key(dst)", ["traffic"]],
  ["src == KEY( dst )", ["traffic"]],
  ['"src"=key("dst")', ["traffic"]],
  ["src!=key(dst)", ["failure"]],
  ["NOT src=key(dst)", ["router", "failure", "flat", "words"]],
  // Numbers are equal as numbers.
  ["sent=key(got)", ["traffic"]],
  ["sent>=key(got)", ["traffic"]],
  ["sent<key(got)", ["failure"]],
  ["sent>key(got)", []],
  ["src<key(dst)", []],
  // Any value of each.
  ["sent<key(most)", ["traffic"]],
  ["sent>key(most)", ["traffic"]],
  ["sent=key(most)", []],
  ["src,dst=key(src)", ["traffic", "failure"]],
  ["all(src,dst)=key(src)", ["traffic"]],
  ["connect<key(service)", ["router"]],
  ["service<key(bytes)", ["router"]],
  ["exc.type=key(exc.*)", ["failure", "flat"]],
  // A key without parentheses is a text.
  ["src=dst", []],
  ["exc.*=IO", ["failure", "flat"]],
  ["exc.*=Net", ["failure"]],
  // A number is a place in an array, from 0 on.
  ["exc.of.0.type=Net", ["failure"]],
  ["exc.of.1.type=Net", []],
  ["exc.0.type=Net", []],
  ["most.1>8", ["traffic"]],
  ["most.2!=null", []],
  ["exc.*", ["failure", "flat"]],
  ["exc.*!=null", ["failure", "flat"]],
  ["exc.*=null", ["router", "traffic", "words"]],
  ["exc.* ICONTAINS net", ["failure"]],
  ["exc.of.*=Net", []],
  ['"http.*"=200', ["router"]],
  ["http.*='/a b'", ["router"]],
  ["http.*>100", ["router"]],
  ["http.* IN [200, 201]", ["router"]],
  // A name with dots is a keyword, or a key that exists.
  ["exc.code", ["failure", "words"]],
  ["'exc.code'", ["words"]],
  ["http.path", ["router", "words"]],
  ["service>20", ["router"]],
  ["service>20ms", ["router"]],
  ["service>0.02s", ["router"]],
  ["service>=23000us", ["router"]],
  ["service<1s", ["router"]],
  ["service=23ms", ["router"]],
  ["service=0.023s", ["router"]],
  ["service!=24ms", ["router"]],
  ["bytes=20480", []],
  ["bytes>20479", ["router"]],
  ["bytes=20KB", ["router"]],
  ["size>2mb", ["failure"]],
  ["size='3MB'", ["failure"]],
  ["size=3072kb", ["failure"]],
  ["took>1s", ["failure"]],
  ["took=1.5s", ["failure"]],
  ["sent=2048", []],
  ["sent=2kb", ["flat"]],
  ["sent IN [2kb]", ["flat"]],
  ["where(src=a)", ["failure"]],
  ["where(where(src=a) AND NOT where(dst=c))", ["failure"]],
  ["WHERE (src=a) OR where(dst=c)", ["failure", "flat"]],
  ["where", []],
  ["key", []],
]);

test.for([
  ["calculate(sum:service)", { calculate: { kind: "sum", key: { field: { kind: "quantity" } } } }],
  [
    "calculate(pctl(9):x)",
    { calculate: { kind: "percentile", key: { field: { kind: "quantity" } } } },
  ],
  ["calculate(unique:x)", { calculate: { kind: "unique", key: { field: { kind: "firstOf" } } } }],
  ["having(sum:bytes>10kb)", { having: { value: 10_240 } }],
  [
    "having(max:took >= 1.5s AND count<3)",
    { having: { operands: [{ value: 1500 }, { value: 3 }] } },
  ],
  ["groupby(exc.*)", { groupby: [{ name: "exc.*", field: { fields: [{ kind: "below" }, {}] } }] }],
] as const)("%s", ([statement, expected]) => {
  expect(parseLeql(statement)).toMatchObject(expected);
});

test.for([
  ["where(a=key()", 12],
  ["where(a=key(b)", 14],
  ["where(a=key(b c))", 14],
  ["where(a>key(b", 13],
  ["where(a IN [key(b)])", 12],
  ["where(a CONTAINS key(b))", 17],
  ["where(a>10parsecs)", 8],
  ["where(a>7b)", 8],
  ["having(count>5parsecs)", 13],
  ["where(where(a)", 14],
  ["where(where())", 12],
  [`where(${"a.".repeat(40)}*=5)`, 6],
  [`where(b=key(${"a.".repeat(40)}c))`, 12],
  [`groupby(${"a.".repeat(40)}*)`, 8],
  [`where(${"where(".repeat(200)}`, 612],
  [`where(all(${"a,".repeat(300)}a)=5)`, 614],
] as const)("%s is refused at its offset", ([statement, offset]) => {
  expectRefusals(parseLeql, statement, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  const parts = [
    "where(",
    ")",
    "key(",
    "a",
    ".*",
    "a.b",
    "=",
    "!=",
    ">",
    "10kb",
    "5ms",
    "'",
    " AND ",
    "all(",
    ",",
    "having(",
    "sum:",
  ];
  survivesAnything((text) => parseLeql(text).where, parts);
});

test("a message with very many values is compared in linear time", { timeout: 30_000 }, () => {
  const numbers = (from: number) => Array.from({ length: 80_000 }, (_, n) => from + n);
  const event = toQueryEvent(line(JSON.stringify({ a: numbers(0), b: numbers(100_000) })));
  for (const [expression, expected] of [
    ["a=key(b)", false],
    ["a>key(b)", false],
    ["a<key(b)", true],
    ["a.*=key(b)", false],
  ] as const) {
    expect(compileHolds(parseLeql(expression).where)(event)).toBe(expected);
  }
});

describe("on ClickHouse", () => {
  const quantities = [
    "10kb",
    "1.5mb",
    "20480",
    "5ms",
    "0.005s",
    "5000us",
    "2m",
    "120000",
    "7b",
    "x",
  ];
  const value = fc.oneof(fc.constantFrom(...quantities), fc.integer({ min: 0, max: 6 }));
  const object = fc.dictionary(
    fc.constantFrom(...keys),
    fc.oneof(
      value,
      fc.array(value, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("b", "x"), value),
    ),
    { maxKeys: 5 },
  );
  const pairs = fc
    .array(fc.tuple(fc.constantFrom(...keys, "a.x"), value), { maxLength: 5 })
    .map((list) => list.map(([key, text]) => `${key}=${text}`).join(" "));
  const text = fc.oneof(
    message,
    object.map((one) => JSON.stringify(one)),
    pairs,
  );
  const sampled = fc
    .sample(fc.tuple(someTime, text), 300)
    .map(([time, one]) => ({ ...line(one), time }));
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(sampled);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const valuesOf = ({ message: given }: PlainEvent, key: string): string[] => {
    const [inJson, inPairs] = key.endsWith(".*")
      ? [naive.jsonBelow, naive.pairsBelow]
      : [naive.jsonValues, naive.pairValues];
    const name = key.replace(/\.\*$/, "");
    const found = inJson(given, name);
    return found.length > 0 ? found : inPairs(given, name);
  };
  const key = fc.constantFrom(...keys, "a.*", "b.*");
  const operator = fc.constantFrom("=", "<", "<=", ">", ">=");
  const plain = (one: string) => naive.quantityIn(one);
  const passes = (sign: string, left: string, right: string) => {
    const [one, other] = [plain(left), plain(right)];
    const areNumbers = one !== undefined && other !== undefined;
    // A text with a unit is its number.
    return (sign === "=" && left === right) || (areNumbers && naive.compare(sign, one, other));
  };

  const terms: fc.Arbitrary<Question> = fc.oneof(
    fc.tuple(key, key, operator).map(([left, right, sign]) => ({
      text: `${left}${sign}key(${right})`,
      form: "term" as const,
      holds: (event: PlainEvent) =>
        valuesOf(event, left).some((one) =>
          valuesOf(event, right).some((other) => passes(sign, one, other)),
        ),
    })),
    fc.tuple(key, key).map(([left, right]) => ({
      text: `${left} != key("${right}")`,
      form: "term" as const,
      holds: (event: PlainEvent) => {
        const [some, others] = [valuesOf(event, left), valuesOf(event, right)];
        const isEqual = some.some((one) => others.some((other) => passes("=", one, other)));
        return some.length > 0 && others.length > 0 && !isEqual;
      },
    })),
    fc
      .tuple(key, fc.constantFrom(...quantities.slice(0, -2)), operator)
      .map(([name, quantity, sign]) => ({
        text: `${name} ${sign} ${quantity}`,
        form: "term" as const,
        holds: (event: PlainEvent) =>
          valuesOf(event, name).some((one) =>
            sign === "=" && /\d$/.test(quantity)
              ? one === quantity || naive.numberIn(one) === Number(quantity)
              : passes(sign, one, quantity),
          ),
      })),
    key.map((name) => ({
      text: `where(${name}!=null)`,
      form: "term" as const,
      holds: (event: PlainEvent) => valuesOf(event, name).length > 0,
    })),
  );
  const questions = combined(terms, { and: [" AND "], or: [" OR "], not: ["NOT "] });

  test("random expressions find what plain definitions say", async () => {
    let found = 0;
    for (let round = 0; round < 4 * rounds; round += 1) {
      const asked = fc.sample(questions, 8);
      found += asked.filter(({ holds }) => sampled.some(holds)).length;
      await expectAnswers(store, sampled, asked, (one) => parseLeql(`where(${one})`).where);
    }
    expect(found).toBeGreaterThan(rounds * 10);
  });
});
