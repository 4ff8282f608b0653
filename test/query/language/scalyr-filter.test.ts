// Scalyr's filters and functions: their grammar, what filters find, and what is refused.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import { parseScalyrFilter, scalyrField } from "../../../query/language/scalyr-filter.ts";
import { parseScalyrFunction } from "../../../query/language/scalyr-function.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import * as naive from "./naive.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { combined, expectAnswers, type Question } from "./question.ts";
import { keys, message, someTime, words } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

function scalyrEvent(given: Partial<PlainEvent>): PlainEvent {
  return {
    time: 1_795_132_800_000_000_000n,
    message: "",
    prefixes: ["web-1", "/var/log/access_log", "accessLog", "scalyr"],
    attributes: {},
    ...given,
  };
}

describe("filters", () => {
  const events = {
    access: scalyrEvent({
      message: "GET /images/a.png HTTP/1.1 200",
      attributes: {
        uriPath: "/index.html",
        bytes: "5000",
        status: "200",
        $tier: "database",
        severity: "3",
        "a-b": "x",
      },
    }),
    failed: scalyrEvent({
      message: 'Deadline Exceeded: "cache miss"',
      prefixes: ["db-1", "app.log", "", "scalyr"],
      attributes: {
        bytes: "12.5",
        status: "500",
        severity: "5",
        "server-region": "eu",
        thread: "7",
      },
    }),
    json: scalyrEvent({
      message: '{"status":404,"user":"bob","n":{"k":"Deep"}}',
      prefixes: ["", "", "json", "scalyr"],
    }),
  };
  type Name = keyof typeof events;
  const all = Object.keys(events) as Name[];

  const table: readonly (readonly [string, readonly Name[]])[] = [
    ["", all],
    ["  ", all],
    ["*", all],
    ["deadline", ["failed"]],
    ["DEAD", ["failed"]],
    ['"deadline exceeded"', ["failed"]],
    ["'deadline exceeded'", ["failed"]],
    ['"cache miss" deadline', ["failed"]],
    ['"\\"cache"', ["failed"]],
    ["hello (sir || madam)", []],
    ["get or deadline", ["access", "failed"]],
    ["get || deadline", ["access", "failed"]],
    ["get and deadline", []],
    ["get && status=200", ["access"]],
    ["not get", ["failed", "json"]],
    ["!get", ["failed", "json"]],
    ["! (get or deadline)", ["json"]],
    // not before and before or
    ["bob or get deadline", ["json"]],
    ["get deadline or bob", ["json"]],
    ["not get and deadline", ["failed"]],
    ['$"/images/.*\\.png"', ["access"]],
    ["$'deadline'", []],
    ["$'(?i)deadline'", ["failed"]],
    ['message matches "miss.$"', ["failed"]],
    ["uriPath = '/index.html'", ["access"]],
    ["uriPath == '/index.html'", ["access"]],
    ["uriPath='/INDEX.html'", []],
    ["uriPath != '/index.html'", ["failed", "json"]],
    ["uriPath contains 'INDEX'", ["access"]],
    ["uriPath contains:matchcase 'INDEX'", []],
    ['uriPath matches "^/[a-z]+"', ["access"]],
    ["message contains ('GET', 'MISS')", ["access", "failed"]],
    ["message contains:matchcase ('GET', 'MISS')", ["access"]],
    ['message matches ("^GET", "miss.$")', ["access", "failed"]],
    ["* contains 'DATABASE'", ["access"]],
    ["* contains ('db-1', 'deep')", ["failed", "json"]],
    ["* matches '^eu$' or bob", ["failed", "json"]],
    ["not * contains 'e'", []],
    ["* status = 200", ["access"]],
    ['uriPath matches:anycase "^/INDEX"', ["access"]],
    ["uriPath in ('/a', '/index.html')", ["access"]],
    ["status in (404, 500)", ["failed", "json"]],
    ["bytes >= 5000", ["access"]],
    ["bytes < 5000", ["failed"]],
    ["bytes<=12.5", ["failed"]],
    ["bytes > 1e3", ["access"]],
    ["status == 404", ["json"]],
    ["status=200&&uriPath='/index.html'", ["access"]],
    ["status==200||status==404", ["access", "json"]],
    ["user = bob|| bytes=5000&&!deadline", ["access", "json"]],
    ["status = '404'", ["json"]],
    ["status == 404.0", ["json"]],
    ["status == *", all],
    ["status != *", []],
    ["thread == *", ["failed"]],
    ["user == null", ["access", "failed"]],
    ["n.k='Deep'", ["json"]],
    ["uriPath > '/a'", ["access"]],
    ["severity >= 4", ["failed"]],
    ["$serverHost = 'web-1'", ["access"]],
    ["serverHost='db-1'", ["failed"]],
    ["$logfile contains 'access_log'", ["access"]],
    ["$logfile contains 'access_log' uriPath = '/index.html' bytes >= 5000", ["access"]],
    ["$logfile contains 'log' && !(status = 200 || status = 404)", ["failed"]],
    ["$parser == *", ["access", "json"]],
    ["$tier = 'database'", ["access"]],
    ["$region='eu'", ["failed"]],
    ["a\\-b = 'x'", ["access"]],
    ["timestamp >= 1795132800000000000", all],
  ];

  test.for(table)("%s", ([filter, expected]) => {
    const holds = compileHolds(parseScalyrFilter(filter));
    expect(all.filter((name) => holds(toQueryEvent(events[name])))).toEqual(expected);
  });
});

