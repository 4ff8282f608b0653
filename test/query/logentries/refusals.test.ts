// Bad input to Logentries' REST API: each is refused in the vendor's own shape, and nothing of it kept.
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signOwnerRequest } from "../../../ingest/keys/owner-signature.ts";
import type { TokenRequest } from "../../../ingest/tokens.ts";
import { openVendorServer, type VendorServer } from "./vendor-fixture.ts";

const account = "22222222-2222-3333-4444-555555555555";
const users = `/management/accounts/${account}/users`;
const user = { user: { email: "a@b.example", first_name: "A", last_name: "B" } };
let server: VendorServer;
const keys: Record<string, { readonly id: string; readonly secret: string }> = {};
let logId = "";

const given: Readonly<Record<string, Partial<TokenRequest> & Pick<TokenRequest, "kind">>> = {
  reader: { kind: "logentries-read" },
  writer: { kind: "logentries-write" },
  owner: { kind: "logentries-owner", account },
  revokedOwner: { kind: "logentries-owner", account },
  expiredOwner: { kind: "logentries-owner", account, expiresAt: "2001-01-01T00:00:00.000Z" },
  suspendedOwner: { kind: "logentries-owner", account },
  otherOwner: {
    kind: "logentries-owner",
    customer: "other",
    account: "33333333-2222-3333-4444-555555555555",
  },
  limitedOwner: { kind: "logentries-owner", account, limits: { management: 1 } },
  revoked: { kind: "logentries-read" },
  suspended: { kind: "logentries-read" },
  expired: { kind: "logentries-write", expiresAt: "2001-01-01T00:00:00.000Z" },
  log: { kind: "logentries-log", logset: "web", log: "access" },
  loggly: { kind: "loggly-api" },
  few: { kind: "logentries-read", limits: { query: 2, management: 1 } },
};

