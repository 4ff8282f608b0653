// LogTrace's queries, health and consumption over a running service: shapes, paging, environments, refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { ask, createKey, untilAnswered, type JsonReply, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";
import { revokeToken } from "../support/tokens.ts";

let service: Service;
const keys: Record<string, VendorKey> = {};
const now = Date.now();
const total = 60;

/** Event `n` is `n` minutes old. */
function eventOf(n: number, environment: string) {
  return {
    message: n % 2 === 0 ? `Connection timeout ${n}` : `done ${n}`,
    time: new Date(now - n * 60_000).toISOString(),
    prefix0: environment,
    prefix1: n % 3 === 0 ? "payment-gateway" : "cart",
    prefix2: n % 2 === 0 ? "ERROR" : "info",
    prefix3: "logtrace",
    attributes: { n: String(n), "user.name": "Ada" },
  };
}

const given: Readonly<Record<string, Record<string, string>>> = {
  reader: {},
  writer: { scope: "write:logs" },
  expired: { expires: "2001-01-01T00:00:00Z" },
  revoked: {},
  other: { customer: "other" },
  limited: { limit: "query=1" },
  counted: {},
  staging: { environment: "staging" },
};

beforeAll(async () => {
  service = await startService();
  for (const [name, options] of Object.entries(given)) {
    keys[name] = await createKey(service, "logtrace", options);
  }
  keys["loggly"] = await createKey(service, "loggly-api");
  const own = Array.from({ length: total }, (_, n) => eventOf(n, "production"));
  await ingest(
    service,
    toNdjson([...own, eventOf(0, "staging"), { ...eventOf(0, "production"), prefix3: "loggly" }]),
  );
  await waitForCount(service, { regex: ".*" }, total + 2);
  await untilAnswered(() => query({ filter: "" }, "staging"));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function send(path: string, key: string | undefined, init: RequestInit = {}): Promise<JsonReply> {
  const secret = keys[key ?? ""]?.secret ?? key;
  return ask(`${service.url}${path}`, {
    ...init,
    headers: {
      "content-type": "application/json",
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
    },
  });
}

function query(body: unknown, key: string | undefined = "reader"): Promise<JsonReply> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return send("/v1/logs/query", key, { method: "POST", body: text });
}

interface Answer {
  readonly data: readonly Record<string, string>[];
  readonly total: number;
  readonly page: number | null;
  readonly limit: number;
  readonly next_cursor: string | null;
}

describe("queries", () => {
  test("an answer has the matching events, newest first, and how many there are", async () => {
    const { status, headers, json } = await query({
      filter: "service:payment-gateway AND level:error",
      from: "-24h",
      limit: 2,
    });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(json).toEqual({
      data: [
        {
          timestamp: new Date(now).toISOString().replace(/\.?0*Z$/, "Z"),
          level: "ERROR",
          message: "Connection timeout 0",
          service: "payment-gateway",
          environment: "production",
          n: "0",
          "user.name": "Ada",
        },
        expect.objectContaining({ message: "Connection timeout 6" }),
      ],
      total: 10,
      page: 1,
      limit: 2,
      next_cursor: expect.any(String) as string,
    });
  });

  test("parameters may stand in the address", async () => {
    const get = async (parameters: Record<string, string>) => {
      const query = new URLSearchParams(parameters).toString();
      const { status, json } = await send(`/v1/logs/query?${query}`, "reader");
      return { status, json: json as Answer };
    };
    const posted = (await query({ filter: "n > 9", from: "-7d", limit: 20, page: 2 }))
      .json as Answer;
    const first = await get({ filter: "n > 9", from: "-7d", limit: "20" });
    expect(first).toMatchObject({ status: 200, json: { total: 50, page: 1, limit: 20 } });
    const { next_cursor: cursor } = first.json;
    const second = await get({ filter: "n > 9", limit: "20", cursor: cursor ?? "" });
    expect(second.json.data).toEqual(posted.data);
    const since = String(Math.floor((now - 10 * 60_000) / 1000));
    expect((await get({ filter: "", from: since })).json.total).toBe(11);
    expect((await get({ limit: "20" })).status).toBe(400);
    expect((await get({ filter: "", limit: "many" })).status).toBe(400);
  });

  test("pages by number and by cursor hold each event once", async () => {
    const byNumber: (string | undefined)[] = [];
    for (const page of [1, 2, 3]) {
      const answer = (await query({ filter: "", limit: 25, page })).json as Answer;
      expect(answer).toMatchObject({ total, page, limit: 25 });
      byNumber.push(...answer.data.map(({ n }) => n));
    }
    const byCursor: (string | undefined)[] = [];
    let cursor: string | null = null;
    do {
      const answer: Answer = (
        await query({ filter: "", limit: 25, ...(cursor !== null && { cursor }) })
      ).json as Answer;
      byCursor.push(...answer.data.map(({ n }) => n));
      cursor = answer.next_cursor;
    } while (cursor !== null);
    const all = Array.from({ length: total }, (_, n) => String(n));
    expect(byNumber).toEqual(all);
    expect(byCursor).toEqual(all);
  });

  test("pages go on over a span that is longer than all times of events", async () => {
    const all = { filter: "", from: "0001-01-01T00:00:00Z", to: "9999-12-31T00:00:00Z", limit: 40 };
    const { total: found, next_cursor: cursor } = (await query(all)).json as Answer;
    expect(found).toBe(total);
    const { data, next_cursor: end } = (await query({ ...all, cursor })).json as Answer;
    expect([data.length, end]).toEqual([20, null]);
  });

  test("times are relative, ISO 8601, or seconds and ms since the epoch", async () => {
    const count = async (body: object) =>
      ((await query({ filter: "*", limit: 1, ...body })).json as Answer).total;
    const at = now - 10 * 60_000;
    expect(await count({ from: new Date(at).toISOString() })).toBe(11);
    expect(await count({ from: at, to: "now" })).toBe(11);
    expect(await count({ from: Math.floor(at / 1000), to: Math.floor(at / 1000) + 1 })).toBe(1);
    expect(await count({ from: "-7d", to: "-30m" })).toBe(30);
    expect(await count({ filter: "n >= 50" })).toBe(10);
    expect(await count({ filter: "level:ERROR NOT message:*timeout*" })).toBe(0);
    expect(await count({ filter: 'message:"connection timeout" and not service:cart' })).toBe(10);
  });
});

describe("environments", () => {
  test("a key sees its own", async () => {
    const { json } = await query({ filter: "" }, "staging");
    expect(json).toMatchObject({ total: 1, data: [{ environment: "staging" }] });
    expect((await query({ filter: "" }, "other")).json).toMatchObject({ total: 0, data: [] });
  });

  test("asking for another one is forbidden", async () => {
    for (const body of [
      { filter: "environment:staging" },
      { filter: "level:ERROR and environment:(staging or test)" },
      { filter: "", environment: "staging" },
    ]) {
      expect(await query(body)).toMatchObject({
        status: 403,
        json: { status: "error", code: "NO_PERMISSION", details: { reason: "wrong-environment" } },
      });
    }
    expect((await query({ filter: "environment:production" })).json).toMatchObject({ total });
    expect((await query({ filter: "production" })).status).toBe(200);
    expect((await query({ filter: "", environment: "production" })).json).toMatchObject({ total });
  });
});

describe("refusals", () => {
  const bad: readonly unknown[] = [
    "{bad",
    "[]",
    "",
    {},
    { filter: 5 },
    { filter: "a:1 b:2" },
    { filter: "(level:ERROR" },
    { filter: "", limit: 0 },
    { filter: "", limit: "many" },
    { filter: "", limit: 10_001 },
    { filter: "", page: 0 },
    { filter: "", page: 500, limit: 1000 },
    { filter: "", from: "yesterday" },
    { filter: "", from: "now", to: "-1h" },
    { filter: "", from: -5 },
    { filter: "", cursor: "nonsense" },
  ];
  test.each(bad)("%j is refused with 400", async (body) => {
    const { status, json } = await query(body);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      status: "error",
      code: "BAD_REQUEST",
      error: expect.any(String) as string,
    });
  });

  test("keys that are missing, unknown, expired, revoked, without the scope or of another kind", async () => {
    const status = async (key?: string) =>
      (await send("/v1/logs/query", key, { method: "POST", body: '{"filter":""}' })).status;
    expect(await status()).toBe(401);
    expect(await status("lt_live_00000000000000000000000000000000")).toBe(401);
    expect(await status("expired")).toBe(401);
    expect(await status("writer")).toBe(403);
    expect(await status("loggly")).toBe(403);
    expect(await status("revoked")).toBe(200);
    await revokeToken(service, keys["revoked"]?.id ?? "");
    await expect.poll(() => status("revoked"), { timeout: 10_000 }).toBe(401);
    expect((await send("/v1/logs/query", "reader", { method: "PUT" })).status).toBe(405);
  });

  test("beyond the hour's limit a key waits until its end", async () => {
    expect((await query({ filter: "" }, "limited")).status).toBe(200);
    const { status, headers } = await query({ filter: "" }, "limited");
    expect(status).toBe(429);
    const wait = Number(headers.get("retry-after"));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(3600);
  });
});

