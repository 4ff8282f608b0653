// The native door: every form of body, and every refusal with the place that it names.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LogboomError } from "../../../schemas/errors.ts";
import type { DoorRequest, IncomingEvent } from "../../../ingest/protocols/door.ts";
import { nativeDoor } from "../../../ingest/protocols/native.ts";

function request(type: string | undefined, query = ""): DoorRequest {
  return {
    method: "POST",
    path: "/api/ingest/v1",
    query: new URLSearchParams(query),
    headers: type === undefined ? {} : { "content-type": type },
  };
}

/** What a body holds, with messages as text and without what is absent. */
function read(type: string | undefined, body: string | Buffer, query = "") {
  const { customer, events } = nativeDoor.read(request(type, query), Buffer.from(body));
  return { customer, events: [...events].map(plain) };
}

function plain({ message, ...rest }: IncomingEvent): Record<string, unknown> {
  const present = Object.entries(rest).filter(
    ([, value]) => value !== undefined && value !== false,
  );
  return { ...Object.fromEntries(present), message: message.toString("utf8") };
}

/** The refusal of a body; fails when it is taken. */
function refusalOf(type: string | undefined, body: string | Buffer, query = ""): LogboomError {
  try {
    read(type, body, query);
  } catch (error) {
    if (error instanceof LogboomError) return error;
    throw error;
  }
  throw new Error("the body was taken");
}

const json = "application/json";
const ndjson = "application/x-ndjson";
const noon = 1_777_638_896_000_000_000n;

describe("text/plain", () => {
  test("is an event a line, empty ones as well, with the labels of the query string", () => {
    expect(read("text/plain", "a\r\n\n b \n", "prefix0=web-1&prefix3=x%2Fy")).toEqual({
      customer: undefined,
      events: ["a", "", " b "].map((message) => ({ prefix0: "web-1", prefix3: "x/y", message })),
    });
  });

  test("passes on bytes that are no UTF-8", () => {
    const [event] = [...nativeDoor.read(request("text/plain"), Buffer.from([0x61, 0xff])).events];
    expect(event?.message).toEqual(Buffer.from([0x61, 0xff]));
  });

  test("without a body is no event", () => {
    expect(read("text/plain", "").events).toEqual([]);
  });
});

describe("JSON", () => {
  test("is an envelope with labels for all events, which an event's own replace", () => {
    const body = {
      customer: "acme",
      prefix0: "web-1",
      prefix1: "nginx",
      events: [
        { message: "a" },
        { message: "b", prefix1: "", time: String(noon), attributes: { k: "v" } },
        { message: "c", prefix2: "two", time: "2026-05-01T12:34:56Z" },
      ],
    };
    expect(read(json, JSON.stringify(body), "prefix0=from-query&prefix3=three")).toEqual({
      customer: "acme",
      events: [
        { prefix0: "web-1", prefix1: "nginx", prefix3: "three", message: "a" },
        {
          time: noon,
          prefix0: "web-1",
          prefix1: "",
          prefix3: "three",
          message: "b",
          attributes: { k: "v" },
        },
        {
          time: noon,
          prefix0: "web-1",
          prefix1: "nginx",
          prefix2: "two",
          prefix3: "three",
          message: "c",
        },
      ],
    });
  });

  test("may have no event, white space around it, and a customer in the query string", () => {
    expect(read(json, ' \n{"events": [ ]}\n', "customer=acme")).toEqual({
      customer: "acme",
      events: [],
    });
    expect(read(json, '{"customer":"acme","events":[]}', "customer=acme").customer).toBe("acme");
  });

  test("with invalid UTF-8 marks the events that it may have been in", () => {
    const body = Buffer.concat([
      Buffer.from('{"events":[{"message":"good"},{"message":"b'),
      Buffer.from([0xff]),
      Buffer.from('d"}]}'),
    ]);
    expect(read(json, body).events).toEqual([
      { message: "good" },
      { message: "b\uFFFDd", hadInvalidUtf8: true },
    ]);
  });

  test("with U+FFFD that the sender wrote itself is valid", () => {
    expect(read(json, '{"events":[{"message":"\uFFFD"}]}').events).toEqual([{ message: "\uFFFD" }]);
  });
});

