// Live queries while events wait in the log: what is stored late is shown as well, each event once, in order.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeEvents, eventAt, insertEvents } from "../../consumers/store/store-fixture.ts";
import { eventRecord, withPartition } from "../../ingest/log/log-fixture.ts";
import { STORE_GROUP } from "../vendor-fixture.ts";
import { openVendorServer, type VendorServer } from "./vendor-fixture.ts";

let server: VendorServer;
let secret: string;
let inserts = 0;

beforeAll(async () => {
  server = await openVendorServer();
  await server.createKey({ kind: "logentries-log", logset: "web", log: "access" });
  ({ secret } = await server.createKey({ kind: "logentries-write" }));
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function ask(url: string, body?: object) {
  const response = await fetch(url, {
    headers: { "x-api-key": secret },
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as {
    readonly logs: readonly { readonly id: string }[];
    readonly events: readonly { readonly message: string }[];
    readonly statistics?: { readonly count: number };
    readonly links: readonly { readonly href: string }[];
  };
}

/** Stores an event that arrived at a time, ms since the epoch. */
async function store(message: string, atMs: number): Promise<void> {
  const labels = { prefix0: "web", prefix1: "access", prefix3: "logentries" };
  const event = eventAt(BigInt(atMs) * 1_000_000n, { ...labels, message });
  await insertEvents(server.opened.writer, encodeEvents([event]), `live-${inserts++}`);
}

test("nothing is shown that came after an event which waits in the log, until that one is stored", async () => {
  const { log } = server.temp;
  const { logs } = await ask(`${server.url}/management/logs`);
  const asked = { logs: logs.map(({ id }) => id) };
  const counting = { ...asked, leql: { statement: "calculate(count)" } };
  let url = (await ask(`${server.url}/query/live/logs`, asked)).links[0]?.href ?? "";
  const countUrl = (await ask(`${server.url}/query/live/logs`, counting)).links[0]?.href ?? "";

  const first = Date.now();
  await log.append([eventRecord(0, "waits")]);
  await sleep(5);
  await store("second", Date.now());
  // Longer than anything is on its way: without a look at the log it would be shown.
  await sleep(1_500);
  for (let poll = 0; poll < 3; poll++) {
    const { events, links } = await ask(url);
    expect(events).toEqual([]);
    url = links[0]?.href ?? "";
  }
  expect((await ask(countUrl)).statistics?.count).toBe(0);

  await store("first", first);
  await withPartition(log, 0, ({ commit }) => commit({ offset: 1, metadata: "" }), STORE_GROUP);
  const seen: string[] = [];
  await expect
    .poll(
      async () => {
        const { events, links } = await ask(url);
        url = links[0]?.href ?? "";
        seen.push(...events.map(({ message }) => message));
        return seen;
      },
      { timeout: 20_000, interval: 100 },
    )
    .toEqual(["first", "second"]);
  expect((await ask(url)).events).toEqual([]);
  expect((await ask(countUrl)).statistics?.count).toBe(2);
});
