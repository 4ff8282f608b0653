// Loggly's retrieval API over a running service: shapes, paging, figures, refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealId } from "../../query/ask/opaque.ts";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { ask, createKey, untilAnswered, type JsonReply, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";
import { revokeToken } from "../support/tokens.ts";

let service: Service;
let key: VendorKey;
let input: VendorKey;
let expired: VendorKey;
let revoked: VendorKey;
let other: VendorKey;
let narrow: VendorKey;
const now = Date.now();
const total = 120;

/** Event `n` is `n` minutes old. */
function eventOf(n: number) {
  const time = new Date(now - n * 60_000).toISOString();
  const labels = { prefix0: n % 2 === 0 ? "web-1" : "web-2", prefix1: "shop", prefix3: "loggly" };
  if (n % 3 === 0) {
    return {
      ...labels,
      time,
      message: `plain line ${n}`,
      prefix2: "a,plain",
      attributes: { tags: "plain,a", "syslog.host": "web", "syslog.severity": "Error" },
    };
  }
  return {
    ...labels,
    time,
    message: JSON.stringify({ n, level: n % 2 === 0 ? "info" : "warn", deep: { ms: n * 1.5 } }),
    prefix2: "a",
    attributes: { tags: "a", "http.clientHost": "10.0.0.1" },
  };
}

