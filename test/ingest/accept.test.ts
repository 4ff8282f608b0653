// The way of a request through the edge: answered in its door's words, counted, and everything given back.
import zlib from "node:zlib";
import express from "express";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Acceptor } from "../../ingest/accept.ts";
import { createEdge } from "../../ingest/edge.ts";
import { startHttpServer, type HttpServer } from "../../ingest/http-server.ts";
import { Limits } from "../../ingest/limits/limits.ts";
import { Usage } from "../../ingest/limits/usage.ts";
import type { Door } from "../../ingest/protocols/door.ts";
import { nativeDoor } from "../../ingest/protocols/native.ts";
import { TokenStore, type TokenRequest } from "../../ingest/tokens.ts";
import { readConfig } from "../../schemas/config.ts";
import { decodeContainer } from "../../schemas/event-codec.ts";
import { createInstruments, type Instruments } from "../../schemas/instruments.ts";
import { openTempLog, readFrom, type TempLog } from "./log/log-fixture.ts";
import { readUntil, writeRequest } from "./http-fixture.ts";

const config = readConfig({
  LOGBOOM_LINGER_MS: "1",
  LOGBOOM_MAX_BODY_BYTES: "200000",
  LOGBOOM_BODY_TIMEOUT_MS: "200",
  LOGBOOM_MAX_EVENT_BYTES: "1000",
});

/** A door of keys that have scopes and limits. */
const scopedDoor: Door = { ...nativeDoor, keyKinds: ["logtrace"] };

let temp: TempLog;
let tokens: TokenStore;
let usage: Usage;
let instruments: Instruments;
let acceptor: Acceptor;
let server: HttpServer;
let secret: string;

beforeEach(async () => {
  temp = await openTempLog({ maxBytes: 500_000 });
  instruments = createInstruments(false);
  tokens = await TokenStore.open(temp.log, { instruments });
  const logger = pino({ level: "silent" });
  usage = await Usage.open(temp.log);
  const limits = new Limits(usage);
  acceptor = new Acceptor({ config, log: temp.log, tokens, limits, instruments, logger });
  const app = express();
  app.use(createEdge(acceptor));
  app.all("/scoped", (request, response) => acceptor.accept(scopedDoor, request, response));
  server = await startHttpServer(app, { host: "127.0.0.1", port: 0 });
  ({ secret } = await tokens.create({
    kind: "write",
    customer: "acme",
    prefixes: ["web", "", "", ""],
  }));
});