describe("functions", () => {
  const field = scalyrField("ms");

  test.for([
    ["", { kind: "rate" }],
    ["rate", { kind: "rate" }],
    ["count", { kind: "count" }],
    ["ms", { kind: "mean", field }],
    ["mean(ms)", { kind: "mean", field }],
    ["min( ms )", { kind: "min", field }],
    ["max(ms)", { kind: "max", field }],
    ["sumPerSecond(ms)", { kind: "sumPerSecond", field }],
    ["median(ms)", { kind: "percentile", percent: 50, field }],
    ["p10(ms)", { kind: "percentile", percent: 10, field }],
    ["p999(ms)", { kind: "percentile", percent: 99.9, field }],
    ["p(ms, 99.5)", { kind: "percentile", percent: 99.5, field }],
  ] as const)("%s", ([text, expected]) => {
    expect(parseScalyrFunction(text)).toEqual(expected);
  });

  test.for([
    ["mean(", 5],
    ["mean(ms", 7],
    ["mean(ms) x", 9],
    ["p(ms)", 4],
    ["p(ms, 101)", 6],
    ["5", 0],
    ["nonsense(ms)", 8],
  ] as const)("%s is refused at its offset", ([text, offset]) => {
    expectRefusals(parseScalyrFunction, text, offset);
  });
});

test.for([
  ["(a", 2],
  ["a)", 1],
  ["'a", 0],
  ["a and", 5],
  ["or a", 0],
  ["a = ", 4],
  ["a contains", 10],
  ["a matches b", 10],
  ["a matches '('", 11],
  ["$'a(?=b)'", 3],
  ["a in b", 5],
  ["a in ('b'", 9],
  ["a | b", 2],
  [`${"(".repeat(200)}a`, 101],
  [Array.from({ length: 300 }, () => "a").join(" "), 500],
] as const)("%s is refused at its offset", ([filter, offset]) => {
  expectRefusals(parseScalyrFilter, filter, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  survivesAnything(parseScalyrFilter, [
    "a=",
    "a contains ",
    "matches",
    " and ",
    "||",
    "!",
    "(",
    ")",
    '$"',
    "'",
    "in (",
    ",",
  ]);
});

describe("on ClickHouse", () => {
  const event = fc
    .record({
      time: someTime,
      message,
      host: fc.constantFrom("", "web-1", "web-10"),
      attributes: fc.dictionary(
        fc.constantFrom("status", "user", "$tier", "server-tier", "ms"),
        fc.constantFrom(...words, ""),
        { maxKeys: 3 },
      ),
    })
    .map(({ host, ...rest }): PlainEvent => ({
      ...rest,
      attributes: { ...rest.attributes },
      prefixes: [host, "app.log", "", "scalyr"],
    }));
  const events = fc.sample(event, 250);
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(events);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  function term(text: string, holds: Question["holds"]): Question {
    return { text, form: "term", holds };
  }

  function valuesOf({ attributes, message: text, prefixes }: PlainEvent, name: string): string[] {
    if (name === "$serverHost") return prefixes[0] === "" ? [] : [prefixes[0]];
    const value = attributes[name] ?? attributes[name.replace("$", "server-")];
    if (value !== undefined) return [value];
    return name.startsWith("$") ? [] : naive.jsonValues(text, name);
  }

  const name = fc.constantFrom(...keys, "$tier", "$serverHost");
  const word = fc.constantFrom(...words);
  const lower = (text: string) => text.toLowerCase();

  const terms = fc.oneof(
    word.map((text) => term(`"${text}"`, (event) => lower(event.message).includes(lower(text)))),
    fc
      .constantFrom("e[a-z]+r", "\\d{3}", "(?i)BOB|ошиб")
      .map((regex) =>
        term(`$"${regex}"`, (event) =>
          new RegExp(regex.replace("(?i)", ""), regex.startsWith("(?i)") ? "siu" : "su").test(
            event.message,
          ),
        ),
      ),
    fc
      .tuple(name, word, fc.constantFrom("=", "==", "!="))
      .map(([key, text, operator]) =>
        term(
          `${key} ${operator} '${text}'`,
          (event) => valuesOf(event, key).includes(text) === (operator !== "!="),
        ),
      ),
    fc
      .tuple(name, fc.constantFrom("404", "5.2", "-7"), fc.constantFrom("<", "<=", ">", ">="))
      .map(([key, bound, operator]) =>
        term(`${key} ${operator} ${bound}`, (event) =>
          valuesOf(event, key).some((value) => {
            const number = naive.numberIn(value);
            return number !== undefined && naive.compare(operator, number, Number(bound));
          }),
        ),
      ),
    fc
      .tuple(name, fc.constantFrom("E", "40", "web", "ш", ""))
      .map(([key, part]) =>
        term(`${key} contains '${part}'`, (event) =>
          valuesOf(event, key).some((value) => lower(value).includes(lower(part))),
        ),
      ),
    fc
      .tuple(name, fc.constantFrom("^\\w+$", "r{2}|e$"))
      .map(([key, regex]) =>
        term(`${key} matches "${regex}"`, (event) =>
          valuesOf(event, key).some((value) => new RegExp(regex, "su").test(value)),
        ),
      ),
    fc
      .tuple(name, fc.uniqueArray(word, { minLength: 1, maxLength: 3 }))
      .map(([key, list]) =>
        term(`${key} in (${list.map((text) => `"${text}"`).join(", ")})`, (event) =>
          valuesOf(event, key).some((value) => list.includes(value as (typeof list)[number])),
        ),
      ),
    name.map((key) => term(`${key} == *`, (event) => valuesOf(event, key).length > 0)),
  );
  const questions = combined(terms, {
    and: [" and ", " && ", " "],
    or: [" or ", " || "],
    not: ["not ", "!"],
  });

  test("random filters find what plain definitions say", async () => {
    for (let round = 0; round < rounds; round += 1) {
      await expectAnswers(store, events, fc.sample(questions, 30), parseScalyrFilter);
    }
  });
});
