// Fields of events: what ClickHouse reads out of a message and what the evaluator reads is the same.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventReader } from "../../../query/language/event-reader.ts";
import { jsonField, type Field } from "../../../query/language/field.ts";
import { toNumber } from "../../../query/language/numeric-text.ts";
import { compileRe2 } from "../../../query/language/re2-regex.ts";
import { fieldNumber, fieldText, fieldTexts } from "../../../query/language/sql-field.ts";
import { raw, SqlParameters } from "../../../query/language/sql-fragment.ts";
import { startingWith } from "../../../query/language/text-pattern.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { message } from "./random-query-event.ts";

const count = Number(process.env["LOGBOOM_TEST_RUNS"] ?? 1500);

/** Documents on which parsers of JSON are known to differ. */
const odd = [
  "",
  " ",
  "{",
  "{}",
  "[]",
  "1",
  '"a"',
  "null",
  ' {"a":1} ',
  '\ufeff{"a":1}',
  '{"a":1}x',
  '{"a":1}{"a":2}',
  '{"a":1,"a":2}',
  '{"a":{"b":1},"a.b":2}',
  '{"a":null,"a.b":2}',
  '{"a":{"b":null},"a.b":2}',
  '{"a.b":"flat"}',
  '{"\\u0061":"escaped key"}',
  '{"a":"\\ud83d\\ude00"}',
  '{"a":"\\ud800"}',
  '{"a":"\\udc00x"}',
  '{"a":1,"\\ud800":2}',
  '{"a":"x\\u0000y"}',
  '{"a":"\\/\\b\\f\\n\\r\\t\\"\\\\"}',
  '{"a":"tab\there"}',
  '{"a":"new\nline"}',
  '{"a":"del\x7f"}',
  '{"a":18446744073709551615}',
  '{"a":18446744073709551616}',
  '{"a":-9223372036854775808}',
  '{"a":-9223372036854775809}',
  '{"a":00}',
  '{"a":-0}',
  '{"a":-0.0}',
  '{"a":0.0}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":+1}',
  '{"a":1e5}',
  '{"a":1E+5}',
  '{"a":1e-7}',
  '{"a":1e21}',
  '{"a":1e20}',
  '{"a":123456789012345678}',
  '{"a":1.7976931348623157e308}',
  '{"a":1e309}',
  '{"a":-1e309}',
  '{"a":5e-324}',
  '{"a":1e-400}',
  '{"a":0.1}',
  '{"a":100000000000000000000.0}',
  '{"a":0.30000000000000004}',
  '{"a":1.10}',
  '{"a":tru}',
  '{"a":true}',
  '{"a":TRUE}',
  '{"a":NaN}',
  '{"a":[1,"two",null,true,[3],{"b":4},5.50,"\\u00e9/","nx"]}',
  '{"a":[]}',
  '{"a":[null]}',
  '{"a":{"b":["x","y"]}}',
  '{"a":{"b":{"c":1}}}',
  '{"a":[{"b":1}]}',
  '{"a":[1,{"b":"x","0":"zero"},[2,[3]],null,"last"]}',
  '{"a":[{"b":1},{"b":[1,2]}]}',
  '{"a":[{"b":1}],"a.0.b":"flat"}',
  '{"a":{"0":{"b":"named"},"1":[5]}}',
  '{"a":{"x":{"b":"not in order"},"y":2}}',
  '[{"a":"top","b":1},[7,8]]',
  "{'a':1}",
  "{a:1}",
  '{"a":1,}',
  '{"a":[1,]}',
  '{"a" 1}',
  '{"a"::1}',
  '{,"a":1}',
  '{"a":1 "b":2}',
  '{"":"empty"}',
  '{"a":"}{][","b":"\\\\"}',
  `${'{"a":'.repeat(1023)}1${"}".repeat(1023)}`,
  `${'{"a":'.repeat(1024)}1${"}".repeat(1024)}`,
  `{"a":"x","b":${"[".repeat(1022)}1${"]".repeat(1022)}}`,
  `{"a":"x","b":${"[".repeat(1023)}1${"]".repeat(1023)}}`,
  `{"a":"x","b":${"[".repeat(1023)}${"]".repeat(1023)}}`,
  `{"a":"x","b":${"[".repeat(1024)}${"]".repeat(1024)}}`,
  `{"a":"x","b":${"[".repeat(1024)}{}${"]".repeat(1024)}}`,
  `{"a":"x","b":${"[".repeat(5000)}1${"]".repeat(5000)}}`,
  "[".repeat(100_000),
  "a=1",
  'a="x y" b=2',
  "a='x y'",
  "aa=1",
  "xa=1 a=2",
  "a=",
  "a=,b=1",
  'a="open',
  "(a=1)",
  "url?a=1&b=2",
  "a==1",
  '{"a":{"x":1,"x":2,"y":{},"y":[3]}}',
  '{"a":{"b":[1,{"c":"d\\":"},[null,true,"nul"]],"e":{},"f":"\\u00e9:"},"a.z":"q","a.":0,"a.b.c":{"k":"v"}}',
  '{"a":{"":{"":""}},"a.b":null}',
  `{"a":${'{"b":'.repeat(500)}[1,2]${"}".repeat(500)}}`,
  'a.x=1 a.y="2 3" b.a.z=4 a.=5 (a.b.c=\'6\')a.q=a.r=7 a.s="open a.t=8',
  '{"a":"10kb"}',
  '{"a":["1.5MB","+2Gb","-3tb","5ms","0.1us","7ns","2µs","1.25s","4m","2h"]}',
  '{"a":["7b","12d","1e3s","5 ms","ms","5msx","x5ms","5.ms"]}',
  "a=20kb b=30ms",
  'a="x"y',
  "a=é b=ß",
];

