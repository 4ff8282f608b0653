// Bad requests to the search API and to the paths around it: each gets an error in its own shape.
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { countEvents, ingest, postSearch, waitForCount } from "../support/api.ts";
import { truncatedGzip } from "../support/bodies.ts";
import { openRequest, readReply } from "../support/raw-http.ts";
import { startService, type Service } from "../support/service.ts";
import { replyKeys, type SearchReply } from "../support/snapshots.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 });

const form = "application/x-www-form-urlencoded";

let service: Service;

beforeAll(async () => {
  service = await startService({
    env: { LOGBOOM_MAX_BODY_BYTES: "1048576", LOGBOOM_BODY_TIMEOUT_MS: "1000" },
  });
  await ingest(service, "one event", { contentType: "text/plain" });
  await waitForCount(service, { regex: "one event" }, 1);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** Checks that an error has all keys of a search reply, empty lists, and its code. */
function readError(body: string, code: string): SearchReply {
  const reply = JSON.parse(body) as SearchReply;
  expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
  expect(reply).toMatchObject({ errorCode: code, events: [], counts: [], contexts: [] });
  expect(reply.complete).toBe(false);
  expect(reply.error).toMatch(/^[^A-Z].*[^.]$/s);
  return reply;
}

async function expectRefusal(response: Response, status: number, code: string): Promise<string> {
  const body = await response.text();
  expect([response.status, body.slice(0, 300)]).toEqual([status, expect.any(String)]);
  expect(response.headers.get("content-type")).toContain("application/json");
  return readError(body, code).error ?? "";
}

const asked = "customer=acme&regex=.*";

/** What is wrong, the body, headers beside the token's, status, code, and what the reply mentions. */
type Row = readonly [string, string, Record<string, string>, number, string, string];

const rows: readonly Row[] = [
  [
    "another content type",
    asked,
    { "content-type": "application/json" },
    415,
    "UNSUPPORTED_MEDIA",
    "json",
  ],
  ["no customer", "regex=.*", {}, 400, "BAD_REQUEST", "customer"],
  ["no regex", "customer=acme", {}, 400, "BAD_REQUEST", "regex"],
  ["another customer", "customer=other&regex=.*", {}, 403, "NO_PERMISSION", "other"],
  ["a broken pattern", "customer=acme&regex=(", {}, 400, "BAD_REGEX", "offset"],
  ["a body over the limit", `${asked}&x=${"x".repeat(1_048_577)}`, {}, 413, "TOO_LARGE", "1048576"],
];

describe("the search refuses", () => {
  test.for(rows)("%s", async ([, body, headers, status, code, mention]) => {
    const authorization = `Token ${service.readToken}`;
    const response = await postSearch(service, body, { authorization, ...headers });
    expect(await expectRefusal(response, status, code)).toContain(mention);
  });

  test.for(["GET", "PUT", "DELETE"])("the method %s", async (method) => {
    const headers = { authorization: `Token ${service.readToken}` };
    const response = await fetch(`${service.url}/api/search/v1`, { method, headers });
    expect(response.headers.get("allow")).toContain("POST");
    await expectRefusal(response, 405, "METHOD_NOT_ALLOWED");
  });

  const tokens: readonly (readonly [string, Record<string, string>])[] = [
    ["no token", {}],
    ["a wrong token", { authorization: "Token not-a-token-of-this-service" }],
    ["another scheme", { authorization: "Bearer not-a-token-of-this-service" }],
    ["a token too long", { authorization: `Token ${"x".repeat(8000)}` }],
  ];
  test.for(tokens)("%s", async ([, headers]) => {
    await expectRefusal(await postSearch(service, asked, headers), 401, "BAD_TOKEN");
  });

  test("a write token", async () => {
    const headers = { authorization: `Token ${service.writeToken}` };
    await expectRefusal(await postSearch(service, asked, headers), 403, "NO_PERMISSION");
  });

  const compressed: readonly (readonly [string, Uint8Array<ArrayBuffer>])[] = [
    ["truncated gzip", truncatedGzip(`${asked}&x=${"xyz".repeat(1000)}`)],
    ["a gzip bomb", new Uint8Array(gzipSync(Buffer.alloc(200 * 1024 * 1024, "a")))],
  ];
  test.for(compressed)("%s", async ([, body]) => {
    const response = await fetch(`${service.url}/api/search/v1`, {
      method: "POST",
      headers: {
        authorization: `Token ${service.readToken}`,
        "content-type": form,
        "content-encoding": "gzip",
      },
      body,
    });
    const text = await response.text();
    expect([400, 413, 415]).toContain(response.status);
    const code = (JSON.parse(text) as SearchReply).errorCode ?? "";
    expect(["BAD_REQUEST", "TOO_LARGE", "UNSUPPORTED_MEDIA"]).toContain(code);
    readError(text, code);
  });

  test("a body that stalls, after its timeout", async () => {
    const headers = {
      authorization: `Token ${service.readToken}`,
      "content-type": form,
      "content-length": 1000,
    };
    const socket = await openRequest(service, "/api/search/v1", headers);
    socket.write(asked);
    const { status, body } = await readReply(socket);
    expect(status).toBe(408);
    readError(body, "BODY_TIMEOUT");
  });
});

describe("the search bears", () => {
  /** Requests that are odd, and must be answered without a failure of the service. */
  const odd: readonly (readonly [string, string, readonly number[]])[] = [
    ["invalid UTF-8 in the body", "customer=acme&regex=%FF%C3.*&prefix0=%ff", [200, 400]],
    ["a broken percent sign", "customer=acme&regex=.*%", [200, 400]],
    ["a control character in a prefix", `${asked}&prefix0=a%00b`, [200, 400]],
    ["a prefix that is no pattern", `${asked}&prefix0=%25_%27%5C`, [200]],
    ["a parameter twice", `${asked}&limit=1&limit=2`, [200, 400]],
    ["an array parameter", `${asked}&limit[]=1&__proto__[x]=1`, [200, 400]],
    ["100,000 parameters", `${asked}${"&x=".repeat(100_000)}`, [200, 400, 413]],
  ];
  test.for(odd)("%s", async ([, body, statuses]) => {
    const response = await postSearch(service, body);
    const reply = (await response.json()) as SearchReply;
    expect(statuses).toContain(response.status);
    expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
    if (response.status === 200) expect(reply.error).toBe(null);
    else expect(reply.errorCode).toMatch(/^(BAD_REQUEST|BAD_REGEX|TOO_LARGE)$/);
  });

  test("a client that goes before the reply", async () => {
    for (let round = 0; round < 10; round += 1) {
      const body = `${asked}&beginTime=1970-01-01+01:00:00.00000000${round}`;
      const socket = await openRequest(service, "/api/search/v1", {
        authorization: `Token ${service.readToken}`,
        "content-type": form,
        "content-length": body.length,
      });
      socket.end(body);
      socket.destroy();
    }
    expect(await countEvents(service, { regex: "one event" })).toBe(1);
  });
});

describe("around the API", () => {
  test.for(["/", "/api", "/api/ingest/v2", "/uploadLogs", "/api/search/v1/x", "/%ff", "//"])(
    "the path %s is answered without a failure",
    async (path) => {
      const response = await fetch(service.url + path, { method: "POST", body: "x" });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
      const reply = (await response.json()) as Record<string, unknown>;
      expect(reply["errorCode"]).toMatch(/^(NOT_FOUND|METHOD_NOT_ALLOWED|BAD_REQUEST)$/);
    },
  );

  test.for(["/health", "/ready", "/metrics", "/openapi.json"])("%s is only read", async (path) => {
    const read = await fetch(service.url + path);
    expect(read.status).toBe(200);
    expect((await read.text()).length).toBeGreaterThan(0);
    const written = await fetch(service.url + path, { method: "POST", body: "x" });
    expect([404, 405]).toContain(written.status);
    const { errorCode } = (await written.json()) as { errorCode: string };
    expect(["NOT_FOUND", "METHOD_NOT_ALLOWED"]).toContain(errorCode);
  });

  test("/ready names each dependency, /metrics is Prometheus text, /openapi.json has the paths", async () => {
    const ready = (await (await fetch(`${service.url}/ready`)).json()) as object;
    expect(JSON.stringify(ready)).toMatch(/clickhouse|store/i);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^# TYPE logboom_\w+ (counter|gauge|histogram)$/m);
    const openapi = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: object;
    };
    expect(openapi.openapi).toMatch(/^3\./);
    expect(Object.keys(openapi.paths)).toEqual(
      expect.arrayContaining(["/api/ingest/v1", "/api/search/v1", "/api/uploadLogs"]),
    );
  });
});
