// The life of a search: idle stop and resume, its hash, its scope, and what its parameters allow.
import { setTimeout as sleep } from "node:timers/promises";
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
import { showReplyEvents } from "../support/compare.ts";
import { checkSnapshot, createWatch, replyKeys, type SearchReply } from "../support/snapshots.ts";
import { startService, type Endpoint, type Service } from "../support/service.ts";
import { createToken } from "../support/tokens.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

/** Longer than a poll waits for its answer, far shorter than the slow search below. */
const idleMs = 500;
const hours = 240;
const eventsPerHour = 64;
const base = BigInt(Date.UTC(2026, 3, 1)) * 1_000_000n;

let service: Service;

beforeAll(async () => {
  service = await startService({
    // One statement at a time, so that the slow search is slow on any machine.
    env: { LOGBOOM_SEARCH_IDLE_MS: String(idleMs), LOGBOOM_SEARCH_CONCURRENCY: "1" },
  });
  await ingest(
    service,
    toNdjson([
      { time: "2026-01-01T00:00:00Z", message: "small one", prefix0: "web-1", prefix1: "app" },
      { time: "2026-01-01T00:00:01Z", message: "small two", prefix0: "web-2", prefix1: "app" },
      { time: "2026-01-01T00:00:02Z", message: "small three", prefix0: "db", prefix1: "app" },
    ]),
  );
  await waitForCount(service, { regex: "small .*" }, 3);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** Enough bytes over many hours that a search which checks each event exactly takes seconds. */
async function ingestMuch(): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    const events = Array.from({ length: eventsPerHour }, (_, index) => ({
      time: String(base + BigInt(hour * 3600 + index) * 1_000_000_000n),
      message: `${`id=1${index} a b c d e f `.repeat(700)}id=${index} end`,
    }));
    await ingest(service, toNdjson(events), { query: { prefix0: "much" } });
  }
  await waitForCount(service, { regex: ".*", prefix0: "much" }, hours * eventsPerHour);
}

describe("a search that nobody polls", () => {
  const slow: SearchParameters = {
    regex: ".*id=([0-9]+~1.*) .*",
    type: "EXACT_COUNTS_BINNED",
    prefix0: "much",
    timeBins: hours,
  };

  test("stops, and resumes where it stood when it is polled again", async () => {
    await ingestMuch();
    // The time of a whole scan, with its polls; another hash, so that nothing of it is reused here.
    const begin = performance.now();
    const whole = await search(service, { ...slow, regex: ".*id=([0-9]+~2.*) .*" });
    const wholeMs = performance.now() - begin;

    const watch = createWatch("EXACT_COUNTS_BINNED");
    const first = await pollSearch(service, slow);
    checkSnapshot(watch, first);
    expect(first.complete, `a whole scan takes ${wholeMs.toFixed(0)} ms`).toBe(false);
    await sleep(2 * wholeMs + 4 * idleMs);
    const resumed = await pollSearch(service, slow);
    checkSnapshot(watch, resumed);
    console.log(
      `whole scan ${wholeMs.toFixed(0)} ms; blocks at first ${first.scannedBlocks}, after the ` +
        `pause ${resumed.scannedBlocks}, of ${resumed.relevantBlocks}`,
    );
    expect(resumed.complete).toBe(false);
    expect(resumed.scannedBlocks).toBeLessThan(resumed.relevantBlocks);
    let last = resumed;
    while (!last.complete) {
      await sleep(50);
      last = await pollSearch(service, slow);
      checkSnapshot(watch, last);
    }
    expect(last.relevantBlocks).toBe(whole.relevantBlocks);
    // Of the numbers 0 … 63 at the end of a message, 11 begin with a 1.
    expect(last.counts.reduce((sum, count) => sum + count, 0)).toBe(hours * (eventsPerHour - 11));
    expect(last.scannedBytes).toBe(whole.scannedBytes);
  });
});

