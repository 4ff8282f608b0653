// Scalyr's queries and files over a running service: shapes, figures, refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { ask, createKey, untilAnswered, type JsonReply, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";
import { revokeToken } from "../support/tokens.ts";

let service: Service;
const keys: Record<string, VendorKey> = {};
/** On a whole minute, so that slices of time hold known events. */
const now = Math.floor(Date.now() / 60_000) * 60_000;
const total = 40;
const begin = now - total * 60_000;

/** Event `n` is in the middle of the n-th minute from `begin`. */
function eventOf(n: number) {
  return {
    message: n % 4 === 0 ? `error number ${n}` : `{"ms":${n * 10},"path":"/p${n % 3}"}`,
    time: new Date(begin + n * 60_000 + 30_000).toISOString(),
    prefix0: n % 2 === 0 ? "web-1" : "web-2",
    prefix1: "/var/log/app",
    prefix3: "scalyr",
    attributes: {
      severity: String(n % 4 === 0 ? 5 : 3),
      session: `s${n % 2}`,
      thread: "T1",
      $tier: "prod",
      n: String(n),
    },
  };
}

const given: Readonly<Record<string, readonly [kind: string, options: Record<string, string>]>> = {
  writer: ["scalyr-write", {}],
  expired: ["scalyr-read", { expires: "2001-01-01T00:00:00Z" }],
  revoked: ["scalyr-read", {}],
  other: ["scalyr-read", { customer: "other" }],
  narrow: ["scalyr-read", { prefix0: "web-2" }],
  config: ["scalyr-config", {}],
  reader: ["scalyr-read", {}],
};

