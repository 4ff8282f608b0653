// Vendors' questions when the store has no room for them: they are polled for, given up, and counted.
import { afterAll, beforeAll, expect, test } from "vitest";
import { TokenStore } from "../../ingest/tokens.ts";
import { StatementPool } from "../../query/search/statement-pool.ts";
import { createInstruments } from "../../schemas/instruments.ts";
import {
  encodeEvents,
  eventAt,
  insertEvents,
  openTestStore,
  waitUntil,
  type TestStore,
} from "../consumers/store/store-fixture.ts";
import { openTempLog, type TempLog } from "../ingest/log/log-fixture.ts";
import { serveVendors, type ServedVendors } from "./vendor-fixture.ts";

let opened: TestStore;
let temp: TempLog;
let tokens: TokenStore;
let server: ServedVendors;
const pool = new StatementPool(1);
const instruments = createInstruments(false);
const secrets: Record<string, string> = {};
const now = Date.now();

beforeAll(async () => {
  opened = await openTestStore();
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log);
  server = await serveVendors({
    log: temp.log,
    store: opened.reader,
    tokens,
    pool,
    instruments,
  });
  for (const kind of ["logentries-read", "loggly-api"] as const) {
    secrets[kind] = (
      await tokens.create({ kind, customer: "acme", prefixes: ["", "", "", ""] })
    ).secret;
  }
  const time = BigInt(now - 60_000) * 1_000_000n;
  const events = Array.from({ length: 5 }, (_, n) =>
    ["logentries", "loggly"].map((prefix3) =>
      eventAt(time + BigInt(n), {
        prefix0: "web",
        prefix1: "access",
        prefix3,
        message: `line ${n}`,
      }),
    ),
  );
  await insertEvents(opened.writer, encodeEvents(events.flat()), "1");
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await tokens.close();
  await temp[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** Takes the only statement there is, until told. */
function occupyPool(): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = pool.run("somebody", "else", 1, () => promise);
  return async () => {
    resolve(undefined);
    await done;
  };
}

async function get(
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; json: Answer }> {
  const url = path.startsWith("http") ? path : `${server.url}${path}`;
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
  return { status: response.status, json: (await response.json()) as Answer };
}

interface Answer {
  readonly logs: readonly { readonly id: string }[];
  readonly links?: readonly { readonly rel: string; readonly href: string }[];
  readonly [field: string]: unknown;
}

/** Those that there have been. */
async function outcomes(api: string): Promise<Record<string, number>> {
  const { values } = await instruments.logboom_vendor_requests_total.get();
  return Object.fromEntries(
    values
      .filter(({ labels, value }) => labels["api"] === api && value > 0)
      .map(({ labels, value }) => [labels["outcome"], value]),
  );
}

test("a LEQL query that takes long is answered with 202 and polled for by its Self link", async () => {
  const headers = { "x-api-key": secrets["logentries-read"] ?? "" };
  const { json: listed } = await get("/management/logs", headers);
  const release = occupyPool();
  const path = `/query/logs/${listed.logs[0]?.id}?from=${now - 120_000}&to=${now}`;
  const started = await get(path, headers);
  expect(started).toMatchObject({
    status: 202,
    json: {
      logs: [listed.logs[0]?.id],
      id: expect.any(String) as string,
      progress: 0,
      query: { statement: "", during: { from: now - 120_000, to: now } },
      links: [{ rel: "Self" }],
    },
  });
  const self = started.json.links?.[0]?.href ?? "";
  expect(self).toBe(`${server.url}/query/${String(started.json["id"])}`);
  const polled = await get(self, headers);
  expect(polled).toMatchObject({
    status: 200,
    json: { progress: 0, events: [], links: [{ rel: "Self", href: self }] },
  });
  await release();
  const finished = await get(self, headers);
  expect(finished.status).toBe(200);
  expect(finished.json["events"]).toHaveLength(5);
  expect(finished.json).not.toHaveProperty("links");
});

test("a question whose client goes is given up, and counted as gone", async () => {
  const release = occupyPool();
  const client = new AbortController();
  const answer = fetch(`${server.url}/apiv2/events/count?q=*`, {
    headers: { authorization: `Bearer ${secrets["loggly-api"] ?? ""}` },
    signal: client.signal,
  });
  setTimeout(() => client.abort(), 300);
  await expect(answer).rejects.toThrow();
  await release();
  await waitUntil("counted", async () => (await outcomes("loggly"))["gone"] === 1);
  const { status } = await get("/apiv2/events/count?q=*", {
    authorization: `Bearer ${secrets["loggly-api"] ?? ""}`,
  });
  expect(status).toBe(200);
  expect(await outcomes("loggly")).toEqual({ gone: 1, answered: 1 });
});

test("requests are counted by their outcome", async () => {
  await get("/query/logs/nothing?from=1&to=2", { "x-api-key": secrets["logentries-read"] ?? "" });
  expect(await outcomes("logentries")).toMatchObject({ refused: 1 });
});
