// Loggly's search language: its grammar, what its queries find, and what it refuses.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLoggly } from "../../../query/language/loggly.ts";
import { compileHolds } from "../../../query/language/holds.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import * as naive from "./naive.ts";
import { QueryStore, toQueryEvent, type PlainEvent } from "./query-store.ts";
import { combined, expectAnswers, type Question } from "./question.ts";
import { keys, message, sentence, someTime, words } from "./random-query-event.ts";

const rounds = Number(process.env["LOGBOOM_TEST_ROUNDS"] ?? 4);

function logglyEvent(given: Partial<PlainEvent> & { tags?: readonly string[] }): PlainEvent {
  const { tags = [], ...rest } = given;
  return {
    time: 1_795_132_800_000_000_000n,
    message: "",
    prefixes: ["web-1", "nginx", tags.toSorted().join(","), "loggly"],
    attributes: {},
    ...rest,
  };
}

describe("queries", () => {
  const events = {
    plain: logglyEvent({
      message: "User alice: Connection timeout after 30s [404]",
      tags: ["http", "a.b"],
    }),
    json: logglyEvent({
      message:
        '{"level":"ERROR","status":404,"ms":5.2,"user":{"name":"Alice Cooper"},"path":"/api/v1/users","ok":null,"list":["red","blue"]}',
      tags: ["http", "p-24170"],
    }),
    other: logglyEvent({ message: '{"level":"info","status":500,"ms":12,"a.b":"dotted"}' }),
    escaped: logglyEvent({
      message: String.raw`{"user":{"names":["\u0410\u043b\u0438\u0441\u0430 \u0411","x"]},"html":"\u003cbold\u003e"}`,
    }),
    syslog: logglyEvent({
      message: "session opened for root",
      attributes: {
        "syslog.host": "db-1",
        "syslog.severity": "Notice",
        "syslog.priority": "13",
        "syslog.appName": "sshd: child process",
        tags: "linux,a.very-long",
      },
    }),
  };
  type Name = keyof typeof events;
  const all = Object.keys(events) as Name[];

  const table: readonly (readonly [string, readonly Name[]])[] = [
    ["*", all],
    ["*:*", all],
    ["timeout", ["plain"]],
    ["TIMEOUT", ["plain"]],
    ["time", []],
    ["time*", ["plain"]],
    ["*out", ["plain"]],
    ["t?meout", ["plain"]],
    ['"connection timeout"', ["plain"]],
    ['"timeout connection"', []],
    ["connection-timeout", ["plain"]],
    ["alice", ["plain", "json"]],
    ["404", ["plain", "json"]],
    ["alice 404", ["plain", "json"]],
    ["alice AND timeout", ["plain"]],
    ["alice && timeout", ["plain"]],
    ["timeout OR root", ["plain", "syslog"]],
    ["timeout || root", ["plain", "syslog"]],
    ["alice NOT timeout", ["json"]],
    ["alice -timeout", ["json"]],
    ["alice AND NOT timeout", ["json"]],
    ["NOT alice", ["other", "escaped", "syslog"]],
    ["NOT NOT alice", ["plain", "json"]],
    // NOT before AND before OR
    ["root OR alice AND timeout", ["plain", "syslog"]],
    ["alice AND timeout OR root", ["plain", "syslog"]],
    ["NOT alice OR timeout", ["plain", "other", "escaped", "syslog"]],
    ["(root OR alice) AND timeout", ["plain"]],
    ["root OR alice timeout", ["plain", "syslog"]],
    ["NOT (alice OR root)", ["other", "escaped"]],
    ["json.level:error", ["json"]],
    ["json.level:ERROR", ["json"]],
    ["json.level:err", []],
    ['json.user.name:["Alice B" TO "Alice D"]', ["json"]],
    ['json.user.name:{"Alice Cooper" TO *]', []],
    ["json.level:err*", ["json"]],
    ["json.level:(error OR info)", ["json", "other"]],
    ["json.level:(NOT error)", ["plain", "other", "escaped", "syslog"]],
    ["NOT json.level:error", ["plain", "other", "escaped", "syslog"]],
    ["json.user.name:alice", ["json"]],
    ['json.user.name:"alice cooper"', ["json"]],
    ['json.user.name:"cooper alice"', []],
    ["json.a.b:dotted", ["other"]],
    ["json.path:/api\\/v1.*/", ["json"]],
    ["json.path:\\/api*", ["json"]],
    ["json.list:blue", ["json"]],
    ["json.status:404", ["json"]],
    ["json.status:404.0", ["json"]],
    ["json.status:40*", ["json"]],
    ["json.ms:5", []],
    ["json.ms:5.2", ["json"]],
    ["json.status:>404", ["other"]],
    ["json.status:>=404", ["json", "other"]],
    ["json.status:<500", ["json"]],
    ["json.status:<=4.04e2", ["json"]],
    ["json.status:[400 TO 499]", ["json"]],
    ["json.status:[400 TO 500]", ["json", "other"]],
    ["json.status:{404 TO 500]", ["other"]],
    ["json.status:{404 TO 500}", []],
    ["json.status:[10 TO *]", ["json", "other"]],
    ["json.status:[* TO 404}", []],
    ["json.level:[a TO z]", ["other"]],
    ["json.level:/err(or)?/", ["json"]],
    ["json.level:/err/", []],
    ["/conn.*out/", ["plain"]],
    ["json.ok:*", []],
    ["json.level:*", ["json", "other"]],
    ["NOT json.level:*", ["plain", "escaped", "syslog"]],
    ["status:500", ["other"]],
    ["tag:http", ["plain", "json"]],
    ["tag:HTTP", ["plain", "json"]],
    ["tag:htt", []],
    ["tag:htt*", ["plain", "json"]],
    ['tag:"a.b"', ["plain"]],
    ["tag:p-24170", ["json"]],
    ["tag:(http AND p-24170)", ["json"]],
    ["tag:*", ["plain", "json", "syslog"]],
    ["syslog.host:db-1", ["syslog"]],
    ["syslog.severity:notice", ["syslog"]],
    ["syslog.priority:>12", ["syslog"]],
    ["logtype:json", ["json", "other", "escaped"]],
    ["logtype:syslog", ["syslog"]],
    ["logtype:plain", ["plain"]],
    // A term without a field is looked for in all: of attributes, the values.
    ["notice", ["syslog"]],
    ["NOTICE", ["syslog"]],
    ["not*", ["syslog"]],
    ["noti", []],
    ["13", ["syslog"]],
    ["db-1", ["syslog"]],
    ["linux", ["syslog"]],
    ['"a.very-long"', ["syslog"]],
    ['"child process"', ["syslog"]],
    ["/child.process/", ["syslog"]],
    ["c?ild", ["syslog"]],
    ["*:sshd", ["syslog"]],
    ["severity", []],
    ["root notice", ["syslog"]],
    ["NOT notice", ["plain", "json", "other", "escaped"]],
    ["алиса", ["escaped"]],
    ['"АЛИСА б"', ["escaped"]],
    ["али*", ["escaped"]],
    ["bold", ["escaped"]],
    ['"б x"', []],
    // A phrase stands in one field.
    ['"Notice sshd"', []],
    ["nginx", all],
    ["web-1", all],
    ["and", []],
    ['"say \\"x\\""', []],
    ["json.level:error json.status:404 -tag:other", ["json"]],
  ];

  test.for(table)("%s", ([query, expected]) => {
    const holds = compileHolds(parseLoggly(query));
    expect(all.filter((name) => holds(toQueryEvent(events[name])))).toEqual(expected);
  });
});

