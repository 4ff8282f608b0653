// LogTrace over HTTP and as Logstash lines: fields, defaults, keys and environments.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LogboomError } from "../../../schemas/errors.ts";
import { parseTimestamp } from "../../../schemas/time.ts";
import { logtraceDoor as door } from "../../../ingest/protocols/logtrace.ts";
import { logtraceLogstash } from "../../../ingest/protocols/logtrace-logstash.ts";
import { eventsOf, principalOf, requestOf, takeLines } from "./door-fixture.ts";

const principal = principalOf({ kind: "logtrace", environment: "production" });

function read(body: unknown, as = principal) {
  const bytes = typeof body === "string" ? body : JSON.stringify(body);
  return eventsOf(door.read(requestOf(door.path), Buffer.from(bytes), as));
}

describe("an event", () => {
  test("has labels from the key, service and level, and all else as attributes", () => {
    // As pino-http-send 0.4 sends it.
    const log = {
      level: "ERROR",
      timestamp: "2026-11-21T04:47:37.985Z",
      service: "payment-gateway",
      n: 4,
      message: "cap-4",
      user: { id: 7, tags: ["a"], address: { city: "x" } },
      none: null,
      ok: true,
    };
    expect(read({ logs: [log] })).toEqual([
      {
        message: "cap-4",
        time: parseTimestamp("2026-11-21T04:47:37.985Z"),
        prefix0: "production",
        prefix1: "payment-gateway",
        prefix2: "ERROR",
        prefix3: "logtrace",
        attributes: {
          n: "4",
          "user.id": "7",
          "user.tags": '["a"]',
          "user.address.city": "x",
          none: "null",
          ok: "true",
        },
      },
    ]);
  });

  test("needs a message alone: its level is INFO and its time that of arrival", () => {
    expect(read({ logs: [{ message: "m" }] })).toEqual([
      { message: "m", prefix0: "production", prefix2: "INFO", prefix3: "logtrace" },
    ]);
  });

  test.each([
    [1_795_236_454_500, 1_795_236_454_500_000_000n],
    [1_795_236_454.5, 1_795_236_454_500_000_000n],
    ["1795236454500000001", 1_795_236_454_500_000_001n],
    ["1795236454500", 1_795_236_454_500_000_000n],
    ["1795236454", 1_795_236_454_000_000_000n],
    ["2026-11-21 04:47:34.5", 1_795_236_454_500_000_000n],
    [null, undefined],
  ])("of the timestamp %j has the time %s", (timestamp, time) => {
    expect(read({ logs: [{ message: "m", timestamp }] })[0]?.["time"]).toBe(time);
  });

  test("of deep fields is flattened to a depth, and deeper kept as JSON", () => {
    const deep = (depth: number): unknown => (depth === 0 ? "x" : { a: deep(depth - 1) });
    const [event] = read({ logs: [{ message: "m", a: deep(12) }] });
    expect(event?.["attributes"]).toEqual({
      "a.a.a.a.a.a.a.a": JSON.stringify(deep(5)),
    });
  });
});

describe("a batch", () => {
  const logs = (count: number) => Array.from({ length: count }, () => ({ message: "m" }));

  test("may have 5,000 events", () => {
    expect(read({ logs: logs(5000) })).toHaveLength(5000);
  });

  test.each([
    ["of none", { logs: [] }, '0 events in "logs"; expected 1 to 5000'],
    ["of 5,001 events", { logs: logs(5001) }, '5001 events in "logs"; expected 1 to 5000'],
    ["without logs", {}, 'no array of events in "logs"'],
    ["of logs that are no array", { logs: {} }, 'no array of events in "logs"'],
    ["that is an array", [{ message: "m" }], 'no array of events in "logs"'],
    ["that is no JSON", "{bad", "invalid JSON in line 1 at offset 1"],
    ["that is empty", "", "invalid JSON"],
    [
      "with one event that is none",
      { logs: [{ message: "m" }, 5] },
      'event 1: unexpected 5 in "logs"',
    ],
    [
      "with one event without a message",
      { logs: [{ message: "m" }, { level: "INFO" }] },
      'event 1: unexpected nothing in "message"; expected a string',
    ],
    [
      "with a message that is no text",
      { logs: [{ message: 5 }] },
      'event 0: unexpected 5 in "message"',
    ],
    [
      "with a timestamp that is none",
      { logs: [{ message: "m", timestamp: "now" }] },
      'event 0: unexpected "now" in "timestamp"',
    ],
    [
      "with a timestamp before 1970",
      { logs: [{ message: "m", timestamp: -1 }] },
      'event 0: unexpected -1 in "timestamp"',
    ],
    [
      "with a timestamp that is out of range",
      { logs: [{ message: "m", timestamp: "1960-01-01T00:00:00Z" }] },
      'event 0: unexpected "1960-01-01T00:00:00Z" in "timestamp"; expected 1970 to 2254',
    ],
    [
      "with a timestamp that no calendar has",
      { logs: [{ message: "m", timestamp: Number.MAX_SAFE_INTEGER }] },
      'event 0: unexpected 9007199254740991 in "timestamp"; expected 1970 to 2254',
    ],
    [
      "of another environment",
      { logs: [{ message: "m", environment: "staging" }] },
      'the key is for the environment "production", not "staging"',
    ],
  ])("%s is refused", (_, body, message) => {
    expect(() => read(body)).toThrow(message);
  });

  test("that names the key's own environment is taken", () => {
    expect(read({ logs: [{ message: "m", environment: "production" }] })).toHaveLength(1);
  });
});