beforeAll(async () => {
  server = await openVendorServer();
  const { tokens } = server;
  for (const [name, request] of Object.entries(given)) {
    keys[name] = await server.createKey(request);
  }
  for (const name of ["revoked", "revokedOwner"]) await tokens.revoke(keys[name]?.id ?? "");
  for (const name of ["suspended", "suspendedOwner"]) {
    await tokens.setActive(keys[name]?.id ?? "", false);
  }
  const { json } = await get("/management/logs");
  logId = (json as { logs: { id: string }[] }).logs[0]?.id ?? "";
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

async function ask(path: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    status: response.status,
    headers: response.headers,
    json: isJson ? JSON.parse(text) : text,
  };
}

function get(path: string, key = "reader"): Promise<Answered> {
  return ask(path, { headers: { "x-api-key": keys[key]?.secret ?? key } });
}

function send(method: string, path: string, body: string | Buffer, key = "writer") {
  return ask(path, { method, body, headers: { "x-api-key": keys[key]?.secret ?? key } });
}

/** Exactly the vendor's shape, with its number of the status. */
function refusal(status: number, message: string | RegExp = /./) {
  return {
    status,
    json: {
      errorCode: 101_000 + status,
      message: expect.stringMatching(message) as string,
    },
  };
}

let second = 0;

interface Signing {
  readonly key?: string;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly offMs?: number;
  readonly secret?: string;
}

/** The headers and body of a signed request; each has a second of its own, or equal ones would be repeats. */
function signed({
  key = "owner",
  method = "POST",
  path = users,
  body,
  offMs = 0,
  secret,
}: Signing = {}) {
  second += 1;
  const date = new Date(Date.now() - 600_000 + second * 1000 + offMs).toUTCString();
  const text = body ?? (method === "POST" ? JSON.stringify(user) : "");
  const { id, secret: ownSecret } = keys[key] ?? { id: key, secret: "" };
  const content = { method, contentType: "application/json", date, path, body: Buffer.from(text) };
  const signature = signOwnerRequest(secret ?? ownSecret, { ...content, path: path.slice(1) });
  return {
    method,
    headers: {
      date,
      "content-type": "application/json",
      "authorization-api-key": `${id}:${signature}`,
    } as Record<string, string>,
    ...(text !== "" && { body: text }),
  };
}

type Signed = ReturnType<typeof signed>;

const withHeader = (request: Signed, name: string, value: string | undefined): Signed => {
  const headers = Object.entries({ ...request.headers, [name]: value });
  return {
    ...request,
    headers: Object.fromEntries(headers.filter(([, text]) => text !== undefined)) as Record<
      string,
      string
    >,
  };
};
const changed = (text: string, at: number) =>
  text.slice(0, at) + (text.charAt(at) === "A" ? "B" : "A") + text.slice(at + 1);

describe("a signed request is refused with 401", () => {
  const authorization = "authorization-api-key";
  const bad: readonly (readonly [string, () => Signed])[] = [
    [
      "when the first letter of its signature is another one",
      () => {
        const request = signed();
        const header = request.headers[authorization] ?? "";
        return withHeader(request, authorization, changed(header, header.indexOf(":") + 1));
      },
    ],
    [
      "when the last letter of its signature is another one",
      () => {
        const request = signed();
        const header = request.headers[authorization] ?? "";
        return withHeader(request, authorization, changed(header, header.length - 2));
      },
    ],
    [
      "when its body was not signed",
      () => ({ ...signed({ body: "" }), body: JSON.stringify(user) }),
    ],
    [
      "when a byte of its body is another one",
      () => ({ ...signed(), body: JSON.stringify(user).replace("a@b", "c@b") }),
    ],
    ["when its body is missing", () => ({ method: "POST", headers: signed().headers })],
    ["when its method is another one", () => ({ ...signed({ method: "GET" }), method: "POST" })],
    ["when its path is another one", () => signed({ path: `${users}/1` })],
    [
      "when its content type is another one",
      () => withHeader(signed(), "content-type", "text/plain"),
    ],
    ["when its Date is another one", () => withHeader(signed(), "date", new Date().toUTCString())],
    ["when it has no Date", () => withHeader(signed(), "date", undefined)],
    ["when its Date is no date", () => withHeader(signed(), "date", "yesterday")],
    ["when its Date is more than 15 minutes old", () => signed({ offMs: -16 * 60_000 })],
    ["when its Date is more than 15 minutes ahead", () => signed({ offMs: 40 * 60_000 })],
    ["when its header is empty", () => withHeader(signed(), authorization, "")],
    [
      "when its header is the owner key itself",
      () => withHeader(signed(), authorization, keys["owner"]?.secret),
    ],
    [
      "when its header names no key",
      () => withHeader(signed(), authorization, `:${"A".repeat(27)}=`),
    ],
    [
      "when its signature is of another length",
      () => withHeader(signed(), authorization, `${keys["owner"]?.id}:AAAA`),
    ],
    ["when its key is unknown", () => signed({ key: "44444444-2222-3333-4444-555555555555" })],
    ["when a key that reads and writes signed it", () => signed({ key: "writer" })],
    [
      "when another owner's key signed it",
      () => signed({ secret: keys["otherOwner"]?.secret ?? "" }),
    ],
    ["when its key was revoked", () => signed({ key: "revokedOwner" })],
    ["when its key is suspended", () => signed({ key: "suspendedOwner" })],
    ["when its key has expired", () => signed({ key: "expiredOwner" })],
  ];

  test.each(bad)("%s", async (_, make) => {
    const answered = await ask(users, make());
    expect(answered).toMatchObject(refusal(401));
    expect(JSON.stringify(answered.json)).not.toContain(keys["owner"]?.secret);
    expect(answered.headers.get("x-ratelimit-limit")).toBeNull();
  });

  test("when it comes a second time, and nothing of any was kept", async () => {
    const request = signed();
    expect(await ask(users, request)).toMatchObject({ status: 201 });
    expect(await ask(users, request)).toMatchObject(refusal(401, "used before"));
    const listed = await ask(users, signed({ method: "GET" }));
    expect(listed.json).toMatchObject({ users: [{ email: "a@b.example" }] });
  });
});

test("the owner of another account sees nothing of this one", async () => {
  expect(await ask(users, signed({ key: "otherOwner" }))).toMatchObject(refusal(404));
});

describe("a key is refused", () => {
  test.each([
    ["401 when there is none", "/management/logs", undefined, 401],
    ["401 when it is empty", "/management/logs", "", 401],
    ["401 when it is unknown", "/management/logs", "11111111-2222-3333-4444-555555555555", 401],
    ["401 when it is very long", "/management/logs", "x".repeat(6000), 401],
    ["401 when it was revoked", "/management/logs", "revoked", 401],
    ["401 when it is suspended", "/query/logs/x", "suspended", 401],
    ["401 when it has expired", "/query/saved_queries", "expired", 401],
    ["401 when it is an owner's, who is to sign", users, "owner", 401],
    ["401 when it is unknown where an owner is to sign", users, "no-such-key-at-all", 401],
    ["403 when it is a log's", "/query/logs/x", "log", 403],
    ["403 when it is another vendor's", "/query/logs/x", "loggly", 403],
    ["403 when it may only read", "/query/saved_queries", "reader", 403],
    ["403 where an owner is to sign", users, "writer", 403],
  ] as const)("%s", async (_, path, key, status) => {
    const secret = key === undefined ? undefined : (keys[key]?.secret ?? key);
    const headers = secret === undefined ? {} : { "x-api-key": secret };
    const answered = await ask(path, { headers });
    expect(answered).toMatchObject(refusal(status));
    expect(answered.headers.get("content-type")).toBe("application/json");
    if (secret !== undefined && secret !== "") {
      expect(JSON.stringify(answered.json)).not.toContain(secret);
    }
  });
});

test.each(["log", "loggly", "revoked", "owner", "no-such-key-at-all"])(
  "/validate says of the key %s no more than that it is none",
  async (key) => {
    expect(await get("/validate", key)).toMatchObject({
      status: 401,
      json: { message: "Unauthorized" },
    });
  },
);

test("a request without a key is told where this API has it", async () => {
  expect(await ask("/management/logs")).toMatchObject(refusal(401, /x-api-key: <key>/));
});

describe("the limit of a window", () => {
  test("is shown beside answers and refusals, by family, and then asks for patience", async () => {
    const shown = ({ headers }: Answered) =>
      ["limit", "remaining", "reset"].map((name) => headers.get(`x-ratelimit-${name}`));
    const first = await get("/query/logs/nothing?time_range=today", "few");
    expect(first).toMatchObject(refusal(404));
    expect(shown(first)).toEqual(["2", "1", expect.stringMatching(/^\d{1,3}$/)]);
    const next = await get(`/query/logs/${logId}?time_range=today`, "few");
    expect(next.status).toBe(200);
    // One client takes a 0 beside a 200 for a refusal.
    expect(shown(next).slice(0, 2)).toEqual(["2", "1"]);
    const over = await get(`/query/logs/${logId}?time_range=today`, "few");
    expect(over).toMatchObject(refusal(429, "limit of 2 query requests"));
    expect(shown(over).slice(0, 2)).toEqual(["2", "0"]);
    const reset = Number(over.headers.get("x-ratelimit-reset"));
    expect(reset).toBeGreaterThan(0);
    expect(reset).toBeLessThanOrEqual(900);
    expect(over.headers.get("retry-after")).toBe(String(reset));
    // The other family has a window of its own.
    expect((await get("/management/logs", "few")).status).toBe(200);
    expect(await get("/management/logs", "few")).toMatchObject(refusal(429));
  });

  test("counts signed requests as well", async () => {
    expect((await ask(users, signed({ key: "limitedOwner", method: "GET" }))).status).toBe(200);
    const over = await ask(users, signed({ key: "limitedOwner" }));
    expect(over).toMatchObject(refusal(429));
    expect(over.headers.get("x-ratelimit-remaining")).toBe("0");
  });
});

describe("a body is refused with 400", () => {
  const query = (body: object): string => JSON.stringify({ logs: [logId], ...body });
  type Bad = readonly [
    name: string,
    method: string,
    path: string,
    body: () => string,
    message: string | RegExp,
  ];
  const bad: readonly Bad[] = [
    ["that is no JSON", "POST", "/query/logs", () => "{logs", /invalid JSON in line 1 at offset 1/],
    ["that is no object", "POST", "/query/logs", () => "[1]", "no JSON object"],
    ["without logs", "POST", "/query/logs", () => '{"leql":{}}', '"logs"'],
    ["with a log that is none", "POST", "/query/logs", () => '{"logs":[5]}', '"logs"'],
    ["without a time", "POST", "/query/logs", () => query({}), "no time is named"],
    [
      "with a time that is none",
      "POST",
      "/query/logs",
      () => query({ leql: { during: { from: "noon", to: 1 } } }),
      '"noon"',
    ],
    [
      "with a range that is none",
      "POST",
      "/query/logs",
      () => query({ leql: { during: { time_range: "soon" } } }),
      '"soon"',
    ],
    [
      "with a statement that is none",
      "POST",
      "/query/logs",
      () => query({ leql: { statement: 5 } }),
      "leql.statement",
    ],
    [
      "with a statement that cannot be read",
      "POST",
      "/query/logs",
      () => query({ leql: { statement: "where(a=)", during: { time_range: "today" } } }),
      /at offset 8/,
    ],
    [
      "of live queries with a label",
      "POST",
      "/query/live/logs",
      () => query({ label: "x" }),
      '"label"',
    ],
    [
      "of more than 2 MiB",
      "POST",
      "/query/logs",
      () => `"${"x".repeat(2 * 1024 * 1024)}"`,
      "2097152",
    ],
    ["that nests without end", "POST", "/query/logs", () => '{"a":'.repeat(50_000), "invalid JSON"],
  ];
  test.each(bad)("%s", async (_, method, path, body, message) => {
    const answered = await send(method, path, body());
    expect(answered).toMatchObject(refusal(400, message));
    expect(answered.headers.get("x-ratelimit-limit")).toBe("2700");
  });

  test.each([
    [
      "a saved query without a name",
      "/query/saved_queries",
      { saved_query: { leql: { statement: "" } } },
      "name",
    ],
    [
      "a saved query with a time that is none",
      "/query/saved_queries",
      { saved_query: { name: "x", leql: { statement: "", during: { from: -1 } } } },
      "leql.during.from",
    ],
    [
      "a saved query with a range that is none",
      "/query/saved_queries",
      { saved_query: { name: "x", leql: { statement: "", during: { time_range: "soon" } } } },
      "leql.during",
    ],
    [
      "a saved query that ends before it begins",
      "/query/saved_queries",
      { saved_query: { name: "x", leql: { statement: "", during: { from: 2, to: 1 } } } },
      "leql.during",
    ],
    [
      "a saved query whose statement cannot be read",
      "/query/saved_queries",
      { saved_query: { name: "x", leql: { statement: "where(a=)" } } },
      "leql.statement",
    ],
    ["a log without a name", "/management/logs", { log: {} }, "name"],
    ["a log of 300 bytes of name", "/management/logs", { log: { name: "é".repeat(150) } }, "name"],
    [
      "a log of an unknown logset",
      "/management/logs",
      { log: { name: "x", logsets_info: [{ id: "none" }] } },
      "logsets_info",
    ],
    ["a logset without a name", "/management/logsets", { logset: { name: "" } }, "name"],
    [
      "a logset of an unknown log",
      "/management/logsets",
      { logset: { name: "x", logs_info: [{ id: "none" }] } },
      "logs_info",
    ],
    [
      "a team without a name",
      `/management/accounts/${account}/teams`,
      { team: { users: [] } },
      "name",
    ],
    ["a tag with a number as a name", "/management/tags", { tag: { name: 5 } }, "name"],
  ] as const)("of %s names the field", async (_, path, body, field) => {
    const answered = await send("POST", path, JSON.stringify(body));
    expect(answered).toMatchObject({
      status: 400,
      json: { errorCode: 101_400, fields: [field], messages: [expect.stringContaining(field)] },
    });
    const { json } = await get(path, "writer");
    expect(Object.values(json as object)[0]).toEqual(
      path === "/management/logs"
        ? [expect.objectContaining({ id: logId })]
        : path === "/management/logsets"
          ? [expect.objectContaining({ name: "web" })]
          : [],
    );
  });
});

test("a logset that is changed to what it cannot be stays as it was", async () => {
  const made = await send(
    "POST",
    "/management/logsets",
    JSON.stringify({ logset: { name: "mine", logs_info: [{ id: logId }] } }),
  );
  const { logset } = made.json as { logset: { id: string } };
  const path = `/management/logsets/${logset.id}`;
  for (const [change, field] of [
    [{ name: "other", logs_info: [{ id: "none" }] }, "logs_info"],
    [{ name: "web" }, "name"],
  ] as const) {
    const answered = await send("PUT", path, JSON.stringify({ logset: change }));
    expect(answered).toMatchObject({ status: 400, json: { fields: [field] } });
    expect((await get(path)).json).toEqual({ logset });
  }
  expect((await send("DELETE", path, "")).status).toBe(204);
});

describe("an id of a query", () => {
  test("that was changed, is another use's or a bomb is none", async () => {
    const { json } = await send("POST", "/query/live/logs", JSON.stringify({ logs: [logId] }));
    const { links } = json as { links: { href: string }[] };
    const id = links[0]?.href.split("/").at(-1) ?? "";
    expect((await get(`/query/live/${id}`, "writer")).status).toBe(200);
    const bomb = deflateRawSync(Buffer.alloc(50_000_000)).toString("base64url").slice(0, 6000);
    for (const path of [
      `/query/live/${changed(id, 0)}`,
      `/query/live/${changed(id, 15)}`,
      `/query/live/${id.slice(0, -4)}`,
      `/query/live/${id.slice(0, 12)}`,
      `/query/live/${id.slice(0, 12)}${bomb}`,
      "/query/live/x",
    ]) {
      expect(await get(path, "writer"), path).toMatchObject(refusal(404, "no live query"));
    }
    expect(await get(`/query/${id}`)).toMatchObject(refusal(404, "no query"));
  });
});

describe("an address", () => {
  test.each([
    ["/query/logs/%00?time_range=today", 404],
    ["/query/logs/%E2%28?time_range=today", 400],
    ["/query/logs/:::?time_range=today", 400],
    [
      `/query/logs/${Array.from({ length: 600 }, (_, n) => `l${n}`).join(":")}?time_range=today`,
      400,
    ],
    [
      `/download/logs/${Array.from({ length: 11 }, (_, n) => `l${n}`).join(":")}?time_range=today`,
      400,
    ],
    ["/query/logs/LOG?time_range=last%200x%20days", 400],
    ["/query/logs/LOG?from=99999999999999&to=1", 400],
    ["/query/logs/LOG?from=1e3&to=5000", 400],
    ["/query/logs/LOG?from=-5&to=5000", 400],
    ["/query/context/1?timestamp=-1&log_keys=LOG", 400],
    ["/query/context/1?timestamp=1&log_keys=LOG&context_type=AROUND", 400],
    ["/usage/accounts/ACCOUNT?from=2020-02-30", 400],
    ["/usage/accounts/ACCOUNT?from=2020-01-02&to=2020-01-01", 400],
    ["/usage/accounts/ACCOUNT?from=1990-01-01&to=2020-01-01", 400],
    ["/usage/accounts/33333333-2222-3333-4444-555555555555", 404],
    ["/log_search/nothing", 404],
    ["/management", 404],
  ])("%s is refused with %i", async (path, status) => {
    const asked = path.replace("LOG", logId).replace("ACCOUNT", account);
    expect(await get(asked, "writer")).toMatchObject(refusal(status));
  });

  test("of 8,192 characters is read", async () => {
    const path = `/query/logs/${logId}?time_range=today&query=`;
    const words = "word%20OR%20".repeat(200);
    const query = `${words}${"x".repeat(8_192 - path.length - words.length)}`;
    expect(`${path}${query}`).toHaveLength(8_192);
    expect((await get(`${path}${query}`)).status).toBe(200);
  });

  test("with a method that is not served is refused with 405, which names those that are", async () => {
    for (const [method, path, allow] of [
      ["DELETE", "/query/logs", "POST"],
      ["PUT", `/management/accounts/${account}`, "GET"],
      ["POST", "/management/organizations/apikeys", "GET"],
    ] as const) {
      const answered = await send(method, path, "{}");
      expect(answered).toMatchObject(refusal(405, allow));
      expect(answered.headers.get("allow")).toBe(allow);
    }
  });
});