/** A document with a character put in, taken out or doubled. */
const damaged = fc
  .tuple(
    message,
    fc.nat(),
    fc.constantFrom(
      "",
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "\\",
      "0",
      "e",
      "-",
      " ",
      "\n",
      "\u0001",
    ),
  )
  .map(([text, at, put]) => {
    const place = text.length === 0 ? 0 : at % text.length;
    return text.slice(0, place) + put + text.slice(put === "" ? place + 1 : place);
  });

const fields: Readonly<Record<string, Field>> = {
  a: jsonField("a"),
  "a.b": jsonField("a.b"),
  "a.0": jsonField("a.0"),
  "a.1": jsonField("a.1"),
  "a.0.b": jsonField("a.0.b"),
  "a.1.b": jsonField("a.1.b"),
  "a.1.0": jsonField("a.1.0"),
  "a.2.1.0": jsonField("a.2.1.0"),
  "0.a": jsonField("0.a"),
  "1.0": jsonField("1.0"),
  "a.00": jsonField("a.00"),
  level: jsonField("level"),
  empty: jsonField(""),
  pair: { kind: "pair", key: "a" },
  either: { kind: "firstOf", fields: [jsonField("user"), { kind: "pair", key: "user" }] },
  "a.*": { kind: "below", path: ["a"] },
  "a.b.*": { kind: "below", path: ["a", "b"] },
  "*": { kind: "below", path: [] },
  "a.* of pairs": { kind: "pairsBelow", prefix: "a" },
  quantity: {
    kind: "quantity",
    of: { kind: "firstOf", fields: [jsonField("a"), { kind: "pair", key: "a" }] },
  },
  host: { kind: "label", index: 0 },
  tags: { kind: "list", of: { kind: "label", index: 2 } },
  array: { kind: "arrayAttribute", name: "json" },
  like: { kind: "attributesLike", names: startingWith("j", false) },
  any: { kind: "anyAttribute" },
  attribute: { kind: "attribute", name: "x.y" },
  time: { kind: "time" },
  message: { kind: "message" },
  group: { kind: "group", regex: compileRe2("(?P<k>[a-z]+)=(?P<v>\\S*)", false, 0), name: "v" },
};

describe("on ClickHouse", () => {
  const events: PlainEvent[] = [...odd, ...fc.sample(fc.oneof(message, damaged), count)].map(
    (text, n) => ({
      time: 1_795_132_800_000_000_000n + BigInt(n),
      message: text,
      prefixes: [
        n % 3 === 0 ? "" : `host-${String(n % 5)}`,
        "app",
        ["", "a", "a,b"][n % 3] ?? "",
        "",
      ],
      attributes: {
        ...(n % 2 === 0 && { "x.y": n % 4 === 0 ? "" : "1.50" }),
        ...(n % 3 === 0 && { json: text }),
        ...(n % 3 === 1 && { json: `[${text}, "a,b", null, 1.50]` }),
      },
    }),
  );
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(events);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const target = { parameters: new SqlParameters(), message: raw("message") };

  test.for(Object.entries(fields))(
    "%s has the values that the evaluator finds",
    async ([, field]) => {
      const rows = await store.read([
        fieldTexts(field, target),
        fieldText(field, target),
        fieldNumber(field, target),
      ]);
      const expected = events.map((event) => {
        const texts = new EventReader(toQueryEvent(event)).texts(field);
        const [first = null] = texts;
        return [texts, first, first === null ? null : (toNumber(first) ?? null)];
      });
      const differences = rows.flatMap((row, n) =>
        JSON.stringify(row) === JSON.stringify(expected[n])
          ? []
          : [{ message: events[n]?.message.slice(0, 300), row, expected: expected[n] }],
      );
      expect(differences.slice(0, 5)).toEqual([]);
    },
  );

  test("a message is an object to both", async () => {
    const rows = await store.read([raw("JSONType(message) = 'Object'")]);
    const differences = rows.flatMap(([isObject], n) => {
      const event = events[n] as PlainEvent;
      const found = new EventReader(toQueryEvent(event)).isObject;
      return (isObject === 1) === found
        ? []
        : [{ message: event.message.slice(0, 300), isObject, found }];
    });
    expect(differences.slice(0, 5)).toEqual([]);
  });
});

test("a hostile message of 1 MB is read in linear time", { timeout: 30_000 }, () => {
  const size = 1_000_000;
  const hostile = ['{"a":"', '{"a":', "[", '"', "\\", "{", 'a="', "a='", '{"a":[', "k=v "].map(
    (part) => part.repeat(Math.ceil(size / part.length)),
  );
  const long = `{"a":"${"x\\n".repeat(size / 3)}","b":[${"1,".repeat(size / 2)}1]}`;
  for (const text of [...hostile, long]) {
    const reader = new EventReader({
      time: 0n,
      message: Buffer.from(text),
      prefixes: ["", "", "", ""],
      attributes: {},
    });
    for (const field of Object.values(fields)) {
      expect(reader.texts(field).join("").length).toBeLessThanOrEqual(text.length);
    }
  }
});