test.for([
  ["", 0],
  ["  ", 2],
  ["a AND", 5],
  ["AND a", 0],
  ["a OR OR b", 5],
  ["(a", 2],
  ["a)", 1],
  ['"a', 0],
  ["json.a:", 7],
  ["json.a:>", 8],
  ["json.a:[1 TO", 7],
  ["[1 TO 5]", 0],
  ["json.a:/(/", 8],
  ["json.a:/a(?=b)/", 9],
  ["logtype:j*", 8],
  ["x AND NOT", 9],
  [`${"(".repeat(200)}a`, 101],
  [Array.from({ length: 300 }, () => "a").join(" "), 500],
  ["a".repeat(30_000), 20_000],
] as const)("%s is refused at its offset", ([query, offset]) => {
  expectRefusals(parseLoggly, query, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  survivesAnything(parseLoggly, [
    "json.a:",
    "tag:",
    "AND ",
    "OR ",
    "NOT ",
    "[1 TO ",
    '"',
    "/",
    "(",
    ")",
    ">",
  ]);
});

describe("on ClickHouse", () => {
  const event: fc.Arbitrary<PlainEvent> = fc
    .record({
      time: someTime,
      message,
      host: fc.constantFrom("", "web-1", "web-2"),
      app: fc.constantFrom("", "nginx", "error"),
      tags: fc.uniqueArray(fc.constantFrom("http", "a.b", "user", "p-1"), { maxLength: 3 }),
      severity: fc.constantFrom(undefined, "Error", "Notice"),
      attributes: fc.dictionary(fc.constantFrom("http.note", "other", ""), sentence, {
        maxKeys: 2,
      }),
    })
    .map(({ host, app, tags, severity, attributes, ...rest }) => ({
      ...rest,
      prefixes: [host, app, tags.toSorted().join(","), "loggly"],
      attributes: {
        ...attributes,
        ...(severity !== undefined && { "syslog.severity": severity, "syslog.host": host }),
      },
    }));
  const events = fc.sample(event, 250);
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(events);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  function hasWords(text: string, query: string, hasEscapes: boolean): boolean {
    return naive.standsIn(naive.wordsIn(query, false), naive.wordsIn(text, hasEscapes));
  }

  function term(text: string, holds: Question["holds"]): Question {
    return { text, form: "term", holds };
  }

  const plainWord = fc.constantFrom(...words.filter((word) => /^[\p{L}\p{N}]/u.test(word)));
  const anywhere = (
    { message, prefixes, attributes }: PlainEvent,
    check: (text: string) => boolean,
  ) =>
    [
      message,
      ...prefixes.slice(0, 3),
      ...Object.values(attributes),
      ...(message.includes("\\u") ? naive.allJsonValues(message) : []),
    ].some(check);
  const jsonKey = fc.constantFrom(...keys);

  const terms = fc.oneof(
    plainWord.map((word) =>
      term(word.replaceAll(":", "\\:"), (event) =>
        anywhere(event, (text) => hasWords(text, word, true)),
      ),
    ),
    fc
      .tuple(plainWord, plainWord)
      .map(([a, b]) =>
        term(`"${a} ${b}"`, (event) =>
          anywhere(event, (text) => hasWords(text, `${a} ${b}`, true)),
        ),
      ),
    fc
      .constantFrom("err", "time", "ошиб", "al")
      .map((begin) =>
        term(`${begin}*`, (event) =>
          anywhere(event, (text) =>
            naive.wordsIn(text, true).some((word) => word.startsWith(begin)),
          ),
        ),
      ),
    fc
      .constantFrom("e[a-z]+r", "\\d+", "(?:web|foo)-.*", "алиса|ошибка")
      .map((regex) =>
        term(`/${regex}/`, (event) =>
          anywhere(event, (text) =>
            new RegExp(`(^|[^0-9A-Za-z_])(?:${regex})($|[^0-9A-Za-z_])`, "isu").test(text),
          ),
        ),
      ),
    fc.tuple(jsonKey, plainWord, fc.boolean()).map(([key, word, isQuoted]) =>
      term(`json.${key}:${isQuoted ? `"${word}"` : word.replaceAll(":", "\\:")}`, ({ message }) =>
        naive.jsonValues(message, key).some((value) => {
          const wanted = isQuoted ? undefined : naive.numberIn(word);
          const number = naive.numberIn(value);
          return wanted !== undefined && number !== undefined
            ? number === wanted
            : hasWords(value, word, true);
        }),
      ),
    ),
    fc
      .tuple(jsonKey, fc.constantFrom("<", "<=", ">", ">="), fc.constantFrom(5.2, 404, -7, 0, 1e21))
      .map(([key, operator, bound]) =>
        term(`json.${key}:${operator}${String(bound)}`, ({ message }) =>
          naive.jsonValues(message, key).some((value) => {
            const number = naive.numberIn(value);
            return number !== undefined && naive.compare(operator, number, bound);
          }),
        ),
      ),
    jsonKey.map((key) =>
      term(`json.${key}:*`, ({ message }) => naive.jsonValues(message, key).length > 0),
    ),
    fc
      .tuple(jsonKey, fc.constantFrom("e[a-z]+r", "\\d+", "(?:web|foo)-.*", "алиса|ошибка"))
      .map(([key, regex]) =>
        term(`json.${key}:/${regex}/`, ({ message }) =>
          naive
            .jsonValues(message, key)
            .some((value) =>
              new RegExp(`(^|[^0-9A-Za-z_])(?:${regex})($|[^0-9A-Za-z_])`, "isu").test(value),
            ),
        ),
      ),
    fc
      .constantFrom("http", "a.b", "user", "none")
      .map((tag) => term(`tag:"${tag}"`, ({ prefixes }) => prefixes[2].split(",").includes(tag))),
    fc.constant(
      term("syslog.severity:error", (event) => event.attributes["syslog.severity"] === "Error"),
    ),
    fc.constant(term("logtype:json", (event) => naive.isJsonObject(event.message))),
    fc.constant(term("*", () => true)),
  );
  const questions = combined(terms, {
    and: [" AND ", " ", " && "],
    or: [" OR ", " || "],
    not: ["NOT ", "-", "!"],
  });

  test("random queries find what plain definitions say", async () => {
    for (let round = 0; round < rounds; round += 1) {
      await expectAnswers(store, events, fc.sample(questions, 30), parseLoggly);
    }
  });
});
