// KQL: its grammar, what its filters find, and what it refuses.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import { parseKql } from "../../../query/language/kql.ts";
import { parseTimestamp } from "../../../schemas/time.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import * as naive from "./naive.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { combined, expectAnswers, type Question } from "./question.ts";
import { sentence, someTime, words } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);
const now = parseTimestamp("2024-03-15T12:00:00Z") ?? 0n;

function logtraceEvent(
  time: string,
  level: string,
  service: string,
  message: string,
  attributes: Readonly<Record<string, string>> = {},
): PlainEvent {
  return {
    time: parseTimestamp(time) ?? 0n,
    message,
    prefixes: ["production", service, level, "logtrace"],
    attributes,
  };
}

describe("filters", () => {
  const events = {
    timeout: logtraceEvent(
      "2024-03-15T10:22:01Z",
      "ERROR",
      "payment-gateway",
      "Connection timeout on db-primary-03",
      {
        "http.status": "504",
        "user.id": "42",
        tags: '["db","slow"]',
        "error.text": "read timeout after 30 s",
        duration: "1500.5",
        expires: "2024-03-16T10:00:00.250Z",
      },
    ),
    login: logtraceEvent(
      "2024-03-15T11:30:00.5Z",
      "INFO",
      "auth",
      'User "alice" logged in: not bad',
      {
        "http.status": "200",
        "user.id": "alice",
        ip: "10.0.0.7",
        deleted: "null",
        note: "a and b",
        expires: "2024-03-17",
        pattern: "\\d+",
      },
    ),
    slow: logtraceEvent(
      "2024-03-14T23:59:59Z",
      "warn",
      "api",
      "slow query (2.5 s) on /api/v1/users",
      {
        "http.status": "200",
        duration: "2500",
        path: "C:\\temp",
        "user.name": "Bob Smith",
      },
    ),
    empty: logtraceEvent("2024-02-01T00:00:00Z", "INFO", "", "", {}),
  };
  type Name = keyof typeof events;
  const all = Object.keys(events) as Name[];

  const table: readonly (readonly [string, readonly Name[]])[] = [
    ["", all],
    ["   ", all],
    ["*", all],
    ["*:*", all],
    ["service:payment-gateway AND level:ERROR", ["timeout"]],
    ["level:error", ["timeout"]],
    ["level:WARN", ["slow"]],
    ["level:ERR", []],
    ["level:err*", ["timeout"]],
    ["level:(error or warn)", ["timeout", "slow"]],
    ["level:(ERROR OR WARN)", ["timeout", "slow"]],
    ["not level:info", ["timeout", "slow"]],
    ["NOT level:info", ["timeout", "slow"]],
    ["level:(not info)", ["timeout", "slow"]],
    ["service:auth", ["login"]],
    ["service:Auth", []],
    ["service:a*", ["login", "slow"]],
    ["service:*", ["timeout", "login", "slow"]],
    ["not service:*", ["empty"]],
    ["environment:production and service:api", ["slow"]],
    ["message:timeout", ["timeout"]],
    ["message:TIMEOUT", ["timeout"]],
    ["message:time", []],
    ["message:time*", ["timeout"]],
    ["message:*meou*", ["timeout"]],
    ["message:connection slow", ["timeout", "slow"]],
    ['message:"connection timeout"', ["timeout"]],
    ['message:"timeout connection"', []],
    ["message:db-primary-03", ["timeout"]],
    ['message:"\\"alice\\""', ["login"]],
    ["message:\\(2.5", ["slow"]],
    ["message:*", all],
    ["timeout", ["timeout"]],
    ["alice", ["login"]],
    ["42", ["timeout"]],
    ['"payment-gateway"', ["timeout"]],
    ["connection slow", ["timeout", "slow"]],
    ["http.status:200", ["login", "slow"]],
    ["http.status:200.0", ["login", "slow"]],
    ["http.status : 504", ["timeout"]],
    ["http.status >= 500", ["timeout"]],
    ["http.status<500", ["login", "slow"]],
    ["http.status > 200 and http.status <= 504", ["timeout"]],
    ["http:{ status:200 and status < 300 }", ["login", "slow"]],
    ["user:{ id:42 }", ["timeout"]],
    ["http.*:200", ["login", "slow"]],
    ["*:200", ["login", "slow"]],
    ["duration > 1500", ["timeout", "slow"]],
    ["duration:1500.50", ["timeout"]],
    ["user.id:alice", ["login"]],
    ["user.id:ali", []],
    ["user.id:Alice", []],
    ["user.id:(alice or 42)", ["timeout", "login"]],
    ["user.name:bob", ["slow"]],
    ['user.name:"Bob Smith"', ["slow"]],
    ["error.text:timeout", ["timeout"]],
    ["tags:slow", ["timeout"]],
    ["tags:(db and slow)", ["timeout"]],
    ["deleted:*", []],
    ["not duration:*", ["login", "empty"]],
    ["path:C\\:\\\\temp", ["slow"]],
    ['path:"C:\\\\temp"', ["slow"]],
    ["note:a \\and b", ["login"]],
    ['note:"a and b"', ["login"]],
    ["message:\\not bad", ["login"]],
    // not before and before or
    ["level:warn or level:info and service:auth", ["login", "slow"]],
    ["level:info and service:auth or level:warn", ["login", "slow"]],
    ["(level:warn or level:info) and service:auth", ["login"]],
    ["not level:info and not level:error", ["slow"]],
    ["not (level:info or level:error)", ["slow"]],
    ["level:info NOT message:*alice*", ["empty"]],
    ['service:"payment-gateway" NOT message:*nothing*', ["timeout"]],
    ["timestamp >= 2024-03-15", ["timeout", "login"]],
    ["@timestamp < 2024-03-15", ["slow", "empty"]],
    ["timestamp <= 2024-03-14", ["slow", "empty"]],
    ["timestamp > 2024-03-14", ["timeout", "login"]],
    ['timestamp:"2024-03-15"', ["timeout", "login"]],
    ['timestamp:"2024-03-15T10:22"', ["timeout"]],
    ['timestamp:"2024-03-15T11:30:00Z"', ["login"]],
    ["timestamp >= now-1h", ["login"]],
    ["timestamp < now-1d", ["empty"]],
    ["timestamp:*", all],
    ["timestamp >= now/d", ["timeout", "login"]],
    ["timestamp < now/d", ["slow", "empty"]],
    ["timestamp <= now-1d/d", ["slow", "empty"]],
    ["timestamp > now-1d/d", ["timeout", "login"]],
    ["timestamp:now-1d/d", ["slow"]],
    ["timestamp >= now-1h/h and timestamp < now/h", ["login"]],
    ['timestamp:"now/M"', ["timeout", "login", "slow"]],
    ["timestamp < now/M", ["empty"]],
    ["timestamp:2024-02", ["empty"]],
    ["timestamp > 2024-02", ["timeout", "login", "slow"]],
    ["timestamp:2024", all],
    ["timestamp:2023", []],
    ["timestamp <= 2024-02-01||+1M/M", all],
    ["timestamp:2024-03-15||/w", ["timeout", "login", "slow"]],
    ["timestamp >= 1710498121", ["timeout", "login"]],
    ["timestamp > 1710498121", ["login"]],
    ["timestamp:1710498121000", ["timeout"]],
    // Of texts in ISO 8601, dates are what they are of timestamps.
    ["expires <= 2024-03-16", ["timeout"]],
    ["expires > 2024-03-16", ["login"]],
    ["expires < 2024-03-16", []],
    ["expires >= now+1d/d", ["timeout", "login"]],
    ["expires >= now+2d/d", ["login"]],
    ['expires >= "2024-03-16T10:00:01Z"', ["login"]],
    ['expires > "2024-03-16T10:00"', ["login"]],
    ['expires >= "2024-03-16T10:00:00Z"', ["timeout", "login"]],
    // In quotes a backslash is one, unless a sign comes after it.
    ['path:"C:\\\\temp"', ["slow"]],
    ['path:"C:\\temp"', []],
    ['pattern:"\\d+"', ["login"]],
    ["pattern:\\\\d+", ["login"]],
    ['message:"\\u0061lice"', ["login"]],
    ["deleted:null", []],
  ];

  test.for(table)("%s", ([filter, expected]) => {
    const holds = compileHolds(parseKql(filter, now));
    expect(all.filter((name) => holds(toQueryEvent(events[name])))).toEqual(expected);
  });
});