test("what a newest-first search shows before it is complete is in final order", async () => {
  const asked: SearchParameters = {
    // Of the numbers 0 … 63 only 6 and 63.
    regex: ".*id=([0-9]+~([0-57-9].*|6[0-24-9].*)) .*",
    type: "BACKWARD_RESULTS",
    prefix0: "much",
    limit: 400,
  };
  const watch = createWatch("BACKWARD_RESULTS");
  const partial: string[][] = [];
  let reply = await pollSearch(service, asked);
  const timesOf = ({ events }: SearchReply): string[] => events.map(({ time }) => time);
  while (!reply.complete) {
    checkSnapshot(watch, reply);
    if (reply.events.length > 0) partial.push(timesOf(reply));
    await sleep(50);
    reply = await pollSearch(service, asked);
  }
  checkSnapshot(watch, reply);
  // No two of these events have the same time: there are two in each of the newest hours.
  const final = timesOf(reply);
  expect(final).toHaveLength(400);
  expect(new Set(final).size).toBe(400);
  console.log(`partial answers of ${partial.map(({ length }) => length).join(", ")} events`);
  expect(partial).not.toEqual([]);
  for (const times of partial) {
    const shown = new Set(times);
    expect(final.filter((time) => shown.has(time))).toEqual(
      times.filter((time) => final.includes(time)),
    );
  }
});

describe("the hash of a search", () => {
  const hashOf = async (body: string): Promise<string> => {
    const response = await postSearch(service, body);
    expect(response.status).toBe(200);
    return ((await response.json()) as SearchReply).fullHash;
  };
  const plain = "customer=acme&regex=small+.*";

  const same = [
    "regex=small+.*&customer=acme",
    `${plain}&unknown=parameter`,
    `${plain}&limit=100&timeBins=1&type=UNSORTED_RESULTS&prefix0=&xSplits=&ySplits=`,
    `${plain}&beginTime=1970-01-01T01:00:00Z&endTime=2254-07-22+01:34:33.000`,
    `${plain}&beginTime=1970-01-01+03:00:00%2B0200&endTime=2254-07-22T01:34:33.0000000009`,
    "customer=acme&regex=%73mall%20.%2A",
  ];
  test.for(same)("is the same for %s", async (body) => {
    expect(await hashOf(body)).toBe(await hashOf(plain));
  });

  const different = [
    "customer=acme&regex=small+.%2B",
    `${plain}&limit=99`,
    `${plain}&type=BACKWARD_RESULTS`,
    `${plain}&prefix3=x`,
    `${plain}&endTime=2254-07-22+01:34:32.999999999`,
    `${plain}&timeBins=2`,
  ];
  test.for(different)("differs for %s", async (body) => {
    expect(await hashOf(body)).not.toBe(await hashOf(plain));
  });

  test("takes splits by their values", async () => {
    const histogram = "customer=acme&regex=.*(?<y>[0-9]).*&type=EXACT_XY_HISTOGRAM_BINNED&ySplits=";
    expect(await hashOf(`${histogram}1,2.50`)).toBe(await hashOf(`${histogram}1.0,2.5`));
  });

  test("is the same over a restart", async () => {
    const before = await hashOf(plain);
    await service.stop();
    await service.start();
    expect(await hashOf(plain)).toBe(before);
  });
});

test("the same search under two scopes has two answers, whichever is asked first", async () => {
  const scopeOf = async (prefix0: string): Promise<Endpoint> => {
    const { secret } = await createToken(service, "read", [prefix0]);
    return { url: service.url, writeToken: "", readToken: secret };
  };
  const web = await scopeOf("web-");
  const db = await scopeOf("db");
  const asked: SearchParameters = { regex: "small t.*|small o.*", type: "BACKWARD_RESULTS" };
  const messages = async (endpoint: Endpoint): Promise<string[]> =>
    showReplyEvents(await search(endpoint, asked)).map(({ message }) => message);
  for (let repeat = 0; repeat < 2; repeat += 1) {
    expect(await messages(service)).toEqual(["small three", "small two", "small one"]);
    expect(await messages(web)).toEqual(["small two", "small one"]);
    expect(await messages(db)).toEqual(["small three"]);
  }
  const counts = { ...asked, type: "EXACT_COUNTS_BINNED" } as const;
  expect((await search(db, counts)).counts).toEqual([1]);
  expect((await search(web, counts)).counts).toEqual([2]);
  expect((await search(service, counts)).totalBlocks).toBeGreaterThan(0);
});

