// Consumption over hours that run and hours in the store: exact, in pages, and of the key's environment alone.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ConsumptionKeeper } from "../../../consumers/keep-consumption.ts";
import { principalOf } from "../../../ingest/keys/permission.ts";
import { Limits } from "../../../ingest/limits/limits.ts";
import { Usage } from "../../../ingest/limits/usage.ts";
import { TokenStore } from "../../../ingest/tokens.ts";
import {
  openTestStore,
  select,
  silentLogger,
  waitUntil,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";
import { openTempLog, type TempLog } from "../../ingest/log/log-fixture.ts";
import { serveVendors, type ServedVendors } from "../vendor-fixture.ts";
import { ask } from "../../support/keys.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const HOUR_MS = 3_600_000;
const HOURS = 30;
const none = ["", "", "", ""] as const;

let opened: TestStore;
let temp: TempLog;
let tokens: TokenStore;
let server: ServedVendors;
const secrets: Record<string, string> = {};
const ids: Record<string, string> = {};
/** The hour that runs now, since 1970. */
let thisHour: number;

beforeAll(async () => {
  opened = await openTestStore();
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log);
  for (const [name, environment, tier] of [
    ["one", "production", "standard"],
    ["two", "production", "enterprise"],
    ["staging", "staging", "standard"],
    ["foreign", "production", "standard"],
  ] as const) {
    const customer = name === "foreign" ? "other" : "acme";
    const { record, secret } = await tokens.create({
      kind: "logtrace",
      customer,
      environment,
      tier,
      prefixes: [...none],
    });
    secrets[name] = secret;
    ids[name] = record.id;
  }
  for (const [name, prefixes] of [
    ["reader", [...none]],
    ["stagingReader", ["stag", "", "", ""]],
    ["serviceReader", ["", "cart", "", ""]],
  ] as const) {
    const made = await tokens.create({
      kind: "read",
      customer: "acme",
      prefixes: [...prefixes] as [string, string, string, string],
    });
    secrets[name] = made.secret;
  }
  // Close to the end of an hour the figures would be of two.
  if (HOUR_MS - (Date.now() % HOUR_MS) < 30_000) await new Promise((go) => setTimeout(go, 31_000));
  thisHour = Math.floor(Date.now() / HOUR_MS);
  for (let back = HOURS; back >= 0; back--) await consume(back);
  const keeper = ConsumptionKeeper.start({
    log: temp.log,
    store: opened.writer,
    logger: silentLogger,
    retentionDays: 30,
    intervalMs: 10,
  });
  await waitUntil("all hours that are over are stored", async () => {
    const [row] = await select<{ n: number }>(
      opened.reader,
      "SELECT toInt32(uniqExact(hour)) AS n FROM consumption",
    );
    return (row?.n ?? 0) >= HOURS - 1;
  });
  await keeper.close();
  server = await serveVendors({ log: temp.log, store: opened.reader, tokens });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await tokens.close();
  await temp[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** What two edges counted so many hours ago: of each key other numbers, which the tests add up again. */
async function consume(back: number): Promise<void> {
  const now = () => (thisHour - back) * HOUR_MS + 1_000;
  const edges = await Promise.all([0, 1].map(() => Usage.open(temp.log, { now, flushMs: 1e9 })));
  for (const [place, edge] of edges.entries()) {
    const limits = new Limits(edge, now);
    for (const [name, id] of Object.entries(ids)) {
      const record = tokens.list().find((one) => one.id === id);
      if (record === undefined) throw new Error(`no key ${name}`);
      const principal = principalOf(record);
      limits.take(principal, "ingest", requestsOf(name, back) + place);
      limits.countEvents(principal, 10 * (back + 1), 1_000);
      if (back % 2 === 0) limits.take(principal, "ingest", 1_000_000);
      if (place === 0) limits.take(principal, "query", 3);
    }
    await edge.close();
  }
}

function requestsOf(name: string, back: number): number {
  return name === "one" ? 1 + back : name === "two" ? 100 + back : 1_000 + back;
}

interface Row {
  readonly hour: string;
  readonly environment: string;
  readonly key: string;
  readonly ingest: { requests: number; refused: number; limit: number | null };
  readonly query: { requests: number; refused: number; limit: number | null };
  readonly events: number;
  readonly bytes: number;
}

interface Answer {
  readonly data: readonly Row[];
  readonly totals: { ingest: { requests: number; refused: number }; events: number; bytes: number };
  readonly keys: readonly { id: string; tier: string; limits: { ingest: number } }[];
  readonly next_cursor: string | null;
}

const get = (parameters: string, key = "reader") =>
  ask(`${server.url}/v1/analytics/consumption?${parameters}`, {
    headers: { authorization: `Bearer ${secrets[key] ?? key}` },
  });

const answerOf = async (parameters: string, key?: string): Promise<Answer> => {
  const { status, json, text } = await get(parameters, key);
  if (status !== 200) throw new Error(text);
  return json as Answer;
};

const isoHour = (back: number) =>
  new Date((thisHour - back) * HOUR_MS).toISOString().replace(".000Z", "Z");

describe("the figures", () => {
  test("of every hour and key are those of all edges, in the store or not", async () => {
    const { data } = await answerOf(`from=-${HOURS}h`, "staging");
    expect(data.map(({ hour }) => hour)).toEqual(
      Array.from({ length: HOURS + 1 }, (_, back) => isoHour(back)),
    );
    for (const [back, row] of data.slice(1).entries()) {
      const hoursAgo = back + 1;
      expect(row).toEqual({
        hour: isoHour(hoursAgo),
        environment: "staging",
        key: ids["staging"],
        ingest: {
          requests: 2 * requestsOf("staging", hoursAgo) + 1,
          refused: hoursAgo % 2 === 0 ? 2_000_000 : 0,
          limit: 10_000,
        },
        query: { requests: 3, refused: 0, limit: 2_000 },
        events: 20 * (hoursAgo + 1),
        bytes: 2_000,
      });
    }
  });

  test("add up to the totals, whatever the page", async () => {
    const whole = await answerOf(`from=-${HOURS}h&key=${ids["two"]}`);
    const requests = Array.from(
      { length: HOURS + 1 },
      (_, back) => 2 * requestsOf("two", back) + 1,
    ).reduce((sum, one) => sum + one, 0);
    expect(whole.totals).toMatchObject({
      ingest: { requests },
      bytes: 2_000 * (HOURS + 1),
    });
    const page = await answerOf(`from=-${HOURS}h&key=${ids["two"]}&limit=1`);
    expect(page.totals).toEqual(whole.totals);
    expect(page.keys).toMatchObject([
      { id: ids["two"], tier: "enterprise", limits: { ingest: 50_000 } },
    ]);
  });

  test("of the hours asked for alone", async () => {
    const from = new Date((thisHour - 5) * HOUR_MS + 60_000).toISOString();
    const to = new Date((thisHour - 3) * HOUR_MS).toISOString();
    const { data } = await answerOf(`from=${from}&to=${to}&environment=staging`);
    expect(data.map(({ hour }) => hour)).toEqual([3, 4, 5].map(isoHour));
    expect((await answerOf("from=-300d&to=-200d")).data).toEqual([]);
  });

  test("come in pages, each row once, newest first", async () => {
    const whole = await answerOf(`from=-${HOURS}h`);
    expect(whole.data).toHaveLength((HOURS + 1) * 3);
    expect(whole.next_cursor).toBeNull();
    for (const limit of [4, 31, 93]) {
      const rows: Row[] = [];
      let cursor: string | null = null;
      do {
        const more: string = cursor === null ? "" : `&cursor=${cursor}`;
        const page: Answer = await answerOf(`from=-${HOURS}h&limit=${limit}${more}`);
        rows.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null);
      expect(rows).toEqual(whole.data);
    }
  });
});

describe("who may see them", () => {
  test("a LogTrace key sees its environment, a native read key all of its customer's that its labels allow", async () => {
    const seen = async (key: string, more = "") =>
      [...new Set((await answerOf(`from=-3h${more}`, key)).data.map((row) => row.key))].toSorted();
    const [one = "", two = "", staging = "", foreign = ""] = Object.values(ids);
    expect(await seen("one")).toEqual([one, two].toSorted());
    expect(await seen("staging")).toEqual([staging]);
    expect(await seen("foreign")).toEqual([foreign]);
    expect(await seen("reader")).toEqual([one, two, staging].toSorted());
    expect(await seen("reader", "&environment=production")).toEqual([one, two].toSorted());
    expect(await seen("stagingReader")).toEqual([staging]);
    expect(await seen("one", `&key=${staging}`)).toEqual([]);
  });

  test("another environment is forbidden, and so is a part of its labels", async () => {
    for (const [key, parameters] of [
      ["one", "environment=staging"],
      ["stagingReader", "environment=production"],
      ["serviceReader", ""],
    ] as const) {
      expect(await get(parameters, key)).toMatchObject({
        status: 403,
        json: { code: "NO_PERMISSION", details: { reason: "wrong-environment" } },
      });
    }
    expect((await get("", "lt_live_00000000000000000000000000000000")).status).toBe(401);
  });

  test("asking is itself counted, and seen at once", async () => {
    const mine = async () => {
      const { data } = await answerOf(`from=now&key=${ids["foreign"]}`, "foreign");
      return data[0]?.query.requests ?? 0;
    };
    const before = await mine();
    expect(await mine()).toBe(before + 1);
  });
});

test.each([
  "from=noon",
  "to=never",
  "from=now&to=-1h",
  "from=-400d",
  "limit=0",
  "limit=10001",
  "limit=x",
  "cursor=nonsense",
])("%s is refused with 400", async (parameters) => {
  expect(await get(parameters)).toMatchObject({
    status: 400,
    json: { status: "error", code: "BAD_REQUEST", error: expect.any(String) as string },
  });
});