test.for([
  ["a:1 b:2", 5],
  ["(a", 2],
  ["a)", 1],
  ['"a', 0],
  ['a:"b', 2],
  ["a:", 2],
  ["a and", 2],
  ["and a", 0],
  ["a or or b", 5],
  ["not", 0],
  ["a:(b or)", 5],
  ["a:(b", 4],
  ["a > ", 4],
  ["a > 5*", 3],
  ["a:{b", 3],
  ["a:{b:1", 6],
  ["a:{}", 3],
  ["a <> b", 3],
  ["timestamp:yesterday", 0],
  ["timestamp > soon", 11],
  ["timestamp > now/x", 11],
  ["timestamp > now-1", 11],
  ["timestamp > 2024-03-15||+1", 11],
  ["timestamp > now+999999y", 11],
  ["timestamp:2024-13", 0],
  ["message:\\d+", 8],
  ["not not a", 4],
  ["not(a)", 0],
  ["a or(b)", 2],
  ["(a)or b", 3],
  ["a\\", 1],
  ["{a}", 0],
  [`${"(".repeat(200)}a`, 101],
  [Array.from({ length: 300 }, () => "a").join(" or "), 1250],
] as const)("%s is refused at its offset", ([filter, offset]) => {
  expectRefusals(parseKql, filter, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  survivesAnything(parseKql, [
    "a:",
    "timestamp",
    " and ",
    " or ",
    "not ",
    "(",
    ")",
    "{",
    "}",
    '"',
    "<=",
    ":",
    "\\u00",
    "now-",
  ]);
});

describe("on ClickHouse", () => {
  const levels = ["ERROR", "error", "Info", "WARN"] as const;
  const services = ["", "auth", "api", "payment-gateway"] as const;
  const names = ["status", "user.id", "note", "a.b"] as const;
  const value = fc.oneof(
    fc.constantFrom(...words),
    sentence,
    fc.constantFrom(
      "404",
      "404.0",
      "5.2",
      "null",
      "[",
      "[1,",
      '["web-1",404,null,{"a":1}]',
      '["a b"]',
      "",
    ),
  );
  const event = fc
    .record({
      time: someTime,
      message: sentence,
      level: fc.constantFrom(...levels),
      service: fc.constantFrom(...services),
      attributes: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }),
    })
    .map(({ level, service, ...rest }): PlainEvent => ({
      ...rest,
      attributes: { ...rest.attributes },
      prefixes: ["production", service, level, "logtrace"],
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

  function valuesOf(event: PlainEvent, name: string): string[] {
    const attribute = event.attributes[name];
    if (attribute === undefined || attribute === "null") return [];
    if (!attribute.startsWith("[")) return [attribute];
    try {
      return (JSON.parse(attribute) as unknown[]).flatMap((item) =>
        typeof item === "string" || typeof item === "number" ? [String(item)] : [],
      );
    } catch {
      return [attribute];
    }
  }

  const hasWords = (text: string, query: string) =>
    naive.standsIn(naive.wordsIn(query, false), naive.wordsIn(text, true));
  const isEqual = (text: string, query: string) => {
    const wanted = naive.numberIn(query);
    return (
      text === query ||
      (wanted !== undefined && naive.numberIn(text) === wanted) ||
      (/[ \t\n\r\f\v]/.test(text) && hasWords(text, query))
    );
  };
  const escape = (text: string) => text.replaceAll(/[\\():<>"{}*]/g, "\\$&");
  const plainWord = fc.constantFrom(...words.filter((word) => /^[\p{L}\p{N}]/u.test(word)));
  const name = fc.constantFrom(...names);

  const terms = fc.oneof(
    fc
      .tuple(plainWord, plainWord)
      .map(([a, b]) =>
        term(
          `message:${escape(a)} ${escape(b)}`,
          ({ message }) => hasWords(message, a) || hasWords(message, b),
        ),
      ),
    fc
      .tuple(plainWord, plainWord)
      .map(([a, b]) =>
        term(`message:"${a} ${b}"`, ({ message }) => hasWords(message, `${a} ${b}`)),
      ),
    fc
      .constantFrom("err", "ош", "ti")
      .map((begin) =>
        term(`message:${begin}*`, ({ message }) =>
          naive.wordsIn(message, true).some((word) => word.startsWith(begin)),
        ),
      ),
    plainWord.map((word) =>
      term(
        escape(word),
        (event) =>
          hasWords(event.message, word) ||
          event.prefixes.slice(0, 2).includes(word) ||
          event.prefixes[2].toLowerCase() === word.toLowerCase() ||
          Object.values(event.attributes).some((text) => isEqual(text, word)),
      ),
    ),
    fc
      .constantFrom("error", "ERROR", "info")
      .map((level) =>
        term(`level:${level}`, ({ prefixes }) => prefixes[2].toLowerCase() === level.toLowerCase()),
      ),
    fc
      .constantFrom("auth", "payment-gateway")
      .map((service) => term(`service:${service}`, ({ prefixes }) => prefixes[1] === service)),
    fc
      .tuple(name, plainWord)
      .map(([key, word]) =>
        term(`${key}:${escape(word)}`, (event) =>
          valuesOf(event, key).some((text) => isEqual(text, word)),
        ),
      ),
    fc
      .tuple(name, fc.constantFrom("<", "<=", ">", ">="), fc.constantFrom("404", "5.2", "-7"))
      .map(([key, operator, bound]) =>
        term(`${key} ${operator} ${bound}`, (event) =>
          valuesOf(event, key).some((text) => {
            const number = naive.numberIn(text);
            return number !== undefined && naive.compare(operator, number, Number(bound));
          }),
        ),
      ),
    fc
      .tuple(name, fc.constantFrom("<", ">="))
      .map(([key, operator]) =>
        term(`${key} ${operator} "f"`, (event) =>
          valuesOf(event, key).some((text) => naive.compare(operator, text, "f")),
        ),
      ),
    name.map((key) => term(`${key}:*`, (event) => valuesOf(event, key).length > 0)),
    fc
      .tuple(
        fc.constantFrom("<", "<=", ">", ">="),
        fc.constantFrom("2026-11-20", "2026-11-20T06:30"),
      )
      .map(([operator, text]) =>
        term(`timestamp ${operator} "${text}"`, ({ time }) => {
          const cut = new Date(Number(time / 1_000_000n)).toISOString().slice(0, text.length);
          return naive.compare(operator, cut, text);
        }),
      ),
  );
  const questions = combined(terms, {
    and: [" and ", " AND "],
    or: [" or ", " OR "],
    not: ["not ", "NOT "],
  });

  test("random filters find what plain definitions say", async () => {
    for (let round = 0; round < rounds; round += 1) {
      await expectAnswers(store, events, fc.sample(questions, 30), parseKql);
    }
  });
});
