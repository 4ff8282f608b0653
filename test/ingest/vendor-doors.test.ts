// The vendors' doors through the whole edge: what is stored, and refusals in each vendor's own words.
import zlib from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createBombs } from "../support/bodies.ts";
import { keys, openEdge, type Edge } from "./edge-fixture.ts";

let edge: Edge;
let before = 0;
let bombs: Awaited<ReturnType<typeof createBombs>>;

beforeAll(async () => {
  bombs = await createBombs(80);
  edge = await openEdge();
});

afterAll(() => edge[Symbol.asyncDispose]());

afterEach(async () => {
  before = (await edge.stored()).length;
});

interface Given {
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

async function send(path: string, body: string | Buffer = "", given: Given = {}) {
  const { headers = {}, method = "POST" } = given;
  const response = await fetch(`${edge.url}${path}`, {
    method,
    headers,
    ...(method === "POST" && { body: typeof body === "string" ? body : new Uint8Array(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

/** What this test has stored. */
async function storedNow() {
  return (await edge.stored()).slice(before);
}

const bearer = (key: string) => ({
  authorization: `Bearer ${key}`,
  "content-type": "application/json",
});
const logs = (events: unknown[]) => JSON.stringify({ logs: events });

describe("a request is stored with its labels", () => {
  test("of Loggly", async () => {
    const path = `/bulk/${keys.loggly}/tag/b,a`;
    const body = '{"hostname":"h","timestamp":5}\nplain\n';
    expect(await send(path, body)).toMatchObject({ status: 200, text: '{"response":"ok"}' });
    expect(await storedNow()).toMatchObject([
      { prefix0: "h", prefix1: "b", prefix2: "a,b", prefix3: "loggly", time: 5_000_000n },
      {
        prefix0: "",
        message: "plain",
        attributes: { tags: "b,a", "http.clientHost": "127.0.0.1" },
      },
    ]);
  });

  test("of Loggly's pixel", async () => {
    const answer = await send(`/inputs/${keys.loggly}.gif?PLAINTEXT=pix`, "", { method: "GET" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("image/gif");
    expect(await storedNow()).toMatchObject([{ message: "pix", prefix3: "loggly" }]);
  });

  test("of Logentries, with the log that the key names", async () => {
    const answer = await send(`/v1/logs/${keys.logentries}`, '{"event":"x"}');
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(await storedNow()).toMatchObject([
      { message: '{"event":"x"}', prefix0: "set", prefix1: "app", attributes: { log_id: "log-1" } },
    ]);
  });

  test("of LogTrace, with the environment that the key is for", async () => {
    const body = logs([{ message: "m", service: "s", level: "WARN" }]);
    const answer = await send("/v1/logs/ingest", body, { headers: bearer(keys.logtrace) });
    expect(answer).toMatchObject({ status: 202, text: '{"status":"accepted","accepted":1}' });
    expect(await storedNow()).toMatchObject([
      { prefix0: "production", prefix1: "s", prefix2: "WARN", prefix3: "logtrace" },
    ]);
  });

  test("of Scalyr, by the token in the body, compressed, at both paths", async () => {
    const body = Buffer.from(`{token:"${keys.scalyr}",events:[{attrs:{message:"m\\n"}}]}`);
    const bodies = [
      ["/addEvents", "deflate", zlib.deflateSync(body)],
      ["/api/addEvents", "gzip", zlib.gzipSync(body)],
    ] as const;
    for (const [path, encoding, bytes] of bodies) {
      const answer = await send(path, bytes, { headers: { "content-encoding": encoding } });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toEqual({ status: "success", bytesCharged: body.length });
    }
    expect(await storedNow()).toMatchObject([{ message: "m" }, { message: "m" }]);
  });
});

test("a preflight is answered for browsers", async () => {
  for (const path of [`/v1/logs/${keys.logentries}`, `/inputs/${keys.loggly}`]) {
    const answer = await send(path, "", {
      method: "OPTIONS",
      headers: { "access-control-request-headers": "X-Requested-With", origin: "http://app" },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-headers")).toBe("X-Requested-With");
    expect(answer.headers.get("access-control-allow-methods")).toContain("POST");
  }
});

describe("Scalyr's places", () => {
  const body = (session: string, events: string) =>
    `{token:"${keys.scalyr}",session:"${session}",events:[${events}]}`;
  const event = (si: string, sn: number) => `{si:"${si}",sn:${sn},attrs:{message:"${si}-${sn}"}}`;

  test("are stored once though the request is repeated, in part, and at the same time", async () => {
    const first = body("places", `${event("a", 1)},${event("a", 2)}`);
    const answers = await Promise.all([send("/addEvents", first), send("/addEvents", first)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await send("/addEvents", body("places", `${event("a", 2)},${event("a", 3)}`));
    await send("/addEvents", body("another session", event("a", 3)));
    const messages = (await storedNow()).map(({ message }) => message);
    expect(messages).toEqual(["a-1", "a-2", "a-3", "a-3"]);
    const labels = 'door="scalyr-add-events",reason="repeated"';
    expect(await edge.counted("logboom_ingest_dropped_events_total", labels)).toBe(3);
  });
});

test("a bad event among good ones costs Scalyr's agent only that one, and it is told", async () => {
  const body = `{token:"${keys.scalyr}",events:[{attrs:{message:"good"}},"bad",{ts:"-5",attrs:{message:"late"}}]}`;
  const answer = await send("/addEvents", body);
  expect(JSON.parse(answer.text)).toMatchObject({
    status: "success",
    message: "1 events were not stored; the first: events[1] is not an object",
  });
  expect((await storedNow()).map(({ message }) => message)).toEqual(["good", "late"]);
});

test("LogTrace's limit is 429 with the seconds to wait; an enterprise key's overflow is taken", async () => {
  const ask = (key: string) =>
    send("/v1/logs/ingest", logs([{ message: "m" }]), { headers: bearer(key) });
  expect((await ask(keys.logtraceFew)).status).toBe(202);
  const refused = await ask(keys.logtraceFew);
  expect(refused.status).toBe(429);
  const wait = Number(refused.headers.get("retry-after"));
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(3600);
  expect(JSON.parse(refused.text)).toMatchObject({ status: "error", code: "RATE_LIMITED" });
  expect((await ask(keys.logtraceQueued)).status).toBe(202);
  expect((await ask(keys.logtraceQueued)).status).toBe(202);
  expect(await storedNow()).toHaveLength(3);
});

test("labels and attributes beyond the limits are cut and counted, and the event kept", async () => {
  const name = "logboom_ingest_mended_events_total";
  const counted = await edge.counted(name, 'door="loggly"');
  const body = JSON.stringify({ host: `a\tb${"x".repeat(300)}` });
  expect((await send(`/inputs/${keys.loggly}`, body)).status).toBe(200);
  const [event] = await storedNow();
  expect(event?.prefix0).toBe(`a b${"x".repeat(252)}`);
  expect(event?.message).toBe(body);
  expect(await edge.counted(name, 'door="loggly"')).toBe(counted + 1);
});

const mib = 1_048_576;
const bottomless = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
const scalyrBody = (content: string) => `{token:"${keys.scalyr}",${content}}`;

describe("a refusal", () => {
  const loggly = { response: expect.any(String) as string };
  const logentries = (code: number) => ({ errorCode: code, message: expect.any(String) as string });
  const logtrace = (code: string) => ({
    status: "error",
    code,
    error: expect.any(String) as string,
  });
  const scalyr = (status: string) => ({
    status: expect.stringMatching(`^${status}`) as string,
    message: expect.any(String) as string,
  });
  const length = (bytes: number) => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32BE(bytes);
    return buffer.toString("latin1");
  };

  test.each<[string, string, string | Buffer, Given, number, object]>([
    ["an unknown token", `/inputs/${keys.logentries}`, "x", {}, 403, loggly],
    ["an API token", `/inputs/${keys.logglyApi}`, "x", {}, 403, loggly],
    [
      "an empty tag header",
      `/inputs/${keys.loggly}`,
      "x",
      { headers: { "x-loggly-tag": "" } },
      400,
      loggly,
    ],
    ["1 MB and a byte", `/inputs/${keys.loggly}`, "x".repeat(mib + 1), {}, 413, loggly],
    [
      "a line of 1 MB and a byte among good ones",
      `/bulk/${keys.loggly}`,
      `good\n${"x".repeat(mib + 1)}\n`,
      {},
      413,
      loggly,
    ],
    ["5 MB and a byte", `/bulk/${keys.loggly}`, "x\n".repeat(2.5 * mib + 1), {}, 413, loggly],
    ["another method", `/inputs/${keys.loggly}`, "", { method: "GET" }, 405, loggly],
    [
      "an unknown pixel",
      `/inputs/${keys.logentries}.gif?PLAINTEXT=x`,
      "",
      { method: "GET" },
      403,
      loggly,
    ],
    [
      "an unknown encoding",
      `/bulk/${keys.loggly}`,
      "x",
      { headers: { "content-encoding": "lzma" } },
      415,
      loggly,
    ],

    ["an unknown log", `/v1/logs/${keys.loggly.replace("1", "9")}`, "x", {}, 401, logentries(401)],
    ["a key of another kind", `/v1/logs/${keys.loggly}`, "x", {}, 403, logentries(403)],
    [
      "a pixel without e",
      `/v1/logs/${keys.logentries}`,
      "",
      { method: "GET" },
      400,
      logentries(400),
    ],
    [
      "an event of 1 MB and a byte",
      `/noformat/logs/${keys.logentries}`,
      "x".repeat(mib + 1),
      {},
      413,
      logentries(413),
    ],
    [
      "another method than the log's",
      `/v1/logs/${keys.logentries}`,
      "",
      { method: "DELETE" },
      405,
      logentries(405),
    ],

    ["no key", "/v1/logs/ingest", logs([]), {}, 401, logtrace("BAD_TOKEN")],
    [
      "a key without the scope",
      "/v1/logs/ingest",
      logs([{ message: "m" }]),
      { headers: bearer(keys.logtraceReadOnly) },
      403,
      logtrace("NO_PERMISSION"),
    ],
    [
      "another environment",
      "/v1/logs/ingest",
      logs([{ message: "m" }, { message: "m", environment: "staging" }]),
      { headers: bearer(keys.logtrace) },
      403,
      logtrace("NO_PERMISSION"),
    ],
    [
      "bad JSON",
      "/v1/logs/ingest",
      "{bad",
      { headers: bearer(keys.logtrace) },
      400,
      logtrace("BAD_REQUEST"),
    ],
    [
      "another content type",
      "/v1/logs/ingest",
      logs([{ message: "m" }]),
      { headers: { ...bearer(keys.logtrace), "content-type": "text/plain; charset=utf-8" } },
      400,
      logtrace("BAD_REQUEST"),
    ],
    [
      "5,001 events",
      "/v1/logs/ingest",
      logs(Array.from({ length: 5001 }, () => ({ message: "m" }))),
      { headers: bearer(keys.logtrace) },
      400,
      logtrace("BAD_REQUEST"),
    ],
    [
      "one bad event among good ones",
      "/v1/logs/ingest",
      logs([{ message: "m" }, { level: "INFO" }, { message: "n" }]),
      { headers: bearer(keys.logtrace) },
      400,
      logtrace("BAD_REQUEST"),
    ],
    [
      "a message of 1 MB and a byte",
      "/v1/logs/ingest",
      logs([{ message: "m" }, { message: "x".repeat(mib + 1) }]),
      { headers: bearer(keys.logtrace) },
      413,
      logtrace("TOO_LARGE"),
    ],

    ["no token", "/addEvents", "{events:[]}", {}, 401, scalyr("error/client/noPermission")],
    [
      "a read token",
      "/addEvents",
      `{token:"${keys.scalyrRead}",events:[]}`,
      {},
      401,
      scalyr("error/client/noPermission"),
    ],
    [
      "an unterminated string",
      "/addEvents",
      scalyrBody('events:[{attrs:{message:"x'),
      {},
      400,
      scalyr("error/client/badParam"),
    ],
    [
      "a length past the end",
      "/addEvents",
      Buffer.from(scalyrBody(`events:[{attrs:{message:\`s${length(1000)}x}}]`), "latin1"),
      {},
      400,
      scalyr("error/client/badParam"),
    ],
    [
      "events that are no array",
      "/addEvents",
      scalyrBody("events:{}"),
      {},
      400,
      scalyr("error/client/badParam"),
    ],
    ...[
      `"events":[{"attrs":{"message":${bottomless}}}]`,
      `"events":[{"attrs":{"a":${bottomless}}}]`,
      `"session":${bottomless}`,
    ].map((fields): [string, string, string, Given, number, object] => [
      `JSON without a bottom in ${fields.slice(0, 30)}`,
      "/addEvents",
      `{"token":"${keys.scalyr}",${fields}}`,
      {},
      400,
      scalyr("error/client/badParam"),
    ]),
    [
      "6 MB and a byte",
      "/addEvents",
      scalyrBody(`events:[],x:"${"x".repeat(6 * mib)}"`),
      {},
      400,
      scalyr("error/client/badParam/requestTooLarge"),
    ],
    [
      "6 MB and a byte, compressed",
      "/addEvents",
      zlib.deflateSync(scalyrBody(`events:[],x:"${"x".repeat(6 * mib)}"`)),
      { headers: { "content-encoding": "deflate" } },
      400,
      scalyr("error/client/badParam/requestTooLarge"),
    ],
    [
      "a broken compression",
      "/addEvents",
      "xx",
      { headers: { "content-encoding": "deflate" } },
      400,
      scalyr("error/client/badParam"),
    ],
    [
      "another method than Scalyr's",
      "/addEvents",
      "",
      { method: "GET" },
      405,
      scalyr("error/client/badParam"),
    ],
    [
      "an error that must be 200",
      "/addEvents",
      "{",
      { headers: { errorstatus: "always200" } },
      200,
      scalyr("error/client/badParam"),
    ],
  ])(
    "of %s is in the vendor's words and stores nothing",
    async (_, path, body, given, status, shape) => {
      const answer = await send(path, body, given);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        status,
        "application/json",
      ]);
      expect(JSON.parse(answer.text)).toMatchObject(shape);
      expect(await storedNow()).toEqual([]);
      // A secret is never repeated.
      for (const key of Object.values(keys)) expect(answer.text).not.toContain(key);
    },
  );

  test.each<[string, string, Record<string, string>, number, object]>([
    ["Loggly's input", `/inputs/${keys.loggly}`, {}, 413, loggly],
    ["Loggly's bulk", `/bulk/${keys.loggly}`, {}, 413, loggly],
    ["Logentries", `/v1/logs/${keys.logentries}`, {}, 413, logentries(413)],
    ["LogTrace", "/v1/logs/ingest", bearer(keys.logtrace), 413, logtrace("TOO_LARGE")],
    ["addEvents", "/addEvents", {}, 400, scalyr("error/client/badParam/requestTooLarge")],
    [
      "uploadLogs",
      `/api/uploadLogs?token=${keys.scalyr}`,
      {},
      400,
      scalyr("error/client/badParam/requestTooLarge"),
    ],
  ])("of small bodies that become 80 MiB at %s", async (_, path, headers, status, shape) => {
    for (const [encoding, bomb] of bombs) {
      const answer = await send(path, Buffer.from(bomb), {
        headers: { ...headers, "content-encoding": encoding },
      });
      expect([encoding, answer.status]).toEqual([encoding, status]);
      expect(JSON.parse(answer.text)).toMatchObject(shape);
      expect(answer.text).toMatch(/exceeds the limit of \d+ bytes when decompressed/);
    }
    expect(await storedNow()).toEqual([]);
  });
});
