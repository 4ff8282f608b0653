// Logentries over HTTP and over raw connections: tokens in every place that clients put them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LogboomError } from "../../../schemas/errors.ts";
import { logentriesDoor as door } from "../../../ingest/protocols/logentries.ts";
import { logentriesToken } from "../../../ingest/protocols/logentries-token.ts";
import { eventsOf, principalOf, requestOf, takeLines, uuid } from "./door-fixture.ts";

const principal = principalOf({
  tokenId: "log-1",
  kind: "logentries-log",
  logset: "set",
  log: "app",
});
const labels = {
  prefix0: "set",
  prefix1: "app",
  prefix3: "logentries",
  attributes: { log_id: "log-1" },
};

describe("over HTTP", () => {
  test.each([
    [`/v1/logs/${uuid}`, uuid],
    [`/v1/logs/${uuid}/`, uuid],
    [`/noformat/logs/${uuid}`, uuid],
    [`/v1/logs/${uuid.toUpperCase()}`, uuid.toUpperCase()],
    ["/v1/logs/ingest", undefined],
    ["/v1/logs/query", undefined],
    [`/v1/logs/${uuid}/x`, undefined],
  ])("%s is the log of the token %s", (path, token) => {
    expect(door.pattern.test(path)).toBe(token !== undefined);
    expect(door.secret(requestOf(path))).toBe(token);
  });

  test.each([
    // r7insight_js 1.1
    ['{"event":["cap-1",{"n":1}],"trace":"amu72gk3","level":"INFO"}'],
    ['{"event":{"a":1},"level":"PAGE"}'],
    ["plain\nwith two lines"],
  ])("%j is one event as it was sent", (body) => {
    for (const path of ["v1", "noformat"]) {
      const request = requestOf(`/${path}/logs/${uuid}`);
      expect(eventsOf(door.read(request, Buffer.from(`${body}\n`), principal))).toEqual([
        { message: body, ...labels },
      ]);
    }
  });

  test("an empty body is no event", () => {
    expect(eventsOf(door.read(requestOf(`/v1/logs/${uuid}`), Buffer.alloc(0), principal))).toEqual(
      [],
    );
  });

  test.each([
    ["standard", Buffer.from("a?b>cé").toString("base64")],
    ["for URLs", Buffer.from("a?b>cé").toString("base64url")],
  ])("a pixel's event is base64, %s", (_, encoded) => {
    const request = requestOf(`/v1/logs/${uuid}?e=${encoded}`, { method: "GET" });
    expect(eventsOf(door.read(request, Buffer.alloc(0), principal))).toEqual([
      { message: "a?b>cé", ...labels },
    ]);
  });

  test.each(["", "?e=", "?x=1"])("a pixel without an event is refused: %j", (query) => {
    const request = requestOf(`/v1/logs/${uuid}${query}`, { method: "GET" });
    expect(() => door.read(request, Buffer.alloc(0), principal)).toThrow('no event in "e"');
  });

  test("replies are 204, an image, or an error with its code", () => {
    const outcome = { accepted: 1, invalidUtf8: 0, isDuplicate: false };
    expect(door.accepted(outcome, requestOf("/"))).toEqual({ status: 204 });
    expect(door.accepted(outcome, requestOf("/", { method: "GET" }))).toMatchObject({
      status: 200,
      contentType: "image/gif",
    });
    expect(door.refused(new LogboomError("BAD_TOKEN", "why"))).toEqual({
      status: 401,
      body: { errorCode: 401, message: "why" },
    });
  });
});