describe("replies", () => {
  test("success is 202 with how many", () => {
    expect(door.accepted({ accepted: 3, invalidUtf8: 0, isDuplicate: false })).toEqual({
      status: 202,
      body: { status: "accepted", accepted: 3 },
    });
  });

  test.each([
    ["BAD_REQUEST", 400],
    ["BAD_TOKEN", 401],
    ["NO_PERMISSION", 403],
    ["TOO_LARGE", 413],
    ["RATE_LIMITED", 429],
    ["INTERNAL", 500],
  ] as const)("%s is %d", (code, status) => {
    const { status: actual, body } = door.refused(new LogboomError(code, "why"));
    expect([actual, body]).toEqual([status, { status: "error", error: "why", code, details: {} }]);
  });

  test("the key is a bearer's", () => {
    const secretOf = (authorization: string) =>
      door.secret(requestOf(door.path, { headers: { authorization } }));
    expect(secretOf("Bearer lt_live_1")).toBe("lt_live_1");
    expect(secretOf("bearer lt_live_1")).toBe("lt_live_1");
    expect(secretOf("Token lt_live_1")).toBeUndefined();
  });
});

describe("a Logstash line", () => {
  const keys = { default: principal, own: principalOf({ tokenId: "own", environment: "staging" }) };
  const take = (line: unknown, key: string | undefined = "default") =>
    takeLines(logtraceLogstash(key), keys, [
      typeof line === "string" ? line : JSON.stringify(line),
    ])[0];

  test("of python-logstash-async 4.1 has its extra fields at the top, and no key", () => {
    const line = {
      "@timestamp": "2026-11-21T04:47:34.817Z",
      "@version": "1",
      host: "vm",
      level: "ERROR",
      message: "cap-1",
      pid: 28_240,
      extra: { n: 1, line: 7, service: "payment-gateway", api_key: "own" },
    };
    expect(take(line)).toEqual({
      key: "own",
      message: "cap-1",
      time: parseTimestamp("2026-11-21T04:47:34.817Z"),
      prefix0: "staging",
      prefix1: "payment-gateway",
      prefix2: "ERROR",
      prefix3: "logtrace",
      attributes: { n: "1", line: "7", host: "vm", pid: "28240" },
    });
  });

  test.each([
    ["of the default key", { message: "m" }, "default", { key: "t-1", prefix0: "production" }],
    ["with a key at the top", { message: "m", api_key: "own" }, "default", { key: "own" }],
    ["of an unknown key", { message: "m", api_key: "x" }, "default", "unknown-key"],
    ["of no key", { message: "m" }, undefined, "unknown-key"],
    ["of a key that is no text", { message: "m", api_key: 5 }, "default", "unknown-key"],
    ["of another environment", { message: "m", environment: "x" }, "default", "forbidden"],
    ["without a message", { level: "INFO" }, "default", "malformed"],
    ["of a bad time", { message: "m", "@timestamp": "x" }, "default", "malformed"],
    ["that is no object", "[1]", "default", "malformed"],
    ["that is no JSON", '{"message":', "default", "malformed"],
    [
      "whose extra is no object",
      { message: "m", extra: 5 },
      "default",
      { attributes: { extra: "5" } },
    ],
  ])("%s", (_, line, key, expected) => {
    const taken = takeLines(logtraceLogstash(key), keys, [
      typeof line === "string" ? line : JSON.stringify(line),
    ])[0];
    if (typeof expected === "string") expect(taken).toBe(expected);
    else expect(taken).toMatchObject(expected);
  });

  test("has its numbers as JSON writes them", () => {
    const line = '{"message":"m","a":-0,"b":1e21,"c":1e400,"d":0.10,"e":{"f":-7}}';
    expect(take(line)).toMatchObject({
      attributes: { a: "0", b: "1e+21", c: "null", d: "0.1", "e.f": "-7" },
    });
  });

  test("that is empty is nothing", () => {
    expect(take("")).toBeUndefined();
  });
});

test("fields in extra are read as if they stood at the top, where the top has none of their name", () => {
  const name = fc.constantFrom(
    "message",
    "level",
    "service",
    "timestamp",
    "@timestamp",
    "a",
    "b",
    "extra",
  );
  const value = fc.constantFrom<unknown>("x", "5", 5, null, true, ["y"], { a: "z" });
  const fields = fc.dictionary(name, value, { maxKeys: 6 });
  const key = fc.constantFrom<Record<string, unknown>>({}, { api_key: "own" }, { api_key: null });
  const place = fc.constantFrom<Record<string, unknown>>(
    {},
    { environment: "production" },
    { environment: "e" },
  );
  const line = fc.tuple(fields, key, place).map((parts) => Object.assign({}, ...parts) as object);
  const keys = { own: principalOf({ tokenId: "own", environment: "production" }) };
  fc.assert(
    fc.property(line, line, (top, extra) => {
      const flat: Record<string, unknown> = { ...extra, ...top };
      delete flat["extra"];
      if ("api_key" in extra) flat["api_key"] = extra.api_key;
      const take = (one: object) => takeLines(logtraceLogstash("own"), keys, [JSON.stringify(one)]);
      expect(take({ ...top, extra })).toEqual(take(flat));
    }),
    { numRuns: 2000 },
  );
});