beforeAll(async () => {
  service = await startService();
  for (const [name, [kind, options]] of Object.entries(given)) {
    keys[name] = await createKey(service, kind, options);
  }
  const events = Array.from({ length: total }, (_, n) => eventOf(n));
  const odd = {
    ...eventOf(0),
    time: new Date(now - 48 * 3_600_000).toISOString(),
    message: "odd",
    prefix0: "web-9",
    attributes: { severity: "12", session: "s0" },
  };
  await ingest(service, toNdjson([...events, odd, { ...eventOf(1), prefix3: "loggly" }]));
  await waitForCount(service, { regex: ".*" }, total + 2);
  await untilAnswered(() => post("/api/query", {}));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function post(
  path: string,
  body: object | string,
  key = "reader",
  headers: Record<string, string> = {},
): Promise<JsonReply> {
  const token = keys[key]?.secret ?? key;
  return ask(`${service.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify({ token, ...body }),
  });
}

const span = { startTime: String(begin), endTime: String(now) };

interface Matches {
  readonly matches: readonly {
    message: string;
    timestamp: string;
    attributes: Record<string, string>;
  }[];
  readonly sessions: object;
  readonly continuationToken?: string;
}

describe("log queries", () => {
  test("matches and sessions have what the documents and what the clients read", async () => {
    const { status, headers, json } = await post("/api/query", {
      queryType: "log",
      filter: "error number n == 36",
      ...span,
      maxCount: 10,
      columns: "",
    });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    const fields = { logfile: "/var/log/app", n: "36" };
    expect(json).toEqual({
      status: "success",
      matches: [
        {
          timestamp: `${begin + 36 * 60_000 + 30_000}000000`,
          message: "error number 36",
          severity: 5,
          session: "s0",
          thread: "T1",
          attributes: fields,
          fields,
        },
      ],
      sessions: { s0: { serverHost: "web-1", tier: "prod" } },
      executionTime: expect.any(Number) as number,
    });
  });

  test("a severity that the vendor does not have is shown as its default", async () => {
    const { json } = await post("/api/query", { filter: "odd", startTime: "3d" });
    expect((json as Matches).matches).toMatchObject([{ message: "odd", severity: 3 }]);
  });

  test("an event of another server than its session's shows it itself", async () => {
    const { json } = await post("/api/query", {
      filter: "odd or n == 36",
      startTime: "3d",
      endTime: "NOW",
    });
    expect(json).toMatchObject({ sessions: { s0: { serverHost: "web-9" } } });
    expect((json as Matches).matches.map(({ attributes }) => attributes)).toEqual([
      { logfile: "/var/log/app" },
      { logfile: "/var/log/app", serverHost: "web-1", tier: "prod", n: "36" },
    ]);
  });

  test("columns are the fields that are shown, of a JSON message, too", async () => {
    const { json } = await post("/api/query", {
      filter: "n == 37",
      ...span,
      columns: "n, path, message, $tier, serverHost, nothing",
    });
    const [match] = (json as Matches).matches;
    expect(match).toMatchObject({ message: '{"ms":370,"path":"/p1"}' });
    const shown = { n: "37", path: "/p1", $tier: "prod", serverHost: "web-2" };
    expect(match?.attributes).toEqual(shown);
  });

  test.each(["head", "tail"])(
    "pages of mode %s hold each event once, oldest first within a page",
    async (pageMode) => {
      const pages: string[][] = [];
      let token: string | undefined;
      do {
        const reply: JsonReply = await post("/api/query", {
          ...span,
          pageMode,
          maxCount: 15,
          ...(token !== undefined && { continuationToken: token }),
        });
        const { matches, continuationToken } = reply.json as Matches;
        pages.push(matches.map(({ attributes }) => attributes["n"] ?? ""));
        token = continuationToken;
      } while (token !== undefined);
      const inOrder = pageMode === "head" ? pages : pages.toReversed();
      expect(inOrder.flat()).toEqual(Array.from({ length: total }, (_, n) => String(n)));
      expect(pages.map(({ length }) => length)).toEqual([15, 15, 10]);
    },
  );

  test("pages go on over a span that is longer than all times of events", async () => {
    const all = { startTime: "0", endTime: "9999-12-31", pageMode: "head", maxCount: 40 };
    const first = (await post("/api/query", all)).json as Matches;
    const second = await post("/api/query", {
      ...all,
      continuationToken: first.continuationToken ?? "",
    });
    const { matches, continuationToken } = second.json as Matches;
    expect(matches.map(({ message }) => message)).toEqual([`{"ms":390,"path":"/p0"}`]);
    expect(continuationToken).toBeUndefined();
  });

  test("parameters may stand in the address, times are written in many ways", async () => {
    const count = async (parameters: Record<string, string>) => {
      const query = new URLSearchParams({
        token: keys["reader"]?.secret ?? "",
        maxCount: "5000",
        ...parameters,
      });
      const { json } = await ask(`${service.url}/api/query?${query.toString()}`);
      return (json as Matches).matches.length;
    };
    expect(await count({})).toBe(total);
    expect(await count({ startTime: "24h" })).toBe(total);
    expect(await count({ startTime: "24 hours", endTime: "NOW", filter: "" })).toBe(total);
    const middle = begin + 20 * 60_000;
    expect(await count({ startTime: String(middle / 1000) })).toBe(20);
    expect(await count({ startTime: `${middle}000000` })).toBe(20);
    expect(await count({ endTime: new Date(middle).toISOString() })).toBe(20);
    expect(await count({ filter: 'serverHost == "web-1" severity >= 5' })).toBe(10);
    expect(await count({ filter: "$tier == 'prod' !(error)" })).toBe(30);
  });
});

describe("figures", () => {
  test("numeric queries give a number for each slice of time, null where there is none", async () => {
    const values = async (parameters: object) =>
      ((await post("/api/numericQuery", { ...span, ...parameters })).json as { values: unknown })
        .values;
    expect(await values({ function: "count", buckets: 4 })).toEqual([10, 10, 10, 10]);
    expect(await values({ function: "rate" })).toEqual([total / (total * 60)]);
    expect(await values({ queryType: "numeric", function: "mean(n)", buckets: 2 })).toEqual([
      9.5, 29.5,
    ]);
    expect(await values({ function: "n" })).toEqual([19.5]);
    expect(await values({ function: "max(ms)", buckets: 40, filter: "error" })).toEqual(
      Array.from({ length: 40 }, () => null),
    );
    expect(await values({ function: "median(n)" })).toEqual([19.5]);
    expect(await values({ function: "p90(n)" })).toEqual([expect.closeTo(35.1) as number]);
    expect(await values({ function: "sumPerSecond(n)" })).toEqual([780 / 2400]);
  });

  test("facets are the most frequent values", async () => {
    const { json } = await post("/api/facetQuery", {
      queryType: "facet",
      field: "path",
      ...span,
      maxCount: 2,
    });
    expect(json).toEqual({
      status: "success",
      values: [
        { value: "/p0", count: 10 },
        { value: "/p1", count: 10 },
      ],
      matchCount: total,
      executionTime: expect.any(Number) as number,
    });
  });

  test("timeseries queries are several at once", async () => {
    const { json } = await post("/api/timeseriesQuery", {
      queries: [
        { filter: "error", function: "count", ...span, buckets: 2 },
        { filter: "", function: "rate", ...span },
      ],
    });
    expect(json).toMatchObject({
      status: "success",
      results: [{ values: [5, 5] }, { values: [1 / 60] }],
    });
  });

  test("power queries make tables", async () => {
    const table = async (query: string) => {
      const { status, json } = await post("/api/powerQuery", { query, ...span });
      expect(status).toBe(200);
      return json;
    };
    expect(
      await table(
        "n >= 0 | group lines = count(), avg(n), pct(50, n), estimate_distinct(path) by host = serverHost | sort -host",
      ),
    ).toEqual({
      status: "success",
      matchingEvents: total,
      omittedEvents: 0,
      columns: [
        { name: "host" },
        { name: "lines" },
        { name: "avg(n)" },
        { name: "pct(50, n)" },
        { name: "estimate_distinct(path)" },
      ],
      values: [
        ["web-2", 20, 20, 20, 3],
        ["web-1", 20, 19, 19, 3],
      ],
    });
    expect(
      await table(
        "| filter !(error) | group c = count(), top = max(ms) by path | filter c >= 10 && path != '/p1' | sort path | columns path, most = top | limit 1",
      ),
    ).toMatchObject({ columns: [{ name: "path" }, { name: "most" }], values: [["/p0", 390]] });
    expect(await table("error | columns n, message | limit 2")).toMatchObject({
      matchingEvents: 10,
      omittedEvents: 0,
      values: [
        ["36", "error number 36"],
        ["32", "error number 32"],
      ],
    });
    expect(await table("nothing | group count()")).toMatchObject({ values: [[0]] });
    // Half an hour begins where the clock's does.
    const { values } = (await table("| group c = count() by t = timebucket('30 minutes')")) as {
      values: [number, number][];
    };
    expect(values.map(([time]) => (time / 1e6) % 1_800_000)).toEqual(values.map(() => 0));
    expect(values.reduce((sum, [, count]) => sum + count, 0)).toBe(total);
    expect(
      await table(
        "| join a = (| group all = count() by serverHost), b = (error | group bad = count() by serverHost) on serverHost | let share = bad / all",
      ),
    ).toEqual({
      status: "success",
      matchingEvents: total + 10,
      omittedEvents: 0,
      columns: [{ name: "serverHost" }, { name: "all" }, { name: "bad" }, { name: "share" }],
      values: [["web-1", 20, 10, 0.5]],
    });
    expect(
      await table(
        "ms == * | group c = count() by path, serverHost | transpose serverHost on path | sort -path",
      ),
    ).toMatchObject({
      columns: [{ name: "path" }, { name: "web-1" }, { name: "web-2" }],
      values: [
        ["/p2", 4, 6],
        ["/p1", 3, 7],
        ["/p0", 3, 7],
      ],
    });
  });
});

test("power queries compare figures with those of another time", async () => {
  const half = { startTime: String(begin + 20 * 60_000), endTime: String(now) };
  const ask = (query: string) => post("/api/powerQuery", { query, ...half });
  const byHost = await ask(
    "| group c = count(), most = max(n) by serverHost | sort -c, serverHost | compare before = timeshift(queryspan())",
  );
  expect(byHost.json).toMatchObject({
    status: "success",
    matchingEvents: 20,
    omittedEvents: 0,
    columns: ["serverHost", "c", "most", "c (before)", "most (before)"].map((name) => ({ name })),
    values: [
      ["web-1", 10, 38, 10, 18],
      ["web-2", 10, 39, 10, 19],
    ],
  });
  const byTime = await ask(
    "| group c = count() by t = timebucket('10m') | compare timeshift('-20m')",
  );
  const { values } = byTime.json as { values: number[][] };
  expect(values.length).toBeGreaterThan(1);
  expect(values.map(([, , before]) => before)).toEqual(values.map(([, c]) => c));
  expect((await ask("error | compare timeshift('1h')")).status).toBe(400);
});

test("bodies may be written in the vendor's relaxed JSON", async () => {
  const text = Buffer.from("error number 36");
  const length = Buffer.alloc(4);
  length.writeInt32BE(text.length);
  const secret = keys["reader"]?.secret ?? "";
  const body = Buffer.concat([
    Buffer.from(
      `{ token: "${secret}" // a comment\n filter: "\\"error" + " number 36\\"",\n "filter": \`s`,
    ),
    Buffer.concat([length, text]),
    Buffer.from(
      `, startTime: ${begin}000000 /* ns */\n endTime: "${now}", queries: [], maxCount: 5, }`,
    ),
  ]);
  const { status, json } = await ask(`${service.url}/api/query`, { method: "POST", body });
  expect({ status, json }).toMatchObject({
    status: 200,
    json: { status: "success", matches: [{ message: "error number 36" }] },
  });
  const broken = await ask(`${service.url}/api/query`, { method: "POST", body: "{token: 'a'}" });
  expect(broken).toMatchObject({ status: 400, json: { status: "error/client/badParam" } });
  expect(broken.json).toMatchObject({ message: expect.stringContaining("offset 8") as string });
});

