// What a search need not scan again, what it would scan, how fresh it is, and who waits for whom.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  ingest,
  pollSearch,
  postSearch,
  search,
  toNdjson,
  waitForCount,
  type SearchParameters,
} from "../support/api.ts";
import { startService, type Service } from "../support/service.ts";
import { createToken } from "../support/tokens.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** So far apart that each is a slice of its own. */
const years = [2018, 2020, 2022, 2024];
const perYear = 200;
const customerScans = 3;

let service: Service;

beforeAll(async () => {
  service = await startService({
    env: {
      LOGBOOM_SEARCH_CUSTOMER_SCANS: String(customerScans),
      LOGBOOM_SEARCH_IDLE_MS: "60000",
    },
  });
  const events = years.flatMap((year) =>
    Array.from({ length: perYear }, (_, index) => ({
      time: `${year}-06-01T00:${String(index % 60).padStart(2, "0")}:00Z`,
      message: `event ${index} of ${year}`,
      prefix0: index % 2 === 0 ? "even" : "odd",
    })),
  );
  await ingest(service, toNdjson(events));
  await waitForCount(service, { regex: "event .*" }, years.length * perYear);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

const totalOf = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Every test asks for a pattern of its own. */
const counting = (regex: string, more: SearchParameters | object = {}): SearchParameters => ({
  regex,
  type: "EXACT_COUNTS_BINNED",
  ...more,
});

describe("a search that was made before", () => {
  test.each(["EXACT_COUNTS_BINNED", "BACKWARD_RESULTS", "UNSORTED_RESULTS"] as const)(
    "is not scanned again where its range is shifted, by %s",
    async (type) => {
      const asked: SearchParameters = { regex: `event 1.* of (20..|${type})`, type, limit: 10_000 };
      const whole = await search(service, asked);
      expect(whole.scannedBytes).toBeGreaterThan(0);
      const later = await search(service, { ...asked, beginTime: "2019-01-01 00:00:00" });
      expect(later.scannedBytes).toBe(0);
      expect(later.scannedBlocks).toBe(later.relevantBlocks);
      const found = (reply: typeof whole) =>
        type === "EXACT_COUNTS_BINNED" ? totalOf(reply.counts) : reply.events.length;
      expect(found(whole)).toBeGreaterThan(0);
      expect(found(later)).toBe((found(whole) / 4) * 3);
    },
  );

  test("scans anew what events came into, and no more", async () => {
    const asked = counting("(event|late) .*[0-9].*", { prefix0: "e", timeBins: 7 });
    const before = await search(service, asked);
    await ingest(
      service,
      toNdjson([{ time: "2020-06-01T00:30:00Z", message: "late 1", prefix0: "even" }]),
    );
    const after = await search(service, { ...asked, wait: 10_000 });
    expect(totalOf(after.counts)).toBe(totalOf(before.counts) + 1);
    expect(after.scannedBytes).toBeGreaterThan(0);
    expect(after.scannedBytes).toBeLessThan(before.scannedBytes / 2);
  });

  test("is another for another scope", async () => {
    const even = await createToken(service, "read", ["even"]);
    const odd = await createToken(service, "read", ["odd"]);
    const asked = counting("event [0-9]* of 2.*");
    const replies = [];
    for (const { secret } of [even, odd]) {
      const narrow = { url: service.url, writeToken: "", readToken: secret };
      // A running service takes up what the command line writes within a second.
      await vi.waitFor(
        async () => expect((await postSearch(narrow, { regex: "none" })).status).toBe(200),
        { timeout: 10_000 },
      );
      replies.push(await search(narrow, asked));
    }
    for (const reply of replies) {
      expect(totalOf(reply.counts)).toBe((years.length * perYear) / 2);
      expect(reply.scannedBytes).toBeGreaterThan(0);
    }
    expect(replies.map(({ contexts }) => contexts.map(({ prefix0 }) => prefix0))).toEqual([
      ["even"],
      ["odd"],
    ]);
  });
});

test("counts of everything are answered without reading an event", async () => {
  const reply = await search(service, counting(".*", { prefix0: "odd" }));
  expect(totalOf(reply.counts)).toBe((years.length * perYear) / 2);
  expect(reply.scannedBytes).toBe(0);
  expect(reply.contexts).toHaveLength(1);
  // Bins that cut an hour in two need its events.
  const cut = await search(
    service,
    counting(".*", {
      prefix0: "odd",
      beginTime: "2024-06-01 00:00:00",
      endTime: "2024-06-01 01:00:00",
      timeBins: 2,
    }),
  );
  const odd = Array.from({ length: perYear }, (_, index) => index).filter(
    (index) => index % 2 === 1,
  );
  const early = odd.filter((index) => index % 60 < 30).length;
  expect(cut.counts).toEqual([early, odd.length - early]);
});

test("a dry run says what would be read, and reads nothing", async () => {
  const asked = counting("event .* of 2018");
  const scannedBefore = await metric("logboom_search_scanned_bytes_total");
  const response = await postSearch(service, { ...asked, dryRun: "true" } as SearchParameters);
  const dry = (await response.json()) as Record<string, number>;
  expect(await metric("logboom_search_scanned_bytes_total")).toBe(scannedBefore);
  const real = await search(service, asked);
  expect(dry["totalBlocks"]).toBe(real.totalBlocks);
  expect(dry["relevantBlocks"]).toBe(real.relevantBlocks);
  expect(dry["bytesToScan"]).toBe(dry["relevantBytes"]);
  expect(dry["bytesToScan"]).toBeGreaterThanOrEqual(real.scannedBytes);
  expect(dry).toMatchObject({ scannedBytes: 0, events: [], complete: false, error: null });
});

test("a dry run that waits knows of what was acknowledged before", async () => {
  await ingest(service, toNdjson([{ message: "planned", prefix0: "planned" }]));
  const asked = counting("planned", { prefix0: "planned", wait: 10_000 });
  const response = await postSearch(service, { ...asked, dryRun: "true" } as SearchParameters);
  expect(await response.json()).toMatchObject({ relevantBlocks: 1, relevantBytes: 7 });
});

describe("freshness", () => {
  test("a client that waits reads its own writes, every time", async () => {
    for (let round = 1; round <= 5; round++) {
      await ingest(service, toNdjson([{ message: `own write ${round}`, prefix0: "own" }]));
      const acknowledged = BigInt(Date.now()) * 1_000_000n;
      const asked = counting("own write .*", { wait: 10_000 });
      const reply = await search(service, asked);
      expect(totalOf(reply.counts)).toBe(round);
      expect(BigInt(reply.searchableUntil ?? 0)).toBeGreaterThanOrEqual(acknowledged);
    }
  });

  test.each([
    ["wait", "10001"],
    ["wait", "-1"],
    ["wait", "soon"],
    ["dryRun", "1"],
  ])("%s=%s is refused by name", async (name, value) => {
    const response = await postSearch(service, {
      regex: ".*",
      [name]: value,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errorCode: "BAD_REQUEST",
      details: { field: name },
    });
  });
});

test("a customer has so many searches at a time, and is told when to come again", async () => {
  const store = service.findClickHouse();
  if (store === undefined) throw new Error("no store process");
  process.kill(store, "SIGSTOP");
  try {
    for (let index = 0; index < customerScans; index++) {
      expect((await pollSearch(service, counting(`stuck ${index}.*`))).complete).toBe(false);
    }
    const refused = await postSearch(service, counting("one more.*"));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({
      errorCode: "RATE_LIMITED",
      details: { limit: customerScans },
      stopped: true,
    });
  } finally {
    process.kill(store, "SIGCONT");
  }
  expect(totalOf((await search(service, counting("stuck 0.*"))).counts)).toBe(0);
  expect((await search(service, counting("one more.*"))).complete).toBe(true);
});
