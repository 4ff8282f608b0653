// Logentries' REST API over a running service: queries, statistics, resources, signatures, refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signOwnerRequest } from "../../ingest/keys/owner-signature.ts";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { ask, createKey, untilAnswered, type JsonReply, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";
import { revokeToken } from "../support/tokens.ts";

let service: Service;
const keys: Record<string, VendorKey> = {};
const logIds: Record<string, string> = {};
const total = 60;
/** ms; event `n` is `n` seconds after it. */
const begin = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
const span = `from=${begin}&to=${begin + total * 1000}`;

function eventOf(n: number, log: string) {
  return {
    message: JSON.stringify({ n, status: n % 3 === 0 ? 500 : 200, path: `/p${n % 2}` }),
    time: new Date(begin + n * 1000).toISOString(),
    prefix0: "web",
    prefix1: log,
    prefix3: "logentries",
  };
}

const given: Readonly<Record<string, readonly [kind: string, options: Record<string, string>]>> = {
  access: ["logentries-log", { logset: "web", log: "access" }],
  error: ["logentries-log", { logset: "web", log: "error" }],
  writer: ["logentries-write", {}],
  owner: ["logentries-owner", {}],
  expired: ["logentries-read", { expires: "2001-01-01T00:00:00Z" }],
  revoked: ["logentries-read", {}],
  other: ["logentries-read", { customer: "other" }],
  narrow: ["logentries-read", { prefix1: "error" }],
  limited: ["logentries-read", { limit: "query=2" }],
  loggly: ["loggly-api", {}],
  reader: ["logentries-read", {}],
};