describe("files", () => {
  const send = async (path: string, body: object) => (await post(path, body, "config")).json;

  test("are put, read, listed and deleted, with their versions", async () => {
    expect(await send("/getFile", { path: "/logParsers/a" })).toMatchObject({
      status: "success/noSuchFile",
    });
    expect(
      await send("/putFile", { path: "/logParsers/a", content: "{}", prettyprint: true }),
    ).toMatchObject({
      status: "success",
      version: 1,
    });
    expect(await send("/api/getFile", { path: "/logParsers/a" })).toMatchObject({
      status: "success",
      content: "{}",
      version: 1,
      createDate: expect.any(Number) as number,
      modDate: expect.any(Number) as number,
    });
    expect(await send("/getFile", { path: "/logParsers/a", expectedVersion: 1 })).toMatchObject({
      status: "success/unchanged",
    });
    const { status, json } = await post(
      "/putFile",
      { path: "/logParsers/a", content: "x", expectedVersion: 7 },
      "config",
    );
    expect(status).toBe(400);
    expect(json).toMatchObject({ status: "error/client/versionMismatch" });
    expect(await send("/putFile", { path: "/b", content: "ä" })).toMatchObject({
      status: "success",
    });
    expect(await send("/listFiles", {})).toEqual({
      status: "success",
      paths: ["/b", "/logParsers/a"],
    });
    expect(await send("/putFile", { path: "/b", deleteFile: true })).toMatchObject({
      status: "success",
    });
    expect(await send("/listFiles", {})).toEqual({ status: "success", paths: ["/logParsers/a"] });
    const printed = await fetch(`${service.url}/api/listFiles`, {
      method: "POST",
      body: JSON.stringify({ token: keys["config"]?.secret, prettyprint: true }),
    });
    expect(printed.headers.get("content-type")).toBe("application/json");
    expect(await printed.text()).toContain('\n  "status": "success",\n');
    await service.stop();
    await service.start();
    await untilAnswered(() => post("/api/query", {}));
    expect(await send("/listFiles", {})).toEqual({ status: "success", paths: ["/logParsers/a"] });
  });
});