describe("NDJSON", () => {
  test.each([ndjson, "application/ndjson", "application/jsonl"])(
    "%s is an event a line",
    (type) => {
      const body =
        '{"message":"a"}\n{"prefix0":"db","message":"b","time":"7"}\r\n\n  \n{"message":""}';
      expect(read(type, body, "prefix0=web&customer=acme")).toEqual({
        customer: "acme",
        events: [
          { prefix0: "web", message: "a" },
          { time: 7n, prefix0: "db", message: "b" },
          { prefix0: "web", message: "" },
        ],
      });
    },
  );

  test("with invalid UTF-8 marks the lines that hold it", () => {
    const body = Buffer.concat([
      Buffer.from('{"message":"a"}\n{"message":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}\n{"message":"\uFFFD"}\n'),
    ]);
    expect(read(ndjson, body).events).toEqual([
      { message: "a" },
      { message: "\uFFFD(", hadInvalidUtf8: true },
      { message: "\uFFFD" },
    ]);
  });

  // Lines are parsed many at a time; the answer has to be that of each line alone.
  test("of any length is read as each line alone would be", () => {
    const message = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.constantFrom("},{", "\n", '"}\n{"', "x".repeat(5000)),
    );
    const line = fc
      .record({
        message,
        attributes: fc.dictionary(
          fc.string({ maxLength: 5 }).filter((name) => name !== "__proto__"),
          message,
          { maxKeys: 2, noNullPrototype: true },
        ),
      })
      .map((event) => JSON.stringify(event));
    const lines = fc.array(
      fc.oneof(
        { weight: 20, arbitrary: line },
        { weight: 1, arbitrary: fc.constantFrom("", " ", "\t") },
      ),
      { maxLength: 60 },
    );
    const end = fc.constantFrom("\n", "\r\n");
    fc.assert(
      fc.property(lines, end, fc.boolean(), (texts, separator, isEnded) => {
        const body = texts.join(separator) + (isEnded ? separator : "");
        const expected = texts
          .filter((text) => text.trim() !== "")
          .map((text) => JSON.parse(text) as object);
        expect(read(ndjson, body).events).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  test.each([1, 1500, 4000, 20_000])("names the line of a fault after %d good ones", (count) => {
    const good = `{"message":"${"x".repeat(40)}"}\n`.repeat(count);
    const refusal = refusalOf(ndjson, `${good}\n{"message": oops}\n{"message":"after"}`);
    expect(refusal).toMatchObject({
      code: "BAD_REQUEST",
      message: `invalid JSON in line ${count + 2} at offset 12: InvalidSymbol`,
      details: { line: count + 2, offset: 12 },
    });
    const unknown = refusalOf(ndjson, `${good}{"message":"a","level":"info"}\n`);
    expect(unknown.details).toEqual({ line: count + 1, field: "level" });
  });

  // Joined by commas for the parser, two halves of a text become one, and a line of two objects makes up
  // for the missing one.
  test("refuses a text that is broken over two lines, even where the count of events comes out right", () => {
    const body = '{"message":"a}\n{b"}\n{"message":"x"},{"message":"y"}\n';
    expect(refusalOf(ndjson, body).details).toMatchObject({ line: 1 });
  });

  test.each([
    ['{"message":"x"},{"message":"y"}', 1],
    ['{"message":"x"} {"message":"y"}', 1],
    ['{"message":"x"}\n[{"message":"y"}]', 2],
    ['{"message":"x"}\n{"message":"y"', 2],
  ])("refuses %j for its line %d", (body, line) => {
    expect(refusalOf(ndjson, body).details).toMatchObject({ line });
  });
});

describe("a refusal names the place, the field and what is expected", () => {
  test.each([
    // content types
    [
      undefined,
      "x",
      "",
      'unknown content type ""; expected application/json, application/x-ndjson or text/plain',
      { field: "content-type", value: "" },
    ],
    [
      "text/html",
      "x",
      "",
      'unknown content type "text/html"; expected application/json, application/x-ndjson or text/plain',
      { field: "content-type", value: "text/html" },
    ],
    [
      "text/plain; charset=iso-8859-1",
      "x",
      "",
      'unknown charset "iso-8859-1"; expected utf-8',
      { field: "content-type", value: "iso-8859-1" },
    ],
  ])("%s: unsupported media", (type, body, query, message, details) => {
    expect(refusalOf(type, body, query)).toMatchObject({
      code: "UNSUPPORTED_MEDIA",
      message,
      details,
    });
  });

  const eventFields = "time, prefix0 to prefix3, message, attributes";
  const time = "a string: ns since the epoch, or YYYY-MM-DD[T ]HH:MM:SS[.fraction][Z|+HH:MM]";

  test.each([
    // query string
    [
      "text/plain",
      "x",
      "prefix4=a",
      'unknown query parameter "prefix4"; expected customer, prefix0 to prefix3',
      { field: "prefix4" },
    ],
    [
      json,
      '{"events":[]}',
      "token=a",
      'unknown query parameter "token"; expected customer, prefix0 to prefix3',
      { field: "token" },
    ],
    [
      "text/plain",
      "x",
      "prefix0=a&prefix1=b&prefix0=c",
      'unexpected "a" in "prefix0"; expected one value, not several',
      { field: "prefix0", value: '"a"' },
    ],
    // the envelope
    [json, '{"events": [', "", "invalid JSON in line 1 at offset 12: ", { line: 1, offset: 12 }],
    [
      json,
      '{\n"events": nope}',
      "",
      "invalid JSON in line 2 at offset 12: InvalidSymbol",
      { line: 2, offset: 12 },
    ],
    [json, "", "", "invalid JSON in line 1 at offset 0: ", { line: 1, offset: 0 }],
    [
      json,
      "[]",
      "",
      'unexpected [] in "body"; expected an object with "events"',
      { field: "body", value: "[]" },
    ],
    [
      json,
      "null",
      "",
      'unexpected null in "body"; expected an object with "events"',
      { field: "body", value: "null" },
    ],
    [
      json,
      '{"message":"a"}',
      "",
      'unknown field "message"; expected customer, prefix0 to prefix3, events',
      { field: "message" },
    ],
    [
      json,
      '{"customer":1,"events":[]}',
      "",
      'unexpected 1 in "customer"; expected a string',
      { field: "customer", value: "1" },
    ],
    [
      json,
      '{"prefix2":null,"events":[]}',
      "",
      'unexpected null in "prefix2"; expected a string',
      { field: "prefix2", value: "null" },
    ],
    [
      json,
      "{}",
      "",
      'unexpected nothing in "events"; expected an array of events',
      { field: "events", value: "nothing" },
    ],
    [
      json,
      '{"events":{}}',
      "",
      'unexpected {} in "events"; expected an array of events',
      { field: "events", value: "{}" },
    ],
    [
      json,
      '{"customer":"a","events":[]}',
      "customer=b",
      'unexpected "a" in "customer"; expected the query string\'s "b"',
      { field: "customer", value: '"a"' },
    ],
    // events of an envelope count from 0
    [
      json,
      '{"events":[{"message":"a"},7]}',
      "",
      'event 1: unexpected 7 in "event"; expected an object with a message',
      { event: 1, field: "event", value: "7" },
    ],
    [
      json,
      '{"events":[{}]}',
      "",
      'event 0: unexpected nothing in "message"; expected a string',
      { event: 0, field: "message", value: "nothing" },
    ],
    [
      json,
      '{"events":[{"message":7}]}',
      "",
      'event 0: unexpected 7 in "message"; expected a string',
      { event: 0, field: "message", value: "7" },
    ],
    [
      json,
      '{"events":[{"message":"a","prefix1":[]}]}',
      "",
      'event 0: unexpected [] in "prefix1"; expected a string',
      { event: 0, field: "prefix1", value: "[]" },
    ],
    [
      json,
      '{"events":[{"message":"a","attributes":[]}]}',
      "",
      'event 0: unexpected [] in "attributes"; expected an object of strings',
      { event: 0, field: "attributes", value: "[]" },
    ],
    [
      json,
      '{"events":[{"message":"a","attributes":null}]}',
      "",
      'event 0: unexpected null in "attributes"; expected an object of strings',
      { event: 0, field: "attributes", value: "null" },
    ],
    [
      json,
      '{"events":[{"message":"a","msg":"b"}]}',
      "",
      `event 0: unknown field "msg"; expected ${eventFields}`,
      { event: 0, field: "msg" },
    ],
    [
      json,
      '{"events":[{"message":"a","__proto__":{}}]}',
      "",
      `event 0: unknown field "__proto__"; expected ${eventFields}`,
      { event: 0, field: "__proto__" },
    ],
    [
      json,
      '{"events":[{"message":"a","time":7}]}',
      "",
      `event 0: unexpected 7 in "time"; expected ${time}`,
      { event: 0, field: "time", value: "7" },
    ],
    [
      json,
      '{"events":[{"message":"a","time":null}]}',
      "",
      `event 0: unexpected null in "time"; expected ${time}`,
      { event: 0, field: "time", value: "null" },
    ],
    [
      json,
      '{"events":[{"message":"a","time":"yesterday"}]}',
      "",
      `event 0: unexpected "yesterday" in "time"; expected ${time}`,
      { event: 0, field: "time", value: '"yesterday"' },
    ],
    // lines count from 1
    [
      ndjson,
      '{"message":"a"}\n\n"b"',
      "",
      'line 3: unexpected "b" in "event"; expected an object with a message',
      { line: 3, field: "event", value: '"b"' },
    ],
    [
      ndjson,
      "null",
      "",
      'line 1: unexpected null in "event"; expected an object with a message',
      { line: 1, field: "event", value: "null" },
    ],
    [
      ndjson,
      '{"message":"a"}\n{"message":"b","time":"2026-02-30 00:00:00"}',
      "",
      `line 2: unexpected "2026-02-30 00:00:00" in "time"; expected ${time}`,
      { line: 2, field: "time", value: '"2026-02-30 00:00:00"' },
    ],
    [
      ndjson,
      '{"message":"a"}\n{"customer":"x","message":"b"}',
      "",
      `line 2: unknown field "customer"; expected ${eventFields}`,
      { line: 2, field: "customer" },
    ],
    [
      ndjson,
      '{"message":"a"}\n{"message":',
      "",
      "invalid JSON in line 2 at offset 11: ",
      { line: 2, offset: 11 },
    ],
  ])("%s %j?%s", (type, body, query, message, details) => {
    const refusal = refusalOf(type, body, query);
    expect(refusal.code).toBe("BAD_REQUEST");
    expect(refusal.message.startsWith(message), refusal.message).toBe(true);
    expect(refusal.details).toEqual(details);
  });

  test("repeats no more than the beginning of a long value", () => {
    const long = "x".repeat(100_000);
    for (const [type, body, query] of [
      [json, JSON.stringify({ events: [{ message: "a", time: long }] }), ""],
      [json, JSON.stringify({ events: [{ message: "a", [long]: 1 }] }), ""],
      [json, JSON.stringify({ events: long }), ""],
      ["text/plain", "a", `${long}=1`],
      [ndjson, JSON.stringify([long]), ""],
      [long, "a", ""],
      [`text/plain; charset=${long}`, "a", ""],
    ] as const) {
      const { message, details } = refusalOf(type, body, query);
      expect(message.length + JSON.stringify(details).length, message.slice(0, 80)).toBeLessThan(
        1000,
      );
    }
  });

  // The parser that finds the place calls itself for each level.
  test("even when the nesting never ends", () => {
    expect(refusalOf(json, "[".repeat(200_000)).code).toBe("BAD_REQUEST");
    expect(refusalOf(ndjson, '{"a":'.repeat(200_000)).code).toBe("BAD_REQUEST");
  });
});

test.each([
  "text/plain",
  "TEXT/Plain",
  "text/plain;charset=UTF-8",
  'text/plain; charset="utf-8"',
  "text/plain; charset=us-ascii; x=y",
])("%s is plain text", (type) => {
  expect(read(type, "a").events).toEqual([{ message: "a" }]);
});

describe("the token", () => {
  test.each([
    ["Token abc", "abc"],
    ["token abc", "abc"],
    ["Token   abc", "abc"],
    ["Bearer abc", undefined],
    ["abc", undefined],
    ["Token", undefined],
    ["Token a b", undefined],
    [undefined, undefined],
  ])("of %j is %j", (authorization, secret) => {
    expect(nativeDoor.secret({ ...request(undefined), headers: { authorization } })).toBe(secret);
  });

  test("is not taken from the URL, which ends up in other services' logs", () => {
    const query = new URLSearchParams({ token: "abc", authorization: "Token abc" });
    expect(nativeDoor.secret({ ...request(undefined), query })).toBeUndefined();
  });
});

describe("the idempotency key", () => {
  const keyOf = (value: string | undefined) =>
    nativeDoor.idempotencyKey({
      ...request(undefined),
      headers: value === undefined ? {} : { "idempotency-key": value },
    });

  test("holds for 24 hours and for the same body only", () => {
    expect(keyOf("k")).toEqual({ value: "k", windowMs: 86_400_000, bindsBody: true });
    expect(keyOf("k".repeat(255))?.value).toHaveLength(255);
  });

  test("may be absent", () => {
    expect(keyOf(undefined)).toBeUndefined();
  });

  test.each(["", "k".repeat(256)])("of %j is refused", (value) => {
    expect(() => keyOf(value)).toThrow('in "Idempotency-Key"; expected 1 to 255 bytes');
  });
});

describe("the reply", () => {
  test.each([
    [{ accepted: 3, invalidUtf8: 0, isDuplicate: false }, { accepted: 3 }],
    [
      { accepted: 3, invalidUtf8: 2, isDuplicate: false },
      { accepted: 3, invalidUtf8: 2 },
    ],
    [
      { accepted: 3, invalidUtf8: 0, isDuplicate: true },
      { accepted: 3, duplicate: true },
    ],
  ])("to %j is 202 and %j", (outcome, body) => {
    expect(nativeDoor.accepted(outcome)).toEqual({ status: 202, body });
  });

  test("to a refusal has the code's status, the message and the details", () => {
    const error = new LogboomError("TOO_LARGE", "too much", { details: { limit: 5 } });
    expect(nativeDoor.refused(error)).toEqual({
      status: 413,
      body: { error: "too much", errorCode: "TOO_LARGE", details: { limit: 5 } },
    });
  });
});
