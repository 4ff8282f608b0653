// Keys that are missing, unknown, revoked, expired, of another kind, scope or environment, at every way in and out of
// a running service: each is refused in the vendor's own shape, and nothing of it is stored.
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { EmbeddedLog } from "../../ingest/log/embedded.ts";
import { TokenStore, type TokenRequest } from "../../ingest/tokens.ts";
import type { TokenKind } from "../../schemas/token.ts";
import { ingest, waitForCount } from "../support/api.ts";
import { findFreePort, Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const text = expect.any(String) as string;
const shapes = {
  native: { error: text, errorCode: text },
  loggly: { response: text },
  logglyApi: { message: text },
  logentries: { errorCode: expect.any(Number) as number, message: text },
  logentriesApi: { message: text },
  logtrace: { status: "error", error: text, code: text },
  scalyr: { status: "error/client/noPermission", message: text },
} as const;

interface Endpoint {
  readonly name: string;
  readonly kind: TokenKind;
  /** A kind that is good elsewhere. */
  readonly wrongKind: TokenKind;
  readonly method?: string;
  readonly path: (key: string) => string;
  readonly headers?: (key: string) => Record<string, string>;
  readonly body?: (key: string) => string;
  readonly shape: keyof typeof shapes;
  /** Of a key that is missing, unknown, revoked or expired; and of another kind. */
  readonly statuses: readonly [number, number];
}

const bearer = (key: string) => ({
  authorization: `Bearer ${key}`,
  "content-type": "application/json",
});
const token = (key: string) => ({ authorization: `Token ${key}`, "content-type": "text/plain" });
const form = { "content-type": "application/x-www-form-urlencoded" };
const logs = JSON.stringify({ logs: [{ message: "refused." }] });

const endpoints: readonly Endpoint[] = [
  {
    name: "native ingest",
    kind: "write",
    wrongKind: "read",
    path: () => "/api/ingest/v1",
    headers: token,
    body: () => "refused.",
    shape: "native",
    statuses: [401, 403],
  },
  {
    name: "native search",
    kind: "read",
    wrongKind: "write",
    path: () => "/api/search/v1",
    headers: (key) => ({ ...form, authorization: `Token ${key}` }),
    body: () => "customer=acme&regex=.*",
    shape: "native",
    statuses: [401, 403],
  },
  {
    name: "Loggly's input",
    kind: "loggly-input",
    wrongKind: "loggly-api",
    path: (key) => `/inputs/${key}/tag/a`,
    body: () => "refused.",
    shape: "loggly",
    statuses: [403, 403],
  },
  {
    name: "Loggly's bulk",
    kind: "loggly-input",
    wrongKind: "logentries-log",
    path: (key) => `/bulk/${key}`,
    body: () => "refused.\nrefused.",
    shape: "loggly",
    statuses: [403, 403],
  },
  {
    name: "Loggly's pixel",
    kind: "loggly-input",
    wrongKind: "loggly-api",
    method: "GET",
    path: (key) => `/inputs/${key}.gif?PLAINTEXT=refused.`,
    shape: "loggly",
    statuses: [403, 403],
  },
  {
    name: "Loggly's retrieval",
    kind: "loggly-api",
    wrongKind: "loggly-input",
    method: "GET",
    path: () => "/apiv2/events/count?q=*",
    headers: bearer,
    shape: "logglyApi",
    statuses: [401, 403],
  },
  {
    name: "Logentries over HTTP",
    kind: "logentries-log",
    wrongKind: "loggly-input",
    path: (key) => `/v1/logs/${key}`,
    body: () => "refused.",
    shape: "logentries",
    statuses: [401, 403],
  },
  {
    name: "Logentries' queries",
    kind: "logentries-read",
    wrongKind: "logentries-log",
    method: "GET",
    path: () => "/management/logs",
    headers: (key) => ({ "x-api-key": key }),
    shape: "logentriesApi",
    statuses: [401, 403],
  },
  {
    name: "LogTrace's ingest",
    kind: "logtrace",
    wrongKind: "scalyr-write",
    path: () => "/v1/logs/ingest",
    headers: bearer,
    body: () => logs,
    shape: "logtrace",
    statuses: [401, 403],
  },
  {
    name: "LogTrace's queries",
    kind: "logtrace",
    wrongKind: "loggly-api",
    path: () => "/v1/logs/query",
    headers: bearer,
    body: () => JSON.stringify({ filter: "*", from: "-1h" }),
    shape: "logtrace",
    statuses: [401, 403],
  },
  {
    name: "Scalyr's uploadLogs",
    kind: "scalyr-write",
    wrongKind: "scalyr-read",
    path: (key) => `/api/uploadLogs?token=${key}`,
    body: () => "refused.",
    shape: "scalyr",
    statuses: [401, 401],
  },
  {
    name: "Scalyr's addEvents",
    kind: "scalyr-write",
    wrongKind: "scalyr-read",
    path: () => "/addEvents",
    body: (key) => `{"token":"${key}","events":[{"attrs":{"message":"refused."}}]}`,
    shape: "scalyr",
    statuses: [401, 401],
  },
  {
    name: "Scalyr's addEvents with the token last",
    kind: "scalyr-write",
    wrongKind: "scalyr-read",
    path: () => "/api/addEvents",
    body: (key) => `{events:[{attrs:{message:"refused."}}],token:"${key}"}`,
    shape: "scalyr",
    statuses: [401, 401],
  },
  {
    name: "Scalyr's queries",
    kind: "scalyr-read",
    wrongKind: "scalyr-write",
    path: () => "/api/query",
    body: (key) => JSON.stringify({ token: key, queryType: "log" }),
    shape: "scalyr",
    statuses: [401, 401],
  },
];

const kinds = [...new Set(endpoints.flatMap(({ kind, wrongKind }) => [kind, wrongKind]))];

interface Secrets {
  readonly good: string;
  readonly revoked: string;
  readonly expired: string;
}

let service: Service;
const secrets = new Map<TokenKind, Secrets>();
let stagingKey = "";
let readOnlyKey = "";

beforeAll(async () => {
  service = new Service(await findFreePort(), {});
  await createKeys(service.dataDir);
  await service.start();
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** Before the start, as the command line would make them beside it. */
async function createKeys(dataDir: string): Promise<void> {
  const log = await EmbeddedLog.open({ dir: join(dataDir, "log"), maxBytes: 1e9 });
  const tokens = await TokenStore.open(log);
  const create = async (kind: TokenKind, more: Partial<TokenRequest> = {}): Promise<string> => {
    const { secret } = await tokens.create({
      kind,
      customer: "acme",
      prefixes: ["", "", "", ""],
      ...(kind === "logentries-log" && { logset: "set", log: crypto.randomUUID() }),
      ...(kind === "logtrace" && {
        environment: "production",
        scopes: ["write:logs", "read:logs"],
      }),
      ...more,
    });
    return secret;
  };
  for (const kind of kinds) {
    secrets.set(kind, {
      good: await create(kind),
      revoked: await create(kind, { id: `revoked-${kind}` }),
      expired: await create(kind, { expiresAt: "2001-01-01T00:00:00.000Z" }),
    });
    await tokens.revoke(`revoked-${kind}`);
  }
  stagingKey = await create("logtrace", { environment: "staging" });
  readOnlyKey = await create("logtrace", { scopes: ["read:logs"] });
  await tokens.close();
  await log.close();
}

function secretOf(kind: TokenKind, state: keyof Secrets): string {
  return secrets.get(kind)?.[state] ?? "";
}

/** From any of the loopback addresses. */
async function send(
  { method = "POST", path, headers, body }: Endpoint,
  key: string,
  localAddress = "127.0.0.1",
): Promise<{ status: number; text: string; retryAfter: string | undefined }> {
  const sent = request(`${service.url}${path(key)}`, {
    method,
    localAddress,
    headers: headers?.(key) ?? {},
    agent: false,
  });
  sent.end(method === "GET" ? undefined : body?.(key));
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  let received = "";
  for await (const piece of reply) received += String(piece);
  return {
    status: reply.statusCode ?? 0,
    text: received,
    retryAfter: reply.headers["retry-after"],
  };
}

describe.each(endpoints)("$name refuses", (endpoint) => {
  const { kind, wrongKind, shape, statuses } = endpoint;
  const unknown = kind === "logtrace" ? `lt_live_${"0".repeat(32)}` : crypto.randomUUID();
  test.each<[string, number, () => string]>([
    ["a key that nobody has", statuses[0], () => unknown],
    ["a revoked key", statuses[0], () => secretOf(kind, "revoked")],
    ["an expired key", statuses[0], () => secretOf(kind, "expired")],
    ["a key of another kind", statuses[1], () => secretOf(wrongKind, "good")],
    ["a good key with a letter more", statuses[0], () => `${secretOf(kind, "good")}x`],
  ])("%s", async (_, status, keyOf) => {
    const key = keyOf();
    const reply = await send(endpoint, key);
    // A path that no key of the vendor can stand in is none of its paths.
    if (endpoint.name === "Logentries over HTTP" && key.endsWith("x")) {
      expect(reply.status).toBe(404);
      return;
    }
    expect([reply.status, reply.text]).toEqual([status, expect.any(String)]);
    expect(JSON.parse(reply.text)).toMatchObject(shapes[shape]);
    expect(reply.text).not.toContain(key);
  });
});

describe("a LogTrace key", () => {
  const [endpoint] = endpoints.filter(({ name }) => name === "LogTrace's ingest");
  const ingestWith = (key: string, body: string) => {
    if (endpoint === undefined) throw new Error("there is no such endpoint");
    return send({ ...endpoint, body: () => body }, key);
  };

  test("without the scope is refused", async () => {
    const reply = await ingestWith(readOnlyKey, logs);
    expect(reply.status).toBe(403);
    expect(JSON.parse(reply.text)).toMatchObject({
      code: "NO_PERMISSION",
      details: { reason: "wrong-scope", scope: "write:logs" },
    });
  });

  test("of another environment is refused with all events of the request", async () => {
    const body = { logs: [{ message: "refused." }, { message: "x", environment: "production" }] };
    const reply = await ingestWith(stagingKey, JSON.stringify(body));
    expect(reply.status).toBe(403);
    expect(JSON.parse(reply.text)).toMatchObject({
      code: "NO_PERMISSION",
      details: { reason: "wrong-environment", field: "environment", value: "production" },
    });
  });
});

test("who tries keys is slowed down by the address, in each vendor's words; others are served", async () => {
  const guesser = "127.0.0.77";
  const madeUp = (kind: TokenKind): string =>
    kind === "logtrace"
      ? `lt_live_${crypto.randomUUID().replaceAll("-", "")}`
      : crypto.randomUUID();
  for (const endpoint of endpoints) {
    let reply = await send(endpoint, madeUp(endpoint.kind), guesser);
    const isSlowedDown = () => reply.text.includes("requests of this address had a wrong key");
    // A hundred failures are free, and after each wait one more.
    for (let tries = 0; tries < 200 && !isSlowedDown(); tries++) {
      reply = await send(endpoint, madeUp(endpoint.kind), guesser);
    }
    expect(isSlowedDown(), `${endpoint.name}: ${reply.text}`).toBe(true);
    // Loggly's retrieval is throttled with 503.
    expect(reply.status).toBe(endpoint.shape === "logglyApi" ? 503 : 429);
    expect(Number(reply.retryAfter)).toBeGreaterThan(0);
  }
  const [, search] = endpoints;
  if (search === undefined) throw new Error("there is no search");
  expect((await send(search, secretOf("read", "good"), "127.0.0.78")).status).toBe(200);
});

test("nothing of all that is stored", async () => {
  await ingest(service, "stored.", { contentType: "text/plain" });
  await waitForCount(service, { regex: ".*" }, 1);
  expect(service.output).not.toMatch(/"level":[56]0/);
  for (const { good } of secrets.values()) expect(service.output).not.toContain(good);
});
