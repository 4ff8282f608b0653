// Searches while the store is killed or hangs, and while the service itself is started again: exact at the end.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ingest, pollSearch, postSearch, toNdjson, waitForCount } from "../support/api.ts";
import type { SearchParameters } from "../support/api.ts";
import { checkSnapshot, createWatch, type SearchReply } from "../support/snapshots.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const rounds = Number(process.env["E2E_FAULT_ROUNDS"] ?? 1);
/** So far apart that each is a slice of its own. */
const years = Array.from({ length: 16 }, (_, index) => 1990 + 2 * index);
const perYear = 50;
/** Of the numbers 0 … 49 at the end of a message those that do not begin with a 4. */
const matchingPerYear = 39;

let service: Service;
let questions = 0;

beforeAll(async () => {
  service = await startService({
    // One statement at a time, so that there is a time between the first and the last.
    env: { LOGBOOM_SEARCH_CONCURRENCY: "1", LOGBOOM_SEARCH_REUSE_BYTES: "0" },
  });
  for (const year of years) {
    const events = Array.from({ length: perYear }, (_, index) => ({
      time: `${year}-06-01T00:00:${String(index).padStart(2, "0")}Z`,
      message: `${`id=4${index} a b c d e f `.repeat(1500)}id=${index} end of ${year}`,
    }));
    await ingest(service, toNdjson(events));
  }
  // Read from the events: a count of all is read from the statistics, which an insert may reach first.
  await waitForCount(service, { regex: ".*end of.*" }, years.length * perYear);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** Every event is decided by the service, and no two questions are the same. */
function ask(type: "EXACT_COUNTS_BINNED" | "BACKWARD_RESULTS"): SearchParameters {
  return { regex: `.*id=([0-9]+~4.*) .*|no ${++questions}`, type, limit: 10_000 };
}

function expectExact(reply: SearchReply, type: string): void {
  expect(reply).toMatchObject({ complete: true, failedBlocks: 0, error: null });
  expect(reply.scannedBlocks).toBe(reply.relevantBlocks);
  const found = type.startsWith("EXACT_") ? reply.counts[0] : reply.events.length;
  expect(found).toBe(years.length * matchingPerYear);
}

/** Polls a new search until it is in the middle of its scan. */
async function pollToTheMiddle(type: Parameters<typeof ask>[0]) {
  for (let tries = 0; tries < 20; tries++) {
    const asked = ask(type);
    const watch = createWatch(type);
    for (;;) {
      const reply = await pollSearch(service, asked);
      checkSnapshot(watch, reply);
      if (reply.complete) break;
      if (reply.scannedBlocks > 0) return { asked, watch };
    }
  }
  throw new Error("every search was complete at once");
}

async function pollToTheEnd(asked: SearchParameters, watch: ReturnType<typeof createWatch>) {
  for (;;) {
    const reply = await pollSearch(service, asked);
    checkSnapshot(watch, reply);
    if (reply.complete) return reply;
    await sleep(100);
  }
}

const types = ["EXACT_COUNTS_BINNED", "BACKWARD_RESULTS"] as const;
const each = types.flatMap((type) =>
  Array.from({ length: rounds }, (_, round) => [type, round] as const),
);

test.each(each)(
  "the store is killed in mid-scan: no block fails, the answer is exact: %s, round %i",
  async (type) => {
    const { asked, watch } = await pollToTheMiddle(type);
    expect(service.killClickHouseOnly()).toBeDefined();
    expectExact(await pollToTheEnd(asked, watch), type);
  },
);

test.each(each)(
  "the store hangs in mid-scan: polls are answered, and the answer is exact: %s, round %i",
  async (type) => {
    const { asked, watch } = await pollToTheMiddle(type);
    const store = service.findClickHouse();
    if (store === undefined) throw new Error("no store process");
    process.kill(store, "SIGSTOP");
    try {
      for (let polls = 0; polls < 3; polls++) {
        checkSnapshot(watch, await pollSearch(service, asked));
        await sleep(300);
      }
      expect(watch.last?.complete).toBe(false);
    } finally {
      process.kill(store, "SIGCONT");
    }
    expectExact(await pollToTheEnd(asked, watch), type);
  },
);

test.each(each)(
  "the service is killed in mid-scan: the next identical poll starts anew: %s, round %i",
  async (type) => {
    const { asked } = await pollToTheMiddle(type);
    await service.killServiceOnly();
    await service.start();
    const response = await postSearch(service, asked);
    expect(response.status).toBe(200);
    const first = (await response.json()) as SearchReply;
    expect(first.error).toBe(null);
    const watch = createWatch(type);
    checkSnapshot(watch, first);
    expectExact(await pollToTheEnd(asked, watch), type);
  },
);

test("the store is killed after the end: polls go on, and the answer comes back as it was", async () => {
  const asked: SearchParameters = { regex: ".*end of 19.*", type: "EXACT_COUNTS_BINNED" };
  const before = await pollToTheEnd(asked, createWatch("EXACT_COUNTS_BINNED"));
  // A finished answer is not checked again at once.
  await sleep(500);
  expect(service.killClickHouseOnly()).toBeDefined();
  const after = await pollToTheEnd(asked, createWatch("EXACT_COUNTS_BINNED"));
  expect(after).toMatchObject({ counts: before.counts, failedBlocks: 0, error: null });
});

test("the store hangs after the end: polls are answered without an end, then as it was", async () => {
  const asked: SearchParameters = { regex: ".*end of 20.*", type: "EXACT_COUNTS_BINNED" };
  const before = await pollToTheEnd(asked, createWatch("EXACT_COUNTS_BINNED"));
  // A finished answer is not checked again at once.
  await sleep(500);
  const store = service.findClickHouse();
  if (store === undefined) throw new Error("no store process");
  process.kill(store, "SIGSTOP");
  try {
    // Both are there before the store can tell anything.
    for (let polls = 0; polls < 2; polls++) {
      expect(await pollSearch(service, asked)).toMatchObject({ complete: false, error: null });
    }
  } finally {
    process.kill(store, "SIGCONT");
  }
  const after = await pollToTheEnd(asked, createWatch("EXACT_COUNTS_BINNED"));
  expect(after).toMatchObject({ counts: before.counts, failedBlocks: 0, error: null });
});

test("a dry run without the store is told to come again", async () => {
  const asked = new URLSearchParams({ customer: "acme", regex: ".*", dryRun: "true" }).toString();
  const store = service.findClickHouse();
  if (store === undefined) throw new Error("no store process");
  expect(service.killClickHouseOnly()).toBe(store);
  const response = await postSearch(service, asked);
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
  expect(await response.json()).toMatchObject({ errorCode: "UNAVAILABLE", complete: false });
});
