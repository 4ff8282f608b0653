// Searches made to be costly: hostile patterns, a thousand polls at a time, as many cells as may be asked for.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ingest, postSearch, search, toNdjson, waitForCount } from "../support/api.ts";
import type { SearchParameters } from "../support/api.ts";
import { startService, type Service } from "../support/service.ts";
import type { SearchReply } from "../support/snapshots.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const mebibyte = 1024 * 1024;
const polls = Number(process.env["E2E_POLLS"] ?? 1_000);
const customerScans = 20;

let service: Service;

/** Letters and digits without an order: a pattern cannot learn its way through them. */
const noise = Array.from({ length: mebibyte / 64 }, (_, index) =>
  createHash("sha256").update(String(index)).digest("hex"),
).join("");
const messages = ["a".repeat(mebibyte), noise, "ab ".repeat(mebibyte / 3), "took 17 of 4", ""];

beforeAll(async () => {
  service = await startService({
    env: { LOGBOOM_SEARCH_CUSTOMER_SCANS: String(customerScans), LOGBOOM_SEARCH_IDLE_MS: "60000" },
  });
  for (const [index, message] of messages.entries()) {
    await ingest(service, toNdjson([{ time: `2026-01-01T00:00:0${index}Z`, message }]));
  }
  await waitForCount(service, { regex: ".*" }, messages.length);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** s that the service's own process has spent. */
function cpuSeconds(): number {
  const stat = readFileSync(`/proc/${service.pid}/stat`, "utf8");
  const [user = NaN, system = NaN] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return (user + system) / 100;
}

/** Polls until the search has ended, well or not; asks meanwhile whether the service is alive. */
async function settle(
  body: string,
): Promise<{ status: number; reply: SearchReply; longestMs: number }> {
  let longestMs = 0;
  let isDone = false;
  const watch = (async () => {
    while (!isDone) {
      const begin = performance.now();
      expect((await fetch(`${service.url}/health`)).status).toBe(200);
      longestMs = Math.max(longestMs, performance.now() - begin);
      await sleep(20);
    }
  })();
  const end = await pollToTheEnd(body).finally(() => (isDone = true));
  await watch;
  return { ...end, longestMs };
}

async function pollToTheEnd(body: string): Promise<{ status: number; reply: SearchReply }> {
  for (;;) {
    const response = await postSearch(service, body);
    const reply = (await response.json()) as SearchReply;
    if (reply.complete || reply.error !== null) return { status: response.status, reply };
    await sleep(50);
  }
}

describe("a hostile pattern is answered or refused, and the service lives on", () => {
  const nested = (open: string, inner: string, close: string, times: number): string =>
    open.repeat(times) + inner + close.repeat(times);
  /** What it is, the pattern, and how many events match, where that is easily said; null: refused. */
  const patterns: [what: string, regex: string, matching?: number | null][] = [
    ["alternatives that are the same", "(a|a)*b", 0],
    ["a star upon a star", "((a*)*)*b", 0],
    ["twenty stars", "(.*a){20}", 1],
    ["twenty stars and more", ".*(.*b){20} ", 1],
    ["10,000 repetitions", "a{10000}.*", 1],
    ["100,000 positions", "(a{100}){999}.*", 1],
    ["too many positions", "(a{10000}){11}", null],
    ["10,000 stars", "(.*a.*){10000}"],
    ["10,000 options", "(.?){10000}(a){10000}"],
    ["options of options", "(((a{0,99}){0,99}){0,10})b"],
    ["a choice far from the end", ".*[a-d][0-9a-f]{900}!.*", 0],
    ["such a choice that is decided here", ".*([a-d].{900}~.*zz.*)[0-9a-f]"],
    ["a capture that may begin anywhere", ".*(?<key>[a-f]*.{300}~.*zz.*)[0-9].*"],
    ["4,000 groups", nested("(", "a", ")", 4_000)],
    ["4,000 groups with stars", nested("(", "a", ")*", 4_000)],
    ["4,000 alternatives in each other", nested("(a|", "b", ")", 4_000)],
    ["4,000 groups that stay open", "(".repeat(4_000), null],
    ["4,000 exclusions in each other", nested("(.*~", "b", ")", 4_000)],
    ["100,000 characters", "a".repeat(100_000)],
    ["100,001 characters", "a".repeat(100_001), null],
    ["50,000 stars of anything", ".*".repeat(50_000)],
    ["50,000 alternatives", "a|".repeat(49_999) + "b"],
    ["20,000 classes", "[a-f]".repeat(20_000)],
    ["NUL", ".*\0.*", 0],
    ["unpaired surrogates", ".*\ud800.*", 0],
    ["20,000 conjunctions", ".*a.*&".repeat(16_000) + ".*"],
  ];

  test.for(patterns)("%s", async ([what, regex, matching]) => {
    const before = cpuSeconds();
    for (const type of ["EXACT_COUNTS_BINNED", "BACKWARD_RESULTS_ONE_PER_KEY31"]) {
      const isForKeys = type !== "EXACT_COUNTS_BINNED";
      if (isForKeys && !regex.includes("(?<key>")) continue;
      const form = { customer: "acme", type, regex, limit: "10" };
      const { status, reply, longestMs } = await settle(new URLSearchParams(form).toString());
      const seconds = (cpuSeconds() - before).toFixed(2);
      const outcome = reply.error === null ? "answered" : `refused: ${reply.error.slice(0, 80)}`;
      console.log(
        `${what}: ${seconds} s of CPU, /health at most ${longestMs.toFixed(0)} ms, ${outcome}`,
      );
      expect(reply.failedBlocks).toBe(0);
      if (reply.error !== null) {
        expect(reply.errorCode).toMatch(/^BAD_(REGEX|REQUEST)$/);
        expect([200, 400]).toContain(status);
        expect(matching ?? null).toBe(null);
      } else if (matching !== undefined) {
        expect(isForKeys ? reply.events.length : reply.counts[0]).toBe(matching);
      }
    }
  });

  test("afterwards a plain search is as exact as before", async () => {
    const asked = { regex: "took .*", type: "EXACT_COUNTS_BINNED" } as const;
    expect((await search(service, asked)).counts).toEqual([1]);
    expect(service.residentBytes).toBeLessThan(1024 * mebibyte);
  });
});

describe("polls at a time while the store hangs", () => {
  async function whileHanging(task: () => Promise<void>): Promise<void> {
    const store = service.findClickHouse();
    if (store === undefined) throw new Error("no store process");
    process.kill(store, "SIGSTOP");
    try {
      await task();
    } finally {
      process.kill(store, "SIGCONT");
    }
    while (/^logboom_search_scans [1-9]/m.test(await metrics())) await sleep(50);
  }

  async function metrics(): Promise<string> {
    return (await fetch(`${service.url}/metrics`)).text();
  }

  async function pollAll(
    parametersOf: (index: number) => SearchParameters,
    count: number,
  ): Promise<{ status: number; bytes: number; errorCode: string | null }[]> {
    const cpuBefore = cpuSeconds();
    const memoryBefore = service.residentBytes;
    const all = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const response = await postSearch(service, parametersOf(index));
        const text = await response.text();
        const { errorCode } = JSON.parse(text) as SearchReply;
        return { status: response.status, bytes: text.length, errorCode };
      }),
    );
    const perPoll = ((cpuSeconds() - cpuBefore) * 1000) / count;
    const grown = (service.residentBytes - memoryBefore) / mebibyte;
    console.log(
      `${count} polls: ${perPoll.toFixed(2)} ms of CPU each, ${grown.toFixed(0)} MiB more resident`,
    );
    return all;
  }

  test(`${polls} of one search are all answered`, async () => {
    const asked: SearchParameters = {
      regex: "took .*one",
      type: "EXACT_COUNTS_BINNED",
      timeBins: 64,
    };
    await whileHanging(async () => {
      const replies = await pollAll(() => asked, polls);
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    });
    expect((await search(service, asked)).complete).toBe(true);
  });

  test(`${polls} of as many searches are answered, or told to come again`, async () => {
    const asked = (index: number): SearchParameters => ({ regex: `took .*${index}` });
    await whileHanging(async () => {
      const replies = await pollAll(asked, polls);
      const accepted = replies.filter(({ status }) => status === 200);
      const refused = replies.filter(({ status }) => status === 429);
      expect(accepted.length).toBe(customerScans);
      expect(refused.length).toBe(polls - customerScans);
      expect(new Set(refused.map(({ errorCode }) => errorCode))).toEqual(new Set(["RATE_LIMITED"]));
    });
    // Nothing was kept of those that were refused: each can be asked now.
    expect((await search(service, asked(polls - 1))).complete).toBe(true);
  });

  test("of a histogram of 4,194,304 cells share the memory of one", async () => {
    const splits = Array.from({ length: 31 }, (_, index) => index).join();
    const asked: SearchParameters = {
      regex: "took (?<x>(?int)) of (?<y>(?int))",
      type: "EXACT_XY_HISTOGRAM_BINNED",
      timeBins: 4096,
      xSplits: splits,
      ySplits: splits,
    };
    const peak = { bytes: 0 };
    const before = service.residentBytes;
    const timer = setInterval(() => (peak.bytes = Math.max(peak.bytes, service.residentBytes)), 10);
    const cells = 4096 * 32 * 32;
    await whileHanging(async () => {
      const replies = await pollAll(() => asked, 30);
      for (const { status, bytes } of replies) {
        expect(status).toBe(200);
        expect(bytes).toBeGreaterThan(2 * cells);
        expect(bytes).toBeLessThan(2 * cells + 10_000);
      }
    });
    const reply = await search(service, asked);
    clearInterval(timer);
    expect(reply.counts).toHaveLength(cells);
    expect(reply.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
    const grown = peak.bytes - before;
    console.log(`at most ${(grown / mebibyte).toFixed(0)} MiB more resident meanwhile`);
    // Thirty replies of eight megabytes, and as many copies, were 480.
    expect(grown).toBeLessThan(200 * mebibyte);
  });
});