describe("times of a search", () => {
  const inRange: readonly (readonly [string, string, number])[] = [
    ["2026-01-01 00:00:00", "2026-01-01 00:00:02", 2],
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:02.000000001Z", 3],
    ["2026-01-01T00:00:00.000000001", "2026-01-01T00:00:02.0000000019", 2],
    ["2026-01-01 01:00:01+01:00", "2025-12-31 22:30:02-0130", 1],
    ["2026-01-01 00:00:02", "2026-01-01 00:00:02", 0],
    ["2026-01-01 00:00:03", "2026-01-01 00:00:01", 0],
  ];
  test.for(inRange)("from %s to %s are %i events", async ([beginTime, endTime, expected]) => {
    const asked = { regex: "small .*", beginTime, endTime };
    const counts = await search(service, { ...asked, type: "EXACT_COUNTS_BINNED" });
    expect(counts.counts.reduce((sum, count) => sum + count, 0)).toBe(expected);
    expect((await search(service, asked)).events).toHaveLength(expected);
  });

  test("a begin at or after the end is answered at once: 200, empty, complete", async () => {
    const reply = await pollSearch(service, {
      regex: ".*",
      beginTime: "2026-01-02 00:00:00",
      endTime: "2026-01-01 00:00:00",
      type: "BACKWARD_RESULTS",
    });
    expect(reply).toMatchObject({ complete: true, events: [], contexts: [], error: null });
  });
});

describe("parameters out of their range", () => {
  const numbers = (count: number): string => Array.from({ length: count }, (_, n) => n).join(",");
  const histogram = { type: "EXACT_XY_HISTOGRAM_BINNED", regex: ".*(?<x>\\d).*(?<y>\\d).*" };
  /** What is wrong, how it is asked, and what the reply must mention. */
  const refused: readonly (readonly [string, Record<string, string>, string])[] = [
    ["limit 0", { limit: "0" }, "limit"],
    ["limit 10001", { limit: "10001" }, "limit"],
    ["limit 1.5", { limit: "1.5" }, "limit"],
    ["limit -1", { limit: "-1" }, "limit"],
    ["limit many", { limit: "many" }, "limit"],
    ["timeBins 0", { timeBins: "0" }, "timeBins"],
    ["timeBins 4097", { timeBins: "4097" }, "timeBins"],
    ["an unknown type", { type: "NEWEST" }, "type"],
    ["a type in lower case", { type: "unsorted_results" }, "type"],
    ["a begin in words", { beginTime: "yesterday" }, "beginTime"],
    ["a begin without a time of day", { beginTime: "2026-01-01" }, "beginTime"],
    ["the end on February 30", { endTime: "2026-02-30 00:00:00" }, "endTime"],
    ["an end in seconds", { endTime: "1700000000" }, "endTime"],
    ["equal splits", { ...histogram, xSplits: "1,1" }, "xSplits"],
    ["descending splits", { ...histogram, xSplits: "2,1" }, "xSplits"],
    ["a split in words", { ...histogram, ySplits: "1,two" }, "ySplits"],
    ["an empty split", { ...histogram, ySplits: "1,,2" }, "ySplits"],
    ["a split that is NaN", { ...histogram, ySplits: "NaN" }, "ySplits"],
    ["1025 splits", { ...histogram, xSplits: numbers(1025) }, "xSplits"],
    [
      "more than 4,194,304 cells",
      { ...histogram, timeBins: "4096", xSplits: numbers(31), ySplits: numbers(32) },
      "4194304",
    ],
  ];

  test.for(refused)("%s: refused with its name", async ([, parameters, name]) => {
    const body = new URLSearchParams({ customer: "acme", regex: ".*", ...parameters });
    const response = await postSearch(service, body.toString());
    expect(response.status).toBe(400);
    const reply = (await response.json()) as SearchReply;
    expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
    expect(reply).toMatchObject({ errorCode: "BAD_REQUEST", events: [], counts: [], contexts: [] });
    expect(reply.error?.replaceAll(/(?<=\d),(?=\d)/g, "")).toContain(name);
  });

  test("the largest that is allowed is answered", async () => {
    const reply = await search(service, {
      regex: "small .*(?<x>\\d).*(?<y>\\d)",
      type: "EXACT_XY_HISTOGRAM_BINNED",
      timeBins: 4096,
      xSplits: numbers(31),
      ySplits: numbers(31),
    });
    expect(reply.counts).toHaveLength(4096 * 32 * 32);
    const most = await search(service, { regex: "small .*", limit: 10_000, timeBins: 4096 });
    expect(most.events).toHaveLength(3);
  });
});
