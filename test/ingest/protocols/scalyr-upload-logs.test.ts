// Scalyr's uploadLogs: labels from URL or headers, lines at every kind of break, the vendor's replies.
import { describe, expect, test } from "vitest";
import { errorCatalogue, LogboomError, type ErrorCode } from "../../../schemas/errors.ts";
import type { DoorRequest } from "../../../ingest/protocols/door.ts";
import { scalyrUploadLogsDoor as door } from "../../../ingest/protocols/scalyr-upload-logs.ts";

function request(query = "", headers: DoorRequest["headers"] = {}): DoorRequest {
  return { method: "POST", path: "/api/uploadLogs", query: new URLSearchParams(query), headers };
}

function read(body: string | Buffer, query = "", headers: DoorRequest["headers"] = {}) {
  const { events } = door.read(request(query, headers), Buffer.from(body));
  return [...events].map(({ message, ...rest }) => ({
    ...rest,
    message: message.toString("utf8"),
  }));
}

/** Header bytes as Node.js gives them. */
function asHeader(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

describe("lines", () => {
  test.each([
    ["a\nb\rc\r\nd", ["a", "b", "c", "d"]],
    ["a\n", ["a"]],
    ["a\r", ["a"]],
    ["a\r\n", ["a"]],
    // Nothing between two breaks is no message.
    ["\n\n a \n\r\n\rb", [" a ", "b"]],
    ["", []],
    ["\r\n", []],
  ])("of %j are %j", (body, messages) => {
    expect(read(body).map(({ message }) => message)).toEqual(messages);
  });

  test("keep bytes that are no UTF-8, and have no time of their own", () => {
    const [event] = door.read(request(), Buffer.from([0x61, 0xff])).events;
    expect(event?.message).toEqual(Buffer.from([0x61, 0xff]));
    expect(event?.time).toBeUndefined();
  });
});

describe("labels", () => {
  test("come from the URL", () => {
    expect(read("x", "token=t&host=web-1&logfile=/var/log/a.log&parser=json")).toEqual([
      {
        prefix0: "web-1",
        prefix1: "/var/log/a.log",
        prefix2: "json",
        prefix3: "scalyr",
        attributes: undefined,
        message: "x",
      },
    ]);
  });

  test("come from headers, where the host is called server-host", () => {
    const headers = {
      host: "logs.example.com",
      "server-host": "web-2",
      logfile: "b.log",
      parser: "accessLog",
    };
    expect(read("x", "", headers)).toMatchObject([
      { prefix0: "web-2", prefix1: "b.log", prefix2: "accessLog", prefix3: "scalyr" },
    ]);
  });

  test("of the URL win over those of headers", () => {
    const [event] = read("x", "host=url&logfile=url.log", {
      "server-host": "header",
      logfile: "header.log",
      parser: "p",
    });
    expect(event).toMatchObject({ prefix0: "url", prefix1: "url.log", prefix2: "p" });
  });

  test("are absent where nothing is said; HTTP's own Host is nobody's host", () => {
    expect(read("x", "", { host: "logs.example.com" })).toMatchObject([
      { prefix0: undefined, prefix1: undefined, prefix2: undefined, prefix3: "scalyr" },
    ]);
  });

  test("in headers are UTF-8, whatever Node.js makes of their bytes", () => {
    const [event] = read("x", "", {
      "server-host": asHeader("хост-é"),
      "server-region": asHeader("日本"),
    });
    expect(event).toMatchObject({ prefix0: "хост-é", attributes: { "server-region": "日本" } });
  });
});

describe("server fields", () => {
  test("of URL and headers become attributes, but for the host", () => {
    const [event] = read("x", "server-region=us-east-1&server-host=web&tier=1", {
      "server-role": "db",
      "server-host": "other",
      server: "no",
      "user-agent": "curl",
    });
    expect(event).toMatchObject({
      prefix0: "web",
      attributes: { "server-region": "us-east-1", "server-role": "db" },
    });
    expect(Object.keys(event?.attributes ?? {})).toHaveLength(2);
  });

  test("of the URL win over those of headers", () => {
    const [event] = read("x", "server-region=url", { "server-region": "header" });
    expect(event?.attributes).toEqual({ "server-region": "url" });
  });
});

describe("the token", () => {
  test.each([
    ["token=abc", undefined, "abc"],
    ["", "Bearer abc", "abc"],
    ["", "bearer abc", "abc"],
    ["token=url", "Bearer header", "url"],
    ["", "Token abc", undefined],
    ["", undefined, undefined],
  ])("of ?%s and %j is %j", (query, authorization, secret) => {
    expect(door.secret(request(query, { authorization }))).toBe(secret);
  });

  test("may be a header of its own, as the other parameters", () => {
    expect(door.secret(request("", { token: "abc", authorization: "Bearer b" }))).toBe("abc");
    expect(door.secret(request("token=url", { token: "abc" }))).toBe("url");
  });
});

describe("the nonce", () => {
  test("holds for a minute, whatever the body", () => {
    const key = door.idempotencyKey(request("", { nonce: "n-1" }));
    expect(key).toEqual({ value: "n-1", windowMs: 60_000, bindsBody: false });
  });

  test.each([undefined, ""])("%j is none", (nonce) => {
    expect(door.idempotencyKey(request("", { nonce }))).toBeUndefined();
  });
});

describe("a content type", () => {
  test.each([
    undefined,
    "text/plain",
    "text/plain; charset=utf-8",
    "text/csv",
    "application/x-www-form-urlencoded",
    "application/json",
  ])("%s is read as lines", (type) => {
    expect(read("a\nb", "", { "content-type": type })).toHaveLength(2);
  });

  test.each(["image/png", "multipart/form-data; boundary=x", "application/gzip"])(
    "%s is refused",
    (type) => {
      expect(() => read("a", "", { "content-type": type })).toThrow(
        /unknown content type .*; expected text\/plain/,
      );
    },
  );
});

describe("replies", () => {
  const refused = (code: ErrorCode, headers: DoorRequest["headers"] = {}, details = {}) =>
    door.refused(new LogboomError(code, "why", { details }), request("", headers));

  test("success is 200 and says so, duplicates as well", () => {
    expect(door.accepted()).toEqual({ status: 200, body: { status: "success" } });
  });

  test.each([
    ["BAD_REQUEST", 400, "error/client/badParam", "why"],
    ["BAD_TOKEN", 401, "error/client/noPermission", "why"],
    ["NO_PERMISSION", 403, "error/client/noPermission", "why"],
    ["METHOD_NOT_ALLOWED", 405, "error/client/badParam", "why"],
    ["BODY_TIMEOUT", 408, "error/client/badParam", "why"],
    // The agent halves its request when it finds requestTooLarge.
    ["TOO_LARGE", 400, "error/client/badParam/requestTooLarge", "requestTooLarge: why"],
    ["UNSUPPORTED_MEDIA", 415, "error/client/badParam", "why"],
    ["RATE_LIMITED", 429, "error/server/backoff", "why"],
    ["INTERNAL", 500, "error/server", "why"],
    ["OVERLOADED", 503, "error/server/backoff", "why"],
    ["UNAVAILABLE", 503, "error/server/backoff", "why"],
  ] as const)("%s is %d %s", (code, status, text, message) => {
    expect(refused(code)).toEqual({ status, body: { status: text, message } });
  });

  test("a token of the wrong kind is no token: 401", () => {
    expect(refused("NO_PERMISSION", {}, { tokenKind: "read" })).toMatchObject({
      status: 401,
      body: { status: "error/client/noPermission" },
    });
  });

  test("every code of the catalogue has a status that begins with error/client or error/server", () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
      const { status, body } = refused(code);
      expect((body as { status: string }).status).toMatch(
        status < 500 && status !== 429 ? /^error\/client\// : /^error\/server/,
      );
    }
  });

  test("errorStatus: always200 changes the HTTP status alone", () => {
    expect(refused("BAD_TOKEN", { errorstatus: "always200" })).toEqual({
      status: 200,
      body: { status: "error/client/noPermission", message: "why" },
    });
    expect(refused("BAD_TOKEN", { errorstatus: "other" }).status).toBe(401);
  });
});

test("a request may have 6 MiB, as the vendor's clients send at most", () => {
  expect(door.maxBodyBytes).toBe(6 * 1024 * 1024);
});