describe("refusals", () => {
  const bad: readonly (readonly [path: string, body: object | string])[] = [
    ["/api/query", "{bad"],
    ["/api/query", "[]"],
    ["/api/query", { filter: "(a" }],
    ["/api/query", { filter: 5.5e300 }],
    ["/api/query", { queryType: "facet" }],
    ["/api/query", { maxCount: 5_001 }],
    ["/api/query", { maxCount: "many" }],
    ["/api/query", { pageMode: "middle" }],
    ["/api/query", { startTime: "noon" }],
    ["/api/query", { priority: "none" }],
    ["/api/query", { columns: "a,".repeat(101) }],
    ["/api/timeseriesQuery", { queries: [{ startTime: "1h", priority: 5 }] }],
    ["/api/query", { startTime: "1h", endTime: "2h" }],
    ["/api/query", { continuationToken: "nonsense" }],
    ["/api/numericQuery", {}],
    ["/api/numericQuery", { startTime: "1h", function: "wish(n)" }],
    ["/api/numericQuery", { startTime: "1h", buckets: 0 }],
    ["/api/facetQuery", { startTime: "1h" }],
    ["/api/timeseriesQuery", { queries: [] }],
    ["/api/timeseriesQuery", { queries: ["a"] }],
    ["/api/timeseriesQuery", { queries: [{ timeseriesId: "t-1", startTime: "1h" }] }],
    ["/api/powerQuery", { startTime: "1h" }],
    ["/api/powerQuery", { startTime: "1h", query: "a | dataset 'b'" }],
    ["/api/powerQuery", { startTime: "1h", query: "a | columns b = wish(1)" }],
    ["/api/powerQuery", { startTime: "1h", query: "a | group count()", priority: "middle" }],
    ["/api/powerQuery", { startTime: "1h", query: "a | group count() | sort nothing" }],
  ];
  test.each(bad)("%s refuses %j as a bad parameter", async (path, body) => {
    const { status, json } = await post(path, body);
    // A body that cannot be read holds no token.
    expect(status).toBe(400);
    expect(json).toMatchObject({
      status: "error/client/badParam",
      message: expect.any(String) as string,
    });
  });

  test("paths of files", async () => {
    for (const path of [undefined, "", "a", "/\u0000", `/${"a".repeat(300)}`]) {
      const { status } = await post("/putFile", { path, content: "" }, "config");
      expect(status).toBe(400);
    }
  });

  test("errorStatus: always200 leaves the error to the body", async () => {
    const { status, json } = await post("/api/query", {}, "wrong-token", {
      errorStatus: "always200",
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({ status: "error/client/noPermission" });
  });

  test("tokens that are missing, unknown, expired, revoked or of another kind", async () => {
    const status = async (key: string, path = "/api/query") => {
      const { status, json } = await post(path, {}, key);
      if (status !== 200) expect(json).toMatchObject({ status: "error/client/noPermission" });
      return status;
    };
    expect((await ask(`${service.url}/api/query`)).status).toBe(401);
    // An empty one in the body is none, and leaves it to the address.
    const reader = keys["reader"]?.secret ?? "";
    expect((await post(`/api/query?token=${reader}`, { token: "" })).status).toBe(200);
    const bearer = { authorization: `Bearer ${reader}` };
    expect((await post("/api/query", { token: "" }, "", bearer)).status).toBe(200);
    expect(await status("unknown-token")).toBe(401);
    expect(await status("expired")).toBe(401);
    expect(await status("writer")).toBe(401);
    expect(await status("reader", "/listFiles")).toBe(401);
    expect(await status("config")).toBe(200);
    expect(await status("revoked")).toBe(200);
    await revokeToken(service, keys["revoked"]?.id ?? "");
    await expect.poll(() => status("revoked"), { timeout: 10_000 }).toBe(401);
  });

  test("a key sees its own customer and labels alone", async () => {
    const matches = async (key: string) =>
      ((await post("/api/query", { maxCount: 5000 }, key)).json as Matches).matches.length;
    expect(await matches("other")).toBe(0);
    expect(await matches("narrow")).toBe(20);
  });

  test("the agent's version check is answered", async () => {
    const { status, json } = await ask(
      `${service.url}/ajax?method=performAgentVersionCheck&version=2.2.8`,
    );
    expect({ status, json }).toMatchObject({ status: 200, json: { status: "success" } });
    expect((await ask(`${service.url}/ajax?method=other`)).status).toBe(400);
  });
});