afterEach(async () => {
  await server.drain(1000);
  await acceptor.close();
  await usage.close();
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

async function send(
  body: string | Buffer,
  given: { headers?: Record<string, string>; path?: string; method?: string } = {},
): Promise<Answer> {
  const { headers = {}, path = "/api/ingest/v1?prefix0=web-1", method = "POST" } = given;
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { authorization: `Token ${secret}`, "content-type": "text/plain", ...headers },
    ...(method === "GET" ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function storedMessages(): Promise<string[]> {
  const messages: string[] = [];
  for (let partition = 0; partition < 4; partition++) {
    for (const { value } of await readFrom(temp.log, partition)) {
      messages.push(...decodeContainer(value).map(({ message }) => message));
    }
  }
  return messages;
}

/** The value of a counter's series. */
async function counted(name: string, labels: string): Promise<number> {
  const text = await instruments.registry.metrics();
  const line = text.split("\n").find((one) => one.startsWith(`${name}{${labels}} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

test("an acknowledged request is in the log, counted, and nothing of it is held", async () => {
  const answer = await send("a\nb\n");
  expect(answer).toMatchObject({ status: 202, body: { accepted: 2 } });
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await storedMessages()).toEqual(["a", "b"]);
  expect(acceptor.pendingBytes).toBe(0);
  expect(await counted("logboom_ingest_events_total", 'door="native"')).toBe(2);
  expect(await counted("logboom_ingest_requests_total", 'door="native",outcome="accepted"')).toBe(
    1,
  );
  expect(await counted("logboom_ingest_acknowledge_seconds_count", 'door="native"')).toBe(1);
});

test("a request without events is acknowledged and stores nothing", async () => {
  expect(await send("")).toMatchObject({ status: 202, body: { accepted: 0 } });
  expect(await storedMessages()).toEqual([]);
});

test("events with invalid UTF-8 are counted in the reply and in the metrics", async () => {
  const body = Buffer.from([0x61, 0x0a, 0xff, 0x0a]);
  expect(await send(body)).toMatchObject({ status: 202, body: { accepted: 2, invalidUtf8: 1 } });
  expect(await counted("logboom_ingest_invalid_utf8_events_total", 'door="native"')).toBe(1);
});

describe("a repeat", () => {
  test("is acknowledged as the first was, and stores nothing", async () => {
    const headers = { "idempotency-key": "k-1" };
    await send("a\nb", { headers });
    expect(await send("a\nb", { headers })).toMatchObject({
      status: 202,
      body: { accepted: 2, duplicate: true },
    });
    expect(await storedMessages()).toEqual(["a", "b"]);
    expect(
      await counted("logboom_ingest_requests_total", 'door="native",outcome="duplicate"'),
    ).toBe(1);
    expect(await counted("logboom_ingest_events_total", 'door="native"')).toBe(2);
  });

  // The key binds what was meant: the same bytes under other labels are other events.
  test("with the same body and another query is another request", async () => {
    const headers = { "idempotency-key": "k-2" };
    await send("a", { headers, path: "/api/ingest/v1?prefix0=web-1" });
    const other = await send("a", { headers, path: "/api/ingest/v1?prefix0=web-2" });
    expect(other).toMatchObject({ status: 409, body: { errorCode: "IDEMPOTENCY_MISMATCH" } });
  });
});

describe("a refusal", () => {
  test.each([
    ["no token", { headers: { authorization: "" } }, "a", 401, "BAD_TOKEN"],
    ["an unknown token", { headers: { authorization: "Token nobody" } }, "a", 401, "BAD_TOKEN"],
    ["another method", { method: "PUT" }, "a", 405, "METHOD_NOT_ALLOWED"],
    [
      "another customer",
      { path: "/api/ingest/v1?prefix0=web&customer=other" },
      "a",
      403,
      "NO_PERMISSION",
    ],
    [
      "labels outside the token's",
      { path: "/api/ingest/v1?prefix0=db" },
      "a",
      403,
      "NO_PERMISSION",
    ],
    [
      "an unknown encoding",
      { headers: { "content-encoding": "lzma" } },
      "a",
      415,
      "UNSUPPORTED_MEDIA",
    ],
    [
      "an unknown type",
      { headers: { "content-type": "text/html" } },
      "a",
      415,
      "UNSUPPORTED_MEDIA",
    ],
    ["a long message", {}, `good\n${"x".repeat(1001)}`, 413, "TOO_LARGE"],
    ["a large body", {}, "x".repeat(200_001), 413, "TOO_LARGE"],
    ["a broken body", { headers: { "content-type": "application/json" } }, "{", 400, "BAD_REQUEST"],
    ["an empty key", { headers: { "idempotency-key": "k".repeat(300) } }, "a", 400, "BAD_REQUEST"],
  ])(
    "of %s stores nothing, holds nothing, and is counted",
    async (_, given, body, status, errorCode) => {
      const answer = await send(body, given);
      expect(answer).toMatchObject({
        status,
        body: { errorCode, error: expect.any(String) as string },
      });
      expect(await storedMessages()).toEqual([]);
      expect(acceptor.pendingBytes).toBe(0);
      expect(
        await counted("logboom_ingest_refused_total", `door="native",code="${errorCode}"`),
      ).toBe(1);
    },
  );

  test("of a method names the one that is served", async () => {
    expect((await send("", { method: "GET" })).headers.get("allow")).toBe("POST");
  });

  test("of a full log says when to come again, and the same request is taken once there is room", async () => {
    const large = "x".repeat(900);
    const body = Array.from({ length: 200 }, () => large).join("\n");
    await send(body, { headers: { "idempotency-key": "1" } });
    await send(body, { headers: { "idempotency-key": "2" } });
    const refused = await send(body, { headers: { "idempotency-key": "3" } });
    expect(refused).toMatchObject({ status: 503, body: { errorCode: "OVERLOADED" } });
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(acceptor.pendingBytes).toBe(0);
    const consumption = await temp.log.consume("g", async ({ read, commit }) => {
      const last = (await read(0, 1e9, 0)).at(-1);
      if (last !== undefined) await commit({ offset: last.offset + 1, metadata: "" });
    });
    await consumption.close();
    expect(await send(body, { headers: { "idempotency-key": "3" } })).toMatchObject({
      status: 202,
      body: { accepted: 200 },
    });
  });

  test("of a client that stalls closes its connection", async () => {
    const head = {
      authorization: `Token ${secret}`,
      "content-type": "text/plain",
      "content-length": 10,
    };
    const socket = await writeRequest(server.port, head, "123", {
      target: "/api/ingest/v1?prefix0=web",
    });
    const reply = await readUntil(socket, (text) => text.includes("errorCode"));
    expect(reply).toMatch(/^HTTP\/1\.1 408 /);
    expect(reply).toMatch(/^connection: close/im);
    expect(acceptor.pendingBytes).toBe(0);
    socket.destroy();
  });

  test("is in the vendor's words at the vendor's door", async () => {
    const answer = await send("a", { path: "/api/uploadLogs?token=nobody&host=web" });
    expect(answer).toMatchObject({
      status: 401,
      body: { status: "error/client/noPermission", message: "the token is unknown or revoked" },
    });
  });
});

describe("a key with scopes and limits", () => {
  const key = { kind: "logtrace", customer: "acme", prefixes: ["", "", "", ""] } as const;
  const sendWith = async (more: Partial<TokenRequest>): Promise<() => Promise<Answer>> => {
    const made = await tokens.create({ ...key, ...more, prefixes: ["", "", "", ""] });
    const headers = { authorization: `Token ${made.secret}` };
    return () => send("a", { path: "/scoped", headers });
  };

  test("that may not write is refused with its reason", async () => {
    const ask = await sendWith({ scopes: ["read:logs"] });
    expect(await ask()).toMatchObject({
      status: 403,
      body: { errorCode: "NO_PERMISSION", details: { reason: "wrong-scope" } },
    });
    expect(await storedMessages()).toEqual([]);
  });

  test("is refused beyond its limit, and told when to come again", async () => {
    const ask = await sendWith({ limits: { ingest: 2 } });
    expect([(await ask()).status, (await ask()).status]).toEqual([202, 202]);
    const refused = await ask();
    expect(refused).toMatchObject({
      status: 429,
      body: { errorCode: "RATE_LIMITED", details: { reason: "limit-reached", limit: 2 } },
    });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await storedMessages()).toEqual(["a", "a"]);
  });
});

test("an address that tries keys is slowed down, while a key that was good goes on", async () => {
  expect((await send("a")).status).toBe(202);
  const later = await tokens.create({
    kind: "write",
    customer: "acme",
    prefixes: ["", "", "", ""],
  });
  const guess = (key: string) => send("a", { headers: { authorization: `Token ${key}` } });
  const statuses = new Set<number>();
  for (let n = 0; n < 100; n++) statuses.add((await guess(`guess-number-${n}`)).status);
  expect([...statuses]).toEqual([401]);
  const slowed = await guess("one-guess-more");
  expect(slowed).toMatchObject({
    status: 429,
    body: { errorCode: "RATE_LIMITED", details: { reason: "too-many-failures" } },
  });
  expect(slowed.headers.get("retry-after")).toBe("1");
  expect(await counted("logboom_key_refusals_total", 'reason="too-many-failures"')).toBe(1);
  expect(await counted("logboom_key_refusals_total", 'reason="unknown"')).toBe(100);
  // What is not tried tells nothing, not even of a good key; but it gets its turn.
  expect((await guess(later.secret)).status).toBe(429);
  expect((await send("b")).status).toBe(202);
  await vi.waitFor(async () => expect((await guess(later.secret)).status).toBe(202), 20_000);
});

test("a request of another door is taken by the same path", async () => {
  const path = `/api/uploadLogs?token=${secret}&host=web-1&logfile=a.log`;
  expect(await send("a\rb\n", { path })).toMatchObject({
    status: 200,
    body: { status: "success" },
  });
  expect(await storedMessages()).toEqual(["a", "b"]);
});

test("bodies that are decoded to much are given back as well", async () => {
  const body = zlib.gzipSync(`${"x".repeat(1000)}\n`.repeat(200));
  const headers = { "content-encoding": "gzip" };
  expect(await send(body, { headers })).toMatchObject({ status: 202, body: { accepted: 200 } });
  expect(acceptor.pendingBytes).toBe(0);
});

test("fifty requests at once are each answered for their own", async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      send(n % 5 === 0 ? "x".repeat(1001) : `request ${n}\n`.repeat(n + 1)),
    ),
  );
  for (const [n, answer] of answers.entries()) {
    if (n % 5 === 0) expect(answer.status).toBe(413);
    else expect(answer).toMatchObject({ status: 202, body: { accepted: n + 1 } });
  }
  expect(acceptor.pendingBytes).toBe(0);
});