describe("a line", () => {
  const other = uuid.replaceAll("1", "9");
  const unknown = uuid.replaceAll("1", "0");
  const keys = { [uuid]: principal, [other]: principalOf({ tokenId: "log-2" }) };
  const take = (...lines: Parameters<typeof takeLines>[2]) =>
    takeLines(logentriesToken, keys, lines).map((taken) =>
      typeof taken === "string" ? taken : `${String(taken["key"])}: ${String(taken["message"])}`,
    );

  test("has the labels of its token's log", () => {
    expect(takeLines(logentriesToken, keys, [`${uuid} m`])).toEqual([
      { key: "log-1", message: "m", ...labels },
    ]);
  });

  test.each([
    // PyPI logentries 0.17
    [
      `${uuid}Sat Nov 21 04:47:24 UTC 2026 : INFO, cap-1\u2028second`,
      "log-1: Sat Nov 21 04:47:24 UTC 2026 : INFO, cap-1\nsecond",
    ],
    // r7insight_node 3.3
    [
      `${uuid} 2026-11-21T04:47:25.827Z info cap-1 plain`,
      "log-1: 2026-11-21T04:47:25.827Z info cap-1 plain",
    ],
    [`${uuid}  two blanks`, "log-1: two blanks"],
    [`${uuid}"in quotes"`, 'log-1: "in quotes"'],
    [`${uuid}###J01### - Library initialised`, "log-1: ###J01### - Library initialised"],
    [`<14>1 2026 host app - - - ${uuid} m`, "log-1: <14>1 2026 host app - - - m"],
    [`m ${uuid}`, "log-1: m"],
    [`${unknown} m ${uuid} n`, `log-1: ${unknown} m n`],
    [`\t${uuid}\tm`, "log-1: \t\tm"],
    [`x${uuid} m`, "unknown-key"],
    [`${unknown} m`, "unknown-key"],
    ["no token", "unknown-key"],
  ])("%s", (line, expected) => {
    expect(take(line)).toEqual([expected]);
  });

  test("of nothing, or of a token alone, is no event", () => {
    expect(take("", uuid, `${uuid} `)).toEqual([]);
  });

  test("may be of another token than the one before", () => {
    expect(take(`${uuid} a`, `${other} b`, `${uuid}c`)).toEqual([
      "log-1: a",
      "log-2: b",
      "log-1: c",
    ]);
  });

  test("that goes on belongs to the token of its beginning, or to nobody", () => {
    expect(take(`${other} a`, { continuation: `${uuid} b` }, "x", { continuation: "y" })).toEqual([
      "log-2: a",
      `log-2: ${uuid} b`,
      "unknown-key",
      "unknown-key",
    ]);
  });

  test("with many UUIDs and no known one is given up", () => {
    const many = `${`${unknown} `.repeat(16)}${uuid}`;
    expect(take(many)).toEqual(["unknown-key"]);
    expect(take(`${`${unknown} `.repeat(15)}${uuid}`)).not.toEqual(["unknown-key"]);
  });

  test("of any bytes is taken or dropped, and never a fault", () => {
    const part = fc.constantFrom(uuid, other, unknown, " ", "-", "PUT /", "\u2028");
    const line = fc.array(fc.oneof(part, fc.string({ unit: "binary" })), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        const taken = take(...lines.map((parts) => parts.join("")));
        expect(taken.length).toBeLessThanOrEqual(lines.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a PUT stream", () => {
  const account = principalOf({ tokenId: "account", kind: "logentries-write" });
  const keys = { [uuid]: account, [uuid.replaceAll("1", "9")]: principal };
  const head = [`PUT /${uuid}/hosts/web-1/app%20log/?realtime=1 HTTP/1.1`, "Accept: */*", ""];

  test("names host and log once, and every line after the blank one is an event", () => {
    const [first, second, ...rest] = takeLines(logentriesToken, keys, [
      ...head,
      `${uuid} is text here`,
      "PUT as well",
      "",
    ]);
    expect(first).toMatchObject({
      key: "account",
      prefix0: "web-1",
      prefix1: "app log",
      message: `${uuid} is text here`,
    });
    expect(second).toMatchObject({ message: "PUT as well" });
    expect(rest).toEqual([]);
  });

  test("of a log's own token goes to that log", () => {
    const put = `PUT /${uuid.replaceAll("1", "9")}/hosts/h/l/ HTTP/1.0`;
    expect(takeLines(logentriesToken, keys, [put, "", "m"])).toMatchObject([
      { prefix0: "set", prefix1: "app", message: "m" },
    ]);
  });

  test("of an unknown key is dropped line by line", () => {
    const put = `PUT /${uuid.replaceAll("1", "0")}/hosts/h/l/ HTTP/1.1`;
    expect(takeLines(logentriesToken, keys, [put, "", "a", "b"])).toEqual([
      "unknown-key",
      "unknown-key",
    ]);
  });

  test("begins with the connection: later the words are a line", () => {
    const taken = takeLines(logentriesToken, keys, [`${uuid} a`, ...head]);
    expect(taken).toMatchObject([{ message: "a" }, "unknown-key", "unknown-key"]);
  });
});