beforeAll(async () => {
  service = await startService();
  key = await createKey(service, "loggly-api");
  input = await createKey(service, "loggly-input");
  expired = await createKey(service, "loggly-api", { expires: "2001-01-01T00:00:00Z" });
  revoked = await createKey(service, "loggly-api");
  other = await createKey(service, "loggly-api", { customer: "other" });
  narrow = await createKey(service, "loggly-api", { prefix0: "web-2" });
  const events = Array.from({ length: total }, (_, n) => eventOf(n));
  const foreign = [
    { message: "of another door", prefix3: "scalyr", time: new Date(now - 60_000).toISOString() },
  ];
  await ingest(service, toNdjson([...events, ...foreign]));
  await waitForCount(service, { regex: ".*" }, total + 1);
  await untilAnswered(() => get("/apiv2/customer", narrow.secret));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function get(
  path: string,
  secret = key.secret,
  headers: Record<string, string> = {},
): Promise<JsonReply> {
  return ask(`${service.url}${path}`, {
    headers: { authorization: `bearer ${secret}`, ...headers },
  });
}

interface Events {
  readonly events: readonly { timestamp: number; logmsg: string; id: string }[];
  readonly next?: string;
  readonly total_events?: number;
  readonly page?: number;
}

describe("search and events", () => {
  test("a search has a string for its id, and its pages hold each event once", async () => {
    const search = await get("/apiv2/search?q=*&from=-24h&until=now&size=50&order=asc");
    expect(search.status).toBe(200);
    expect(search.headers.get("content-type")).toBe("application/json");
    const { rsid } = search.json as { rsid: Record<string, unknown> };
    expect(rsid).toMatchObject({ status: "SCHEDULED", elapsed_time: expect.any(Number) as number });
    expect(rsid["id"]).toBeTypeOf("string");
    expect(Number(rsid["date_to"]) - Number(rsid["date_from"])).toBe(86_400_000);
    const times: number[] = [];
    for (const page of [0, 1, 2, 3]) {
      const { status, json } = await get(`/apiv2/events?rsid=${String(rsid["id"])}&page=${page}`);
      expect(status).toBe(200);
      const answer = json as Events;
      expect(answer).toMatchObject({ total_events: total, page });
      times.push(...answer.events.map(({ timestamp }) => timestamp));
    }
    expect(times).toHaveLength(total);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(total);
  });

  test("a search of all times finds what there is", async () => {
    for (const span of ["from=0001-01-01&until=9999-12-31", "from=-9999w&until=99999999999999"]) {
      const { json } = await get(`/apiv2/search?q=*&size=7&${span}`);
      const { rsid } = json as { rsid: { id: string } };
      const page = await get(`/apiv2/events?rsid=${rsid.id}`);
      expect(page.json).toMatchObject({ total_events: total });
      const first = await get(`/apiv2/events/iterate?q=*&size=100&${span}`);
      const next = await ask((first.json as Events).next ?? "", {
        headers: { authorization: `Bearer ${key.secret}` },
      });
      expect((next.json as Events).events).toHaveLength(total - 100);
    }
  });

  test("events have the vendor's shape", async () => {
    const search = await get("/apiv2/search/?q=json.n:1");
    const { rsid } = search.json as { rsid: { id: string } };
    const { json } = await get(`/apiv2/events/?rsid=${rsid.id}`);
    expect(json).toEqual({
      total_events: 1,
      page: 0,
      events: [
        {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          timestamp: now - 60_000,
          logmsg: eventOf(1).message,
          raw: eventOf(1).message,
          unparsed: null,
          logtypes: ["json"],
          tags: ["a"],
          event: {
            json: { n: 1, level: "warn", deep: { ms: 1.5 } },
            http: { clientHost: "10.0.0.1" },
          },
        },
      ],
    });
    const syslog = await get('/apiv2/events/iterate?q="line 3"&size=50');
    expect((syslog.json as Events).events).toMatchObject([
      {
        logtypes: ["syslog"],
        tags: ["plain", "a"],
        event: { syslog: { host: "web", severity: "Error" } },
      },
    ]);
  });

  test("pages come as lines and as CSV, too", async () => {
    const search = await get("/apiv2/search?q=json.n:1%20OR%20json.n:2");
    const { rsid } = search.json as { rsid: { id: string } };
    const raw = await get(`/apiv2/events?rsid=${rsid.id}&format=raw`);
    expect(raw.text).toBe(`${eventOf(1).message}\n${eventOf(2).message}\n`);
    const csv = await get(
      `/apiv2/events?rsid=${rsid.id}&format=csv&columns=json.n,tags,json.deep.ms`,
    );
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(csv.text).toBe("json.n,tags,json.deep.ms\r\n1,a,1.5\r\n2,a,3\r\n");
  });

  test("a callback wraps the answer, an empty one does not", async () => {
    const plain = await get("/apiv2/events/count?q=*&callback=");
    expect(plain.json).toEqual({ count: total });
    const wrapped = await get("/apiv2/events/count?q=*&callback=a.b");
    expect(wrapped.text).toBe(`a.b({"count":${total}});`);
    expect((await get("/apiv2/events/count?q=*&callback=alert(1)")).status).toBe(400);
  });
});

describe("iteration", () => {
  test("follows absolute addresses to the last page, which has none", async () => {
    let url: string | undefined = `${service.url}/apiv2/events/iterate?q=*&size=50&from=-24h`;
    const ids: string[] = [];
    const sizes: number[] = [];
    while (url !== undefined) {
      expect(url.startsWith(`${service.url}/apiv2/events/iterate?`)).toBe(true);
      const { json } = await ask(url, { headers: { authorization: `Bearer ${key.secret}` } });
      const answer = json as Events;
      ids.push(...answer.events.map(({ id }) => id));
      sizes.push(answer.events.length);
      url = answer.next;
    }
    expect(sizes).toEqual([50, 50, 20]);
    expect(new Set(ids).size).toBe(total);
  });

  test("the cursor wins over repeated parameters, and addresses follow the client's own host", async () => {
    const first = await get("/apiv2/events/iterate?q=*&size=60&order=asc", key.secret, {
      "x-forwarded-proto": "https",
    });
    const { next = "", events } = first.json as Events;
    expect(next.startsWith(`https://127.0.0.1:${service.port}/`)).toBe(true);
    const cursor = new URL(next).searchParams.get("next") ?? "";
    const second = await get(`/apiv2/events/iterate?q=nothing&size=7&from=-1m&next=${cursor}`);
    const all = [...events, ...(second.json as Events).events].map(({ timestamp }) => timestamp);
    expect(all).toHaveLength(total);
    expect(all).toEqual([...all].sort((a, b) => a - b));
    expect(second.json).not.toHaveProperty("next");
  });
});

describe("figures", () => {
  test("counts, with the volume when asked", async () => {
    expect((await get("/apiv2/events/count?q=tag:plain")).json).toEqual({ count: 40 });
    const { json } = await get("/apiv2/events/count?q=json.n:1&include_volume=true");
    expect(json).toEqual({ count: 1, volume: eventOf(1).message.length });
    expect((await get("/apiv2/events/count?q=*&from=-10m&until=-5m")).json).toEqual({ count: 5 });
  });

  test("of a word that only attributes hold are alike, whatever is asked", async () => {
    const q = "q=error";
    expect((await get(`/apiv2/events/count?${q}`)).json).toEqual({ count: 40 });
    expect((await get(`/apiv2/fields/syslog.host?${q}`)).json).toEqual({
      "syslog.host": [{ term: "web", count: 40 }],
      unique_field_count: 1,
      total_events: 40,
    });
    expect((await get(`/apiv2/fields?${q}`)).json).toMatchObject({ total_events: 40 });
    expect((await get(`/apiv2/stats/value_count/syslog.host?${q}`)).json).toEqual({
      value_count: 40,
    });
    const { json } = await get(`/apiv2/events/iterate?${q}&size=50`);
    expect((json as Events).events).toHaveLength(40);
    const of = "10.0.0.1 -json.n:>2";
    const { json: found } = await get(`/apiv2/events/iterate?q=${encodeURIComponent(of)}&size=50`);
    expect((found as Events).events.map(({ logmsg }) => logmsg)).toEqual(
      [1, 2].map((n) => eventOf(n).message),
    );
  });

  test("fields and their most frequent values", async () => {
    const { json } = await get("/apiv2/fields/?q=*");
    const { fields, total_events } = json as { fields: { name: string }[]; total_events: number };
    expect(total_events).toBe(total);
    expect(fields.map(({ name }) => name).sort()).toEqual([
      "http.clientHost",
      "json.deep.ms",
      "json.level",
      "json.n",
      "syslog.host",
      "syslog.severity",
      "tags",
    ]);
    expect((await get("/apiv2/fields/json.level/?q=*&facet_size=2000")).json).toEqual({
      "json.level": [
        { term: "info", count: 40 },
        { term: "warn", count: 40 },
      ],
      unique_field_count: 2,
      total_events: total,
    });
    expect((await get("/apiv2/fields/tag?q=*&facet_size=1")).json).toEqual({
      tag: [{ term: "a", count: total }],
      unique_field_count: 2,
      total_events: total,
    });
  });

  test("of fields are of all events where no query is named", async () => {
    for (const path of ["/apiv2/fields", "/apiv2/fields/tag", "/apiv2/stats/value_count/json.n"]) {
      const asked = await get(`${path}?q=*`);
      expect(asked.status).toBe(200);
      expect((await get(path)).json).toEqual(asked.json);
    }
  });

  test("statistics of a field's numbers", async () => {
    const q = "q=json.n:<=5";
    // n is 1, 2, 4, 5
    const values: readonly (readonly [string, unknown])[] = [
      ["avg", 3],
      ["sum", 12],
      ["min", 1],
      ["max", 5],
      ["value_count", 4],
      ["cardinality", 4],
      ["stats", { count: 4, min: 1, max: 5, avg: 3, sum: 12 }],
    ];
    for (const [stat, value] of values) {
      const { status, json } = await get(`/apiv2/stats/${stat}/json.n?${q}`);
      expect({ status, json }).toEqual({ status: 200, json: { [stat]: value } });
    }
    const percentiles = await get(`/apiv2/stats/percentiles/json.n/?${q}`);
    expect(percentiles.json).toMatchObject({ percentiles: { "50": 3, "25": 1.75 } });
    const extended = await get(`/apiv2/stats/extended/json.n?${q}`);
    expect(extended.json).toMatchObject({
      extended: { count: 4, variance: expect.closeTo(2.5) as number },
    });
    expect((await get(`/apiv2/stats/all/json.n?${q}`)).json).toMatchObject({
      max: 5,
      cardinality: 4,
    });
  });

  test("volume by host", async () => {
    const { status, json } = await get(
      "/apiv2/volume-metrics?from=-24h&until=now&group_by=host&measurement_types=count",
    );
    expect(status).toBe(200);
    const { metrics } = json as { metrics: object[] };
    expect(metrics).toHaveLength(2);
    expect(metrics).toEqual(
      expect.arrayContaining([
        { host: "web-1", count: 60 },
        { host: "web-2", count: 60 },
      ]),
    );
    const one = await get("/apiv2/volume-metrics?from=-24h&host=web-1&measurement_types=count");
    expect(one.json).toMatchObject({ metrics: [{ count: 60 }] });
  });

  test("the account, without the tokens that are not good any more", async () => {
    await createKey(service, "loggly-input", { expires: "2001-01-01T00:00:00Z" });
    const { json } = await get("/apiv2/customer");
    expect(json).toEqual({
      tokens: [input.id],
      subdomain: "acme",
      subscription: { retention_days: 30, volume_limit_mb: null },
    });
    expect((await get("/apiv2/user-list")).json).toEqual({ message: "success", users: [] });
  });
});

describe("refusals", () => {
  const bad: readonly (readonly [string, number])[] = [
    ["/apiv2/search", 400],
    ["/apiv2/search?q=", 400],
    ["/apiv2/search?q=(a", 400],
    ["/apiv2/search?q=a%00%FF:[1", 400],
    ["/apiv2/search?q=*&from=yesterday", 400],
    ["/apiv2/search?q=*&from=now&until=-1h", 400],
    ["/apiv2/search?q=*&size=many", 400],
    ["/apiv2/search?q=*&size=0", 400],
    ["/apiv2/search?q=*&order=up", 400],
    ["/apiv2/events", 400],
    ["/apiv2/events?rsid=123456", 404],
    ["/apiv2/events/iterate", 400],
    ["/apiv2/events/iterate?next=123456", 404],
    ["/apiv2/events/count?q=*&include_volume=perhaps", 400],
    ["/apiv2/fields?q=*&facet_size=3000", 400],
    ["/apiv2/fields/%ff?q=*", 400],
    ["/apiv2/stats/median/json.n?q=*", 400],
    ["/apiv2/stats/avg/json.level?q=*", 400],
    ["/apiv2/volume-metrics?group_by=moon", 400],
    ["/apiv2/nothing", 404],
  ];
  test.each(bad)("%s is refused with %i and a message", async (path, status) => {
    const reply = await get(path);
    expect(reply.status).toBe(status);
    expect(reply.json).toMatchObject({ message: expect.any(String) as string });
  });

  test("a search or a cursor that has expired is gone", async () => {
    const asked = { q: "*", begin: "0", end: "1", order: "newest", size: 50, expires: 1, salt: 1 };
    const rsid = sealId({ customer: "acme", use: "loggly-search" }, asked);
    const after = { time: "1", ingested: "1", tie: "1" };
    const next = sealId({ customer: "acme", use: "loggly-cursor" }, { ...asked, after });
    for (const path of [`/apiv2/events?rsid=${rsid}`, `/apiv2/events/iterate?next=${next}`]) {
      const reply = await get(path);
      expect([path, reply.status]).toEqual([path, 410]);
      expect(reply.json).toMatchObject({ message: expect.stringContaining("expired") as string });
    }
  });

  test("other methods are refused", async () => {
    const { status, headers } = await ask(`${service.url}/apiv2/search?q=*`, { method: "POST" });
    expect({ status, allow: headers.get("allow") }).toEqual({ status: 405, allow: "GET" });
  });

  test("keys that are missing, unknown, revoked, expired or of another kind", async () => {
    const path = "/apiv2/events/count?q=*";
    const status = async (headers: Record<string, string>) =>
      (await ask(`${service.url}${path}`, { headers })).status;
    const bearer = (secret: string) => status({ authorization: `Bearer ${secret}` });
    expect(await status({})).toBe(401);
    expect((await ask(`${service.url}${path}`)).json).toMatchObject({
      message: 'no token given; send "Authorization: Bearer <token>"',
    });
    expect(await bearer("11111111-2222-3333-4444-555555555555")).toBe(401);
    expect(await bearer(input.secret)).toBe(403);
    expect(await bearer(expired.secret)).toBe(401);
    const basic = (text: string) =>
      status({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    expect(await basic(`me:${key.secret}`)).toBe(200);
    expect(await basic("me:wrong")).toBe(401);
    expect(await bearer(revoked.secret)).toBe(200);
    await revokeToken(service, revoked.id);
    await expect.poll(() => bearer(revoked.secret), { timeout: 10_000 }).toBe(401);
  });

  test("a key sees its own customer and labels alone", async () => {
    const path = "/apiv2/events/count?q=*";
    expect((await get(path, other.secret)).json).toEqual({ count: 0 });
    expect((await get(path, narrow.secret)).json).toEqual({ count: 60 });
    const search = await get("/apiv2/search?q=*");
    const { rsid } = search.json as { rsid: { id: string } };
    expect((await get(`/apiv2/events?rsid=${rsid.id}`, other.secret)).status).toBe(404);
  });
});