describe("health and consumption", () => {
  test("health tells true figures", async () => {
    const { status, json } = await send("/v1/health", "writer");
    expect(status).toBe(200);
    expect(json).toMatchObject({ status: "healthy", uptime_seconds: expect.any(Number) as number });
    const { workers, ingestion_rps } = json as Record<string, number>;
    expect(workers).toBeGreaterThan(0);
    // All but those of other hours arrived within the last minute, unless this machine is very slow.
    expect(ingestion_rps).toBeGreaterThanOrEqual(0);
    expect((await send("/v1/health", undefined)).status).toBe(401);
  });

  test("consumption is that of the environment's keys, and outlives a crash of the service", async () => {
    const consumption = async (name: string) => {
      const { status, json } = await send("/v1/analytics/consumption?from=-1h", name);
      expect(status).toBe(200);
      const { data } = json as {
        data: {
          key: string;
          environment: string;
          events: number;
          ingest: { requests: number };
          query: { requests: number };
        }[];
      };
      expect(new Set(data.map(({ environment }) => environment))).toEqual(new Set(["production"]));
      return data;
    };
    const own = (rows: Awaited<ReturnType<typeof consumption>>, name: string) =>
      rows.filter(({ key }) => key === keys[name]?.id);
    const rows = await consumption("reader");
    expect(own(rows, "limited")).toMatchObject([{ query: { requests: 1, refused: 1, limit: 1 } }]);
    expect(own(rows, "staging")).toEqual([]);
    for (let n = 0; n < 20; n++) {
      const logs = Array.from({ length: 50 }, (_, m) => ({ message: `counted ${n} ${m}` }));
      const { status } = await send("/v1/logs/ingest", "counted", {
        method: "POST",
        body: JSON.stringify({ logs }),
      });
      expect(status).toBe(202);
    }
    for (let n = 0; n < 3; n++) await query({ filter: "" }, "counted");
    await service.killAll();
    await service.start();
    // Whoever asks is counted before the answer.
    const counted = own(await consumption("counted"), "counted");
    const sum = (figure: (row: (typeof counted)[number]) => number) =>
      counted.reduce((total, row) => total + figure(row), 0);
    expect(sum(({ events }) => events)).toBe(1_000);
    expect(sum(({ ingest }) => ingest.requests)).toBe(20);
    expect(sum(({ query }) => query.requests)).toBe(4);
    expect((await send("/v1/analytics/consumption?environment=staging", "reader")).status).toBe(
      403,
    );
    expect((await send("/v1/analytics/consumption?from=noon", "reader")).status).toBe(400);
  });
});
