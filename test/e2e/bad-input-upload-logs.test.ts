// Bad requests to Scalyr's uploadLogs: each gets a status of Scalyr's, and nothing of it is stored.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { countEvents, search, waitForCount } from "../support/api.ts";
import { createBombs, truncatedGzip } from "../support/bodies.ts";
import { openRequest, readReply } from "../support/raw-http.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const bodyLimit = 6_291_456;

let service: Service;
let accepted = 0;

beforeAll(async () => {
  service = await startService({ env: { LOGBOOM_BODY_TIMEOUT_MS: "1000" } });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

interface UploadOptions {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

function upload(body: string | Uint8Array<ArrayBuffer>, options: UploadOptions): Promise<Response> {
  return fetch(`${service.url}/api/uploadLogs?${options.query ?? `token=${service.writeToken}`}`, {
    method: options.method ?? "POST",
    headers: { "content-type": "text/plain", ...options.headers },
    ...(options.method === "GET" ? {} : { body }),
    signal: AbortSignal.timeout(60_000),
  });
}

interface ScalyrReply {
  readonly status: string;
  readonly message?: string;
}

async function expectRefusal(
  response: Response,
  status: number,
  scalyrStatus: string,
): Promise<string> {
  const text = await response.text();
  expect([response.status, text.slice(0, 300)]).toEqual([status, expect.any(String)]);
  expect(response.headers.get("content-type")).toContain("application/json");
  const reply = JSON.parse(text) as ScalyrReply;
  expect(reply.status).toMatch(new RegExp(`^${scalyrStatus}`));
  expect(reply.message).toBeTypeOf("string");
  expect(reply.message).not.toBe("");
  return text;
}

const gzip = { "content-encoding": "gzip" };
const badParameter = "error/client/badParam";
const noPermission = "error/client/noPermission";
const withToken = (rest: string): string => `token=${service.writeToken}&${rest}`;

/** What is wrong, the body, how it is sent, HTTP status, Scalyr's status, what the reply mentions. */
type Row = readonly [
  string,
  string | Uint8Array<ArrayBuffer>,
  () => UploadOptions,
  number,
  string,
  string,
];

const rows: readonly Row[] = [
  ["no token", "forbidden", () => ({ query: "host=h" }), 401, noPermission, ""],
  [
    "a wrong token",
    "forbidden",
    () => ({ query: "token=not-a-token-here" }),
    401,
    noPermission,
    "",
  ],
  [
    "a read token",
    "forbidden",
    () => ({ query: `token=${service.readToken}` }),
    401,
    noPermission,
    "",
  ],
  [
    "another encoding",
    "forbidden",
    () => ({ headers: { "content-encoding": "compress" } }),
    415,
    badParameter,
    "compress",
  ],
  [
    "a host with a control character",
    "forbidden",
    () => ({ query: withToken("host=a%01b") }),
    400,
    badParameter,
    "control character",
  ],
  [
    "a logfile of 256 bytes",
    "forbidden",
    () => ({ query: withToken(`logfile=${"x".repeat(256)}`) }),
    400,
    badParameter,
    "255",
  ],
  [
    "65 server attributes",
    "forbidden",
    () => ({
      query: withToken(Array.from({ length: 65 }, (_, index) => `server-k${index}=v`).join("&")),
    }),
    400,
    badParameter,
    "64",
  ],
  [
    "an event over 1 MiB",
    `forbidden\n${"x".repeat(1024 * 1024 + 1)}`,
    () => ({}),
    400,
    badParameter,
    "1048576",
  ],
  [
    "a body over the limit",
    "forbidden\n".repeat(bodyLimit / 10 + 1),
    () => ({}),
    400,
    badParameter,
    "requestTooLarge",
  ],
  [
    "a decoded body over the limit",
    new Uint8Array(gzipSync("forbidden\n".repeat(bodyLimit / 10 + 1))),
    () => ({ headers: gzip }),
    400,
    badParameter,
    "requestTooLarge",
  ],
  [
    "truncated gzip",
    truncatedGzip("forbidden\n".repeat(1000)),
    () => ({ headers: gzip }),
    400,
    badParameter,
    "gzip",
  ],
  ["no gzip at all", "forbidden", () => ({ headers: gzip }), 400, badParameter, "gzip"],
];

describe("uploadLogs refuses", () => {
  test.for(rows)("%s", async ([, body, options, status, scalyrStatus, mention]) => {
    const response = await upload(body, options());
    expect(await expectRefusal(response, status, scalyrStatus)).toContain(mention);
  });

  test.for(["GET", "PUT", "DELETE"])("the method %s", async (method) => {
    await expectRefusal(await upload("forbidden", { method }), 405, "error/client");
  });

  test("a content type that is not text", async () => {
    const response = await upload('{"forbidden":1}', {
      headers: { "content-type": "application/xml" },
    });
    expect([400, 415]).toContain(response.status);
    await expectRefusal(response, response.status, badParameter);
  });

  test("a small body that grows beyond all limits when it is decoded", async () => {
    for (const [encoding, body] of await createBombs(256)) {
      const response = await upload(body, { headers: { "content-encoding": encoding } });
      expect(await expectRefusal(response, 400, badParameter)).toContain("requestTooLarge");
    }
  });

  test("100,000 server attributes", async () => {
    const query = "&server-k=v".repeat(100_000);
    const target = `/api/uploadLogs?token=${service.writeToken}${query}`;
    const headers = { "content-type": "text/plain", "content-length": 9 };
    const socket = await openRequest(service, target, headers);
    socket.write("forbidden");
    // Node.js refuses a head of this size before any of our code sees it, and closes the connection,
    // so that the client may see a reset in place of the reply.
    const status = await readReply(socket).then(
      (reply) => reply.status,
      () => "reset",
    );
    expect([400, 413, 414, 431, "reset"]).toContain(status);
  });

  test("a body that stalls, after its timeout", async () => {
    const target = `/api/uploadLogs?token=${service.writeToken}&host=stalled`;
    const headers = { "content-type": "text/plain", "content-length": 1000 };
    const socket = await openRequest(service, target, headers);
    socket.write("forbidden\nforbidden\n");
    const { status, body } = await readReply(socket);
    expect(status).toBe(408);
    expect((JSON.parse(body) as ScalyrReply).status).toMatch(/^error\//);
  });
});

describe("uploadLogs takes", () => {
  test("a body of just the limit", async () => {
    const line = `${"y".repeat(bodyLimit / 8 - 1)}\n`;
    const response = await upload(line.repeat(8), { query: withToken("host=limit") });
    expect(await response.json()).toEqual({ status: "success" });
    accepted += 8;
    await waitForCount(service, { regex: "y*", prefix0: "limit" }, 8);
  });

  test("invalid UTF-8, replaced", async () => {
    const body = new Uint8Array([...Buffer.from("utf8 "), 0xff, ...Buffer.from(" end")]);
    const response = await upload(body, { query: withToken("host=utf8") });
    expect(response.status).toBe(200);
    accepted += 1;
    await waitForCount(service, { regex: ".*", prefix0: "utf8" }, 1);
    const reply = await search(service, { regex: ".*", prefix0: "utf8" });
    expect(reply.events[0]?.message).toBe("utf8 \ufffd end");
  });

  test("all or nothing of a client that goes before the reply, and its repeat once", async () => {
    const lines = "gone\n".repeat(50);
    for (let round = 0; round < 10; round += 1) {
      const target = `/api/uploadLogs?token=${service.writeToken}&host=gone`;
      const nonce = `gone-${round}`;
      const headers = { "content-type": "text/plain", "content-length": lines.length, nonce };
      const socket = await openRequest(service, target, headers);
      socket.write(round < 3 ? lines.slice(0, 100) : lines);
      await sleep(round);
      socket.destroy();
      if (round < 3) continue;
      const response = await upload(lines, { query: withToken("host=gone"), headers: { nonce } });
      expect(response.status).toBe(200);
      accepted += 50;
    }
    await waitForCount(service, { regex: "gone" }, 350);
  });
});

test("nothing of a refused request is stored, and all of the others is", async () => {
  const response = await upload("sentinel", { query: withToken("host=sentinel") });
  expect(response.status).toBe(200);
  accepted += 1;
  await waitForCount(service, { regex: ".*", beginTime: "1970-01-01 00:00:00" }, accepted);
  expect(await countEvents(service, { regex: ".*forbidden.*" })).toBe(0);
});