beforeAll(async () => {
  service = await startService();
  for (const [name, [kind, options]] of Object.entries(given)) {
    keys[name] = await createKey(service, kind, options);
  }
  const events = Array.from({ length: total }, (_, n) => eventOf(n, "access"));
  await ingest(
    service,
    toNdjson([...events, eventOf(0, "error"), { ...eventOf(0, "access"), prefix3: "other" }]),
  );
  await waitForCount(service, { regex: ".*" }, total + 2);
  await untilAnswered(() => get("/validate"));
  const { logs } = (await get("/management/logs")).json as { logs: { id: string; name: string }[] };
  for (const { id, name } of logs) logIds[name] = id;
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function get(path: string, key = "reader"): Promise<JsonReply> {
  const url = path.startsWith("http") ? path : `${service.url}${path}`;
  return ask(url, { headers: { "x-api-key": keys[key]?.secret ?? key } });
}

function send(method: string, path: string, body: unknown, key = "writer"): Promise<JsonReply> {
  return ask(`${service.url}${path}`, {
    method,
    headers: { "x-api-key": keys[key]?.secret ?? key, "content-type": "application/json" },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

let signedAt = Date.now();

/** A request signed with the owner key, as the vendor's clients sign. */
function sign(
  method: string,
  path: string,
  body?: unknown,
  { secret = keys["owner"]?.secret ?? "", skewMs = 0 } = {},
): Promise<JsonReply> {
  // Each signature is good once, and its time has whole seconds.
  signedAt += 1000;
  const date = new Date(signedAt + skewMs).toUTCString();
  const text = body === undefined ? "" : JSON.stringify(body);
  const contentType = "application/json";
  const signature = signOwnerRequest(secret, {
    method,
    contentType,
    date,
    path: path.replace(/^\//, ""),
    body: Buffer.from(text),
  });
  return ask(`${service.url}${path}`, {
    method,
    headers: {
      date,
      "content-type": contentType,
      "authorization-api-key": `${keys["owner"]?.id ?? ""}:${signature}`,
    },
    ...(text !== "" && { body: text }),
  });
}

interface Events {
  readonly events: readonly {
    message: string;
    timestamp: number;
    sequence_number_str: string;
    links: { rel: string; href: string }[];
  }[];
  readonly links?: readonly { rel: string; href: string }[];
}

const numberOf = ({ message }: { message: string }) => (JSON.parse(message) as { n: number }).n;
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe("queries of events", () => {
  test("a finished one has its events, no Self link, and exactly application/json", async () => {
    const { status, headers, text, json } = await get(
      `/query/logs/${logIds["access"]}?query=where(n=7)&${span}`,
    );
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(Number(headers.get("x-ratelimit-limit"))).toBe(2_700);
    expect(Number(headers.get("x-ratelimit-remaining"))).toBeGreaterThan(0);
    expect(Number(headers.get("x-ratelimit-reset"))).toBeLessThanOrEqual(900);
    expect(json).toEqual({
      logs: [logIds["access"]],
      events: [
        {
          labels: [],
          timestamp: begin + 7_000,
          sequence_number: expect.any(Number) as number,
          sequence_number_str: expect.stringMatching(/^\d{19}$/) as string,
          log_id: logIds["access"],
          message: eventOf(7, "access").message,
          links: [
            {
              rel: "Context",
              href: expect.stringContaining(`${service.url}/query/context/`) as string,
            },
          ],
        },
      ],
      leql: {
        statement: "where(n=7)",
        during: { from: begin, to: begin + total * 1000, time_range: null },
      },
    });
    const [event] = (json as Events).events;
    // Written exactly, beyond what a double holds.
    expect(text).toContain(`"sequence_number":${event?.sequence_number_str}`);
  });

  test.each([true, false])("pages follow the Next link (newest first: %s)", async (isNewest) => {
    let url: string | undefined =
      `/query/logs/${logIds["access"]}/?${span}&per_page=25&most_recent_first=${isNewest}`;
    const found: number[] = [];
    while (url !== undefined) {
      const { status, json } = await get(url);
      expect(status).toBe(200);
      const { events, links } = json as Events;
      found.push(...events.map(numberOf));
      expect(links ?? [{ rel: "Next" }]).toMatchObject([{ rel: "Next" }]);
      url = links?.[0]?.href;
    }
    expect(isNewest ? found.toReversed() : found).toEqual(upTo(total));
  });

  test.each([true, false])(
    "a query begins at the event of a number (newest first: %s)",
    async (isNewest) => {
      const { json } = await get(`/query/logs/${logIds["access"]}?query=where(n=30)&${span}`);
      const { timestamp, sequence_number_str: number } = (json as Events).events[0] ?? {
        timestamp: 0,
        sequence_number_str: "",
      };
      const times = isNewest
        ? `from=${begin}&to=${timestamp}`
        : `from=${timestamp}&to=${begin + total * 1000}`;
      const ask = (sequence: string) =>
        get(
          `/query/logs/${logIds["access"]}?${times}&most_recent_first=${isNewest}&per_page=3&sequence_number=${sequence}`,
        );
      const found = (await ask(number)).json as Events;
      expect(found.events.map(numberOf)).toEqual(isNewest ? [30, 29, 28] : [30, 31, 32]);
      const next = (await get(found.links?.[0]?.href ?? "")).json as Events;
      expect(next.events.map(numberOf)).toEqual(isNewest ? [27, 26, 25] : [33, 34, 35]);
      expect((await ask("1")).status).toBe(404);
    },
  );

  test("logs are asked together, by their set, or by a token of theirs", async () => {
    const body = {
      logs: [logIds["access"], logIds["error"]],
      leql: { statement: "where(n=0)", during: { from: begin, to: begin + 1000 } },
    };
    expect(
      ((await send("POST", "/query/logs", body, "reader")).json as Events).events,
    ).toHaveLength(2);
    expect(
      ((await send("POST", "/log_search/query/logs/?per_page=1", body, "reader")).json as Events)
        .events,
    ).toHaveLength(1);
    const bySet = await get(
      `/query/logsets?logset_name=web&query=where(n%3D0)&time_range=Last+2+Hours`,
    );
    expect((bySet.json as Events).events).toHaveLength(2);
    const byToken = await get(`/query/logs/${keys["error"]?.secret}:${keys["access"]?.id}?${span}`);
    expect((byToken.json as Events).events).toHaveLength(50);
  });

  test("limit, sort and select shape the answer", async () => {
    const statement = encodeURIComponent(
      "where(status=500) select(n as number) sort(desc) limit(3)",
    );
    const { json } = await get(
      `/query/logs/${logIds["access"]}?query=${statement}&${span}&per_page=2`,
    );
    const { events, links } = json as Events;
    expect(events.map(({ message }) => message)).toEqual(['{"number":"57"}', '{"number":"54"}']);
    const second = await get(links?.[0]?.href ?? "");
    expect((second.json as Events).events).toHaveLength(1);
    expect(second.json).not.toHaveProperty("links");
  });

  test("a query id is good after a restart, too", async () => {
    const { json } = await get(`/query/logs/${logIds["access"]}?${span}&per_page=50`);
    const next = (json as Events).links?.[0]?.href ?? "";
    await service.stop();
    await service.start();
    await untilAnswered(() => get("/validate"));
    expect(((await get(next)).json as Events).events.map(numberOf)).toEqual(upTo(total).slice(50));
    expect((await get(next, "other")).status).toBe(404);
  });

  test("context are the events around one", async () => {
    const { json } = await get(`/query/logs/${logIds["access"]}?query=where(n=30)&${span}`);
    const href = (json as Events).events[0]?.links[0]?.href ?? "";
    const around = async (type: string) =>
      ((await get(`${href}&context_type=${type}&per_page=4`)).json as Events).events.map(numberOf);
    expect(await around("BEFORE")).toEqual([26, 27, 28, 29]);
    expect(await around("AFTER")).toEqual([31, 32, 33, 34]);
    expect(await around("SURROUND")).toEqual([28, 29, 30, 31]);
    expect(((await get(href)).json as Events).events.map(numberOf)).toEqual(
      upTo(50).map((n) => n + 5),
    );
    expect(((await get(`${href}&per_page=1`)).json as Events).events.map(numberOf)).toEqual([30]);
  });

  test("downloads are lines, oldest first", async () => {
    const { text, headers } = await get(
      `/download/logs/${logIds["access"]}:${logIds["error"]}?${span}&query=where(n%3C2)`,
    );
    expect(headers.get("content-type")).toMatch(/^text\/plain/);
    expect(text.trim().split("\n")).toHaveLength(3);
    const limited = await get(`/download/logs/${logIds["access"]}?${span}&limit=2`);
    expect(limited.text).toBe(`${eventOf(0, "access").message}\n${eventOf(1, "access").message}\n`);
  });

  test("the older pull API", async () => {
    const path = `/${keys["reader"]?.secret}/hosts/web/access/?start=${begin}&end=${begin + 2000}`;
    const { status, text } = await ask(`${service.url}${path}`);
    expect(status).toBe(200);
    expect(text).toBe(`${eventOf(0, "access").message}\n${eventOf(1, "access").message}\n`);
    expect((await ask(`${service.url}${path.replace("access", "nothing")}`)).status).toBe(404);
    const filtered = await ask(`${service.url}${path}&filter=where(n%3C9)limit(1)`);
    expect(filtered.text).toBe(`${eventOf(0, "access").message}\n`);
    for (const [change, message] of [
      ["start=noon", 'unexpected "noon" in "start"; expected ms since the epoch\n'],
      ["filter=calculate(count)", /unexpected "calculate\(count\)" in "filter"/],
    ] as const) {
      const refused = await ask(`${service.url}${path.split("?")[0] ?? ""}?${change}`);
      expect(refused.status).toBe(400);
      expect(refused.text).toMatch(message);
    }
    expect(
      (await ask(`${service.url}/11111111-2222-3333-4444-555555555555/hosts/web/access/`)).status,
    ).toBe(401);
  });
});

describe("statistics", () => {
  const statistics = async (statement: string) => {
    const query = encodeURIComponent(statement);
    const { status, json } = await get(`/query/logs/${logIds["access"]}?query=${query}&${span}`);
    expect(status).toBe(200);
    return (json as { statistics: Record<string, unknown> }).statistics;
  };

  test("a calculation has ten slices of time", async () => {
    expect(await statistics("where(status=500) calculate(count)")).toEqual({
      from: begin,
      to: begin + total * 1000,
      count: 20,
      type: "count",
      cardinality: 0,
      granularity: 6_000,
      stats: { global_timeseries: { count: 20 } },
      timeseries: { global_timeseries: Array.from({ length: 10 }, () => ({ count: 2 })) },
      groups: [],
      status: 200,
    });
    const calculations: readonly (readonly [string, string, number])[] = [
      ["sum:n", "sum", 1770],
      ["average:n", "average", 29.5],
      ["min:n", "min", 0],
      ["max:n", "max", 59],
      ["unique:path", "unique", 2],
      ["count:path", "count", 60],
      ["percentile(50):n", "percentile", 29.5],
      ["bytes", "bytes", upTo(total).reduce((sum, n) => sum + eventOf(n, "").message.length, 0)],
    ];
    for (const [calculation, type, value] of calculations) {
      const { stats } = await statistics(`calculate(${calculation})`);
      expect(stats).toEqual({ global_timeseries: { [type]: value } });
    }
    const { stats } = await statistics("calculate(sd:n)");
    expect(stats).toMatchObject({
      global_timeseries: { standarddeviation: expect.closeTo(17.318, 2) as number },
    });
    const sliced = await statistics("calculate(count) timeslice(40s)");
    expect(sliced).toMatchObject({
      granularity: 40_000,
      timeseries: { global_timeseries: [{ count: 40 }, { count: 20 }] },
    });
  });

  test("groups, their order, limits and conditions", async () => {
    expect(await statistics("groupby(status) calculate(count)")).toMatchObject({
      cardinality: 2,
      count: total,
      timeseries: {},
      groups: [{ "200": { count: 40 } }, { "500": { count: 20 } }],
    });
    expect(
      await statistics("groupby(status, path) calculate(max:n) sort(asc) limit(2)"),
    ).toMatchObject({
      cardinality: 4,
      groups: [{ "500,/p1": { max: 57 } }, { "500,/p0": { max: 54 } }].toReversed(),
    });
    // By the groups' own keys: 2 comes before 10.
    const byKey = await statistics("where(n<12) groupby(n) sort(asc#key)");
    expect(byKey["groups"]).toEqual(upTo(12).map((n) => ({ [n]: { count: 1 } })));
    expect(await statistics("groupby(status, path) sort(desc#path) limit(2)")).toMatchObject({
      groups: [{ "200,/p1": { count: 20 } }, { "500,/p1": { count: 10 } }],
    });
    expect(await statistics("groupby(status) having(count>=30)")).toMatchObject({
      groups: [{ "200": { count: 40 } }],
    });
    expect(await statistics("groupby(status) calculate(count) timeslice(2)")).toMatchObject({
      timeseries: { "500": [{ count: 10 }, { count: 10 }] },
    });
  });

  test("have no pages", async () => {
    const { status, json } = await get(
      `/query/logs/${logIds["access"]}?query=calculate(count)&${span}&per_page=10`,
    );
    expect(status).toBe(400);
    expect(json).toMatchObject({ errorCode: 101_009, message: expect.any(String) as string });
  });
});

describe("saved and live queries", () => {
  test("a saved query is made, changed, asked and deleted", async () => {
    const made = await send("POST", "/query/saved_queries", {
      saved_query: {
        name: "errors",
        leql: { statement: "where(status=500)", during: { from: begin, to: begin + total * 1000 } },
        logs: [logIds["access"]],
      },
    });
    expect(made.status).toBe(201);
    const { saved_query } = made.json as { saved_query: { id: string } };
    const path = `/query/saved_queries/${saved_query.id}`;
    const asked = await get(`/query/saved_query/${saved_query.id}/?per_page=500`, "writer");
    expect((asked.json as Events).events).toHaveLength(20);
    const elsewhere = await get(
      `/query/logs/${logIds["error"]}/${saved_query.id}?${span}`,
      "writer",
    );
    expect((elsewhere.json as Events).events).toHaveLength(1);
    const changed = await send("PATCH", path, {
      saved_query: { leql: { statement: "where(n=1)" } },
    });
    expect(changed.json).toMatchObject({
      saved_query: { name: "errors", leql: { statement: "where(n=1)", during: { from: begin } } },
    });
    const retimed = await send("PATCH", path, {
      saved_query: { leql: { during: { to: begin + 1000, time_range: null } } },
    });
    expect(retimed.json).toMatchObject({
      saved_query: {
        leql: { statement: "where(n=1)", during: { from: begin, to: begin + 1000 } },
      },
    });
    const worded = await send("PATCH", path, {
      saved_query: { leql: { during: { time_range: "last 5 minutes" } } },
    });
    expect(worded.json).toMatchObject({
      saved_query: { leql: { during: { from: null, to: null, time_range: "last 5 minutes" } } },
    });
    // What was saved last is what is asked, not the range that was there before.
    await send("PATCH", path, {
      saved_query: { leql: { during: { from: begin, to: begin + 2000 } } },
    });
    const bounded = await get(`/query/saved_query/${saved_query.id}`, "writer");
    expect(bounded.json).toMatchObject({
      leql: { during: { from: begin, to: begin + 2000, time_range: null } },
    });
    expect((bounded.json as Events).events.map(numberOf)).toEqual([1]);
    expect((await get("/query/saved_queries/", "writer")).json).toMatchObject({
      saved_queries: [saved_query.id].map((id) => ({ id })),
    });
    expect((await send("DELETE", path, undefined)).status).toBe(204);
    expect((await get(path, "writer")).status).toBe(404);
    const bad = await send("POST", "/query/saved_queries", {
      saved_query: { leql: { statement: "" } },
    });
    expect(bad.status).toBe(400);
    expect(bad.json).toMatchObject({ fields: ["name"], messages: [expect.any(String)] });
  });

  test("a live query shows each event once that comes", async () => {
    const started = await send("POST", "/query/live/logs", {
      logs: [logIds["error"]],
      leql: { statement: "where(live)" },
    });
    expect(started.status).toBe(200);
    let url = (started.json as Events).links?.[0]?.href ?? "";
    await ingest(
      service,
      toNdjson(
        [1, 2].map((n) => ({ ...eventOf(n, "error"), message: `live ${n}`, time: undefined })),
      ),
    );
    const seen: string[] = [];
    await expect
      .poll(
        async () => {
          const { events, links } = (await get(url, "writer")).json as Events;
          url = links?.[0]?.href ?? "";
          seen.push(...events.map(({ message }) => message));
          return seen;
        },
        { timeout: 20_000, interval: 300 },
      )
      .toEqual(["live 1", "live 2"]);
    expect(((await get(url, "writer")).json as Events).events).toEqual([]);
  });

  test("a live query may leave out what it asks for, and its links stay below the path it came by", async () => {
    const logs = [logIds["error"]];
    const started = await send("POST", "/log_search/query/live/logs", { logs });
    expect(started.status).toBe(200);
    const href = (started.json as Events).links?.[0]?.href ?? "";
    expect(href).toContain(`${service.url}/log_search/query/live/`);
    expect((await get(href, "writer")).status).toBe(200);
    const labelled = await send("POST", "/query/live/logs", { logs, label: "alarm" });
    expect(labelled.status).toBe(400);
    expect(labelled.json).toMatchObject({
      message: expect.stringContaining('"alarm" in "label"') as string,
    });
    const counted = await send("POST", "/query/live/logs", {
      logs,
      leql: { statement: "calculate(count)" },
    });
    expect(counted.json).toMatchObject({ statistics: { count: 0 }, links: [{ rel: "Self" }] });
  });
});

describe("management", () => {
  test("logs and logsets", async () => {
    const { json } = await get("/management/logs");
    const { logs } = json as { logs: Record<string, unknown>[] };
    expect(logs).toHaveLength(2);
    expect(logs[0]).toMatchObject({
      id: logIds["access"],
      name: "access",
      tokens: [keys["access"]?.id],
      logsets_info: [{ name: "web" }],
      source_type: "token",
      structures: [],
    });
    const sets = (await get("/management/logsets/")).json as {
      logsets: { id: string; logs_info: unknown[] }[];
    };
    expect(sets.logsets).toMatchObject([
      { name: "web", logs_info: [{ name: "access" }, { name: "error" }] },
    ]);
    const made = await send("POST", "/management/logs", {
      log: { name: "new", logsets_info: [{ id: sets.logsets[0]?.id }], source_type: "token" },
    });
    expect(made.status).toBe(201);
    const { log } = made.json as { log: { id: string; tokens: string[] } };
    expect(log.tokens).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    const path = `/management/logs/${log.id}`;
    expect((await send("PUT", path, { log: { name: "newer" } })).json).toMatchObject({
      log: { id: log.id, name: "newer" },
    });
    expect((await get(path)).json).toMatchObject({
      log: { name: "newer", logsets_info: [{ name: "web" }] },
    });
    expect((await send("DELETE", path, undefined)).status).toBe(204);
    expect((await get(path)).status).toBe(404);
    const set = await send("POST", "/management/logsets", {
      logset: { name: "mine", logs_info: [{ id: logIds["error"] }] },
    });
    expect(set.status).toBe(201);
    const { logset } = set.json as { logset: { id: string } };
    expect(logset).toMatchObject({ name: "mine", logs_info: [{ id: logIds["error"] }] });
    const bySet = await get(`/query/logsets/${logset.id}?${span}`);
    expect((bySet.json as Events).events).toHaveLength(1);
    expect((await send("DELETE", `/management/logsets/${logset.id}`, undefined)).status).toBe(204);
    expect((await send("POST", "/management/logs", { log: {} })).json).toMatchObject({
      fields: ["name"],
    });
  });

  test("resources are kept as they are given", async () => {
    const account = keys["owner"]?.account ?? "";
    for (const [path, one, many] of [
      ["/management/tags", "tag", "tags"],
      ["/management/actions", "action", "actions"],
      [`/management/accounts/${account}/teams`, "team", "teams"],
    ] as const) {
      const made = await send("POST", path, { [one]: { name: "a", users: [{ id: "u" }] } });
      expect(made.status).toBe(201);
      const { id } = (made.json as Record<string, { id: string }>)[one] ?? { id: "" };
      expect((await get(path, "writer")).json).toEqual({
        [many]: [{ id, name: "a", users: [{ id: "u" }] }],
      });
      expect((await send("PATCH", `${path}/${id}`, { [one]: { name: "b" } })).json).toMatchObject({
        [one]: { name: "b", users: [{ id: "u" }] },
      });
      expect((await send("PUT", `${path}/${id}`, { [one]: { name: "c" } })).json).toEqual({
        [one]: { id, name: "c" },
      });
      expect((await send("DELETE", `${path}/${id}`, undefined)).status).toBe(204);
      expect((await get(`${path}/${id}`, "writer")).status).toBe(404);
      expect((await send("POST", path, { [one]: {} })).status).toBe(400);
      const nameless = await send("POST", path, { [one]: { type: "Alert", targets: [] } });
      expect(nameless.status).toBe(one === "action" ? 201 : 400);
    }
  });

  test("users are added to a team by what changes it, and taken away by what replaces it", async () => {
    const path = `/management/accounts/${keys["owner"]?.account}/teams`;
    const made = await send("POST", path, { team: { name: "a", users: [] } });
    const { id } = (made.json as { team: { id: string } }).team;
    const change = async (method: string, team: unknown) =>
      (await send(method, `${path}/${id}`, { team })).json;
    await change("PATCH", { name: "a", users: [{ id: "u1" }] });
    expect(await change("PATCH", { name: "a", users: [{ id: "u2" }] })).toMatchObject({
      team: { users: [{ id: "u1" }, { id: "u2" }] },
    });
    expect(await change("PATCH", { name: "b", users: [{ id: "" }] })).toMatchObject({
      team: { name: "b", users: [{ id: "u1" }, { id: "u2" }] },
    });
    expect(await change("PUT", { name: "b", users: [{ id: "u2" }] })).toMatchObject({
      team: { users: [{ id: "u2" }] },
    });
  });

  test("the owner's signature opens account, users and keys", async () => {
    const base = `/management/accounts/${keys["owner"]?.account}`;
    expect((await sign("GET", base)).json).toMatchObject({
      id: keys["owner"]?.account,
      retention_period: 30,
    });
    const made = await sign("POST", `${base}/users`, {
      user: { email: "a@b.example", first_name: "A", last_name: "B" },
    });
    expect(made.status).toBe(201);
    const { user } = made.json as { user: { id: string } };
    expect((await sign("GET", `${base}/users`)).json).toEqual({
      users: [
        {
          id: user.id,
          email: "a@b.example",
          login_name: "a@b.example",
          first_name: "A",
          last_name: "B",
          last_login: null,
        },
      ],
    });
    expect((await sign("POST", `${base}/users/${user.id}`)).status).toBe(200);
    expect((await sign("DELETE", `${base}/users/${user.id}`)).status).toBe(204);
    expect((await sign("DELETE", `${base}/users/${user.id}`)).status).toBe(404);
    expect((await sign("POST", `${base}/users`, { user: { email: "nobody" } })).json).toMatchObject(
      { fields: ["email"] },
    );
    expect((await sign("GET", `${base}/owners`)).json).toMatchObject({
      owners: [{ id: keys["owner"]?.id }],
    });
    const key = await sign("POST", `${base}/apikeys`, { apikey: { name: "k", key_type: "ro" } });
    expect(key.status).toBe(201);
    const { apikey } = key.json as { apikey: { id: string; api_key: string } };
    expect((await get("/validate", apikey.api_key)).json).toEqual({ message: "Authorized" });
    expect((await get(`${base}/apikeys`, "writer")).text).not.toContain(apikey.api_key);
    const path = `${base}/apikeys/${apikey.id}`;
    expect((await sign("PATCH", path, { apikey: { active: false } })).json).toMatchObject({
      apikey: { active: false, name: "k" },
    });
    expect(await get("/validate", apikey.api_key)).toMatchObject({
      status: 401,
      json: { message: "Unauthorized" },
    });
    expect((await sign("PATCH", path, { apikey: { active: true } })).json).toMatchObject({
      apikey: { active: true },
    });
    expect((await get("/validate", apikey.api_key)).status).toBe(200);
    expect((await sign("DELETE", path)).status).toBe(204);
    expect((await get("/validate", apikey.api_key)).status).toBe(401);
    expect((await get(path, "writer")).status).toBe(404);
    // Owner keys are shown to owners alone, and an owner is no user to be added or deleted.
    const owner = keys["owner"]?.id ?? "";
    expect((await get(`${base}/apikeys`, "writer")).text).not.toContain(owner);
    expect((await sign("GET", `${base}/apikeys`)).text).toContain(owner);
    for (const method of ["POST", "DELETE"]) {
      expect((await sign(method, `${base}/users/${owner}`)).status).toBe(403);
    }
    expect((await get("/management/organizations/apikeys")).status).toBe(200);
  });

  test("a signature that is wrong, old or of another account", async () => {
    const base = `/management/accounts/${keys["owner"]?.account}`;
    const wrong = await sign("GET", base, undefined, {
      secret: "44444444-2222-3333-4444-555555555555",
    });
    expect(wrong.status).toBe(401);
    expect((await sign("GET", base, undefined, { skewMs: -20 * 60_000 })).status).toBe(401);
    expect(
      (await sign("GET", "/management/accounts/22222222-2222-3333-4444-555555555555")).status,
    ).toBe(404);
    expect((await get(base, "writer")).status).toBe(403);
    expect((await get(base, keys["owner"]?.secret)).status).toBe(401);
    expect((await sign("PUT", base)).status).toBe(405);
  });

  test("usage by day", async () => {
    const today = new Date(begin).toISOString().slice(0, 10);
    const { json } = await get(`/usage/accounts/${keys["owner"]?.account}?from=${today}`, "writer");
    const { period_usage, daily_usage } = json as {
      period_usage: number;
      daily_usage: { day: string; usage: number }[];
    };
    expect(daily_usage[0]?.day).toBe(today);
    expect(period_usage).toBeGreaterThan(total * 20);
  });
});

describe("refusals", () => {
  const bad: readonly (readonly [path: string, status: number])[] = [
    [`/query/logs/nothing?${span}`, 404],
    ["/query/logs/LOG", 400],
    ["/query/logs/LOG?time_range=some+time", 400],
    ["/query/logs/LOG?from=noon&to=1", 400],
    ["/query/logs/LOG?from=2&to=1", 400],
    [`/query/logs/LOG?${span}&query=where(`, 400],
    [`/query/logs/LOG?${span}&query=where(a)%20wish(b)`, 400],
    [`/query/logs/LOG?${span}&per_page=501`, 400],
    [`/query/logs/LOG?${span}&per_page=few`, 400],
    [`/query/logs/LOG?${span}&most_recent_first=perhaps`, 400],
    [`/query/logs/LOG?${span}&sequence_number=last`, 400],
    [`/query/logsets?${span}`, 400],
    [`/query/logsets/none?${span}`, 404],
    ["/query/nothing", 404],
    ["/query/context/12?timestamp=1&log_keys=LOG", 404],
    ["/query/context/12?log_keys=LOG", 400],
    ["/query/context/abc?timestamp=1&log_keys=LOG", 400],
    [`/download/logs/LOG?${span}&query=calculate(count)`, 400],
    [`/download/logs/LOG?${span}&limit=0`, 400],
    ["/management/logs/nothing", 404],
    ["/management/nothing", 404],
    ["/query/%ff", 400],
  ];
  test.each(bad)("%s is refused with %i", async (path, status) => {
    const reply = await get(path.replace("LOG", logIds["access"] ?? ""));
    expect(reply.status).toBe(status);
    expect(reply.json).toMatchObject({
      errorCode: expect.any(Number) as number,
      message: expect.any(String) as string,
    });
  });

  test.each([
    "{bad",
    "[]",
    {},
    { logs: [], leql: {} },
    { logs: ["a"] },
    { logs: ["a"], leql: { statement: 5 } },
  ])("a posted query of %j is refused", async (body) => {
    const { status, json } = await send("POST", "/query/logs", body, "reader");
    expect(status).toBe(400);
    expect(json).toMatchObject({ errorCode: expect.any(Number) as number });
  });

  test("keys that are missing, unknown, expired, revoked, of another kind, or may only read", async () => {
    const status = async (key: string) => (await get("/management/logs", key)).status;
    expect((await ask(`${service.url}/management/logs`)).status).toBe(401);
    expect(await status("11111111-2222-3333-4444-555555555555")).toBe(401);
    expect(await status("expired")).toBe(401);
    expect(await status("loggly")).toBe(403);
    expect(await status("access")).toBe(403);
    expect((await send("POST", "/management/logs", { log: { name: "x" } }, "reader")).status).toBe(
      403,
    );
    expect((await send("PATCH", "/query/logs", {}, "reader")).status).toBe(405);
    expect(await status("revoked")).toBe(200);
    await revokeToken(service, keys["revoked"]?.id ?? "");
    await expect.poll(() => status("revoked"), { timeout: 10_000 }).toBe(401);
  });

  test("a key sees its own customer and labels alone", async () => {
    expect((await get("/management/logs", "other")).json).toEqual({ logs: [] });
    expect((await get(`/query/logs/${logIds["access"]}?${span}`, "other")).status).toBe(404);
    expect((await get("/management/logs", "narrow")).json).toMatchObject({
      logs: [{ name: "error" }],
    });
    expect((await get(`/query/logs/${logIds["access"]}?${span}`, "narrow")).status).toBe(404);
  });

  test("beyond the window's limit", async () => {
    const path = `/query/logs/${logIds["access"]}?${span}`;
    for (const status of [200, 200, 429]) {
      const reply = await get(path, "limited");
      expect(reply.status).toBe(status);
      expect(reply.headers.get("x-ratelimit-limit")).toBe("2");
    }
    const { headers, json } = await get(path, "limited");
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(headers.get("x-ratelimit-reset")).toBe(headers.get("retry-after"));
    expect(json).toMatchObject({ errorCode: expect.any(Number) as number });
  });
});
