// Requests by key and window: what the vendors allow, over several edges and restarts.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Principal } from "../../../ingest/keys/permission.ts";
import { Limits, rateLimitHeaders } from "../../../ingest/limits/limits.ts";
import { Usage } from "../../../ingest/limits/usage.ts";
import { tokenKinds } from "../../../schemas/token.ts";
import { openTempLog, type TempLog } from "../log/log-fixture.ts";
import { waitUntil } from "../wait-until.ts";

const hour = 3_600_000;
const topOfHour = Date.parse("2026-11-21T04:00:00Z");

let temp: TempLog;
let now: number;
const edges: Usage[] = [];

beforeEach(async () => {
  temp = await openTempLog();
  now = topOfHour;
});

afterEach(async () => {
  for (const edge of edges.splice(0)) await edge.close();
  await temp[Symbol.asyncDispose]();
});

/** An edge as a process has it; it writes when the test says so. */
async function startEdge(): Promise<{ usage: Usage; limits: Limits }> {
  const usage = await Usage.open(temp.log, { now: () => now, flushMs: 1e9 });
  edges.push(usage);
  return { usage, limits: new Limits(usage, () => now) };
}

const key = (more: Partial<Principal> = {}): Principal => ({
  tokenId: "t-1",
  kind: "logtrace",
  customer: "acme",
  prefixes: ["", "", "", ""],
  environment: "production",
  tier: "standard",
  ...more,
});

describe("the limit", () => {
  test.each([
    ["standard", "ingest", 10_000],
    ["standard", "query", 2_000],
    ["enterprise", "ingest", 50_000],
    ["enterprise", "query", 10_000],
  ] as const)("of the tier %s is, for %s, %i an hour", async (tier, family, limit) => {
    const { limits } = await startEdge();
    const principal = key({ tier });
    expect(limits.take(principal, family, limit - 1)).toMatchObject({ isAllowed: true, limit });
    expect(limits.take(principal, family)).toMatchObject({ isAllowed: true, remaining: 0 });
    expect(limits.take(principal, family)).toMatchObject({ isAllowed: false, remaining: 0, limit });
  });

  test("of a Logentries key is by family and 15 minutes", async () => {
    const { limits } = await startEdge();
    const principal = key({ kind: "logentries-read", limits: { query: 2 } });
    for (const remaining of [1, 0]) {
      expect(limits.take(principal, "query")).toMatchObject({ isAllowed: true, remaining });
    }
    expect(limits.take(principal, "query")).toMatchObject({ isAllowed: false, resetSeconds: 900 });
    expect(limits.take(principal, "management")).toMatchObject({ isAllowed: true, limit: 2_700 });
    now += 900_000;
    expect(limits.take(principal, "query").isAllowed).toBe(true);
  });

  test("is none for other kinds", async () => {
    const { limits } = await startEdge();
    const limited = ["logtrace", "logentries-read", "logentries-write", "logentries-owner"];
    for (const kind of tokenKinds.filter((one) => !limited.includes(one))) {
      const taken = limits.take(key({ kind }), "query", 1e9);
      expect(taken).toMatchObject({ isAllowed: true, limit: undefined });
      expect(rateLimitHeaders(taken)).toEqual({});
    }
  });

  test("is each key's own, and each family's", async () => {
    const { limits } = await startEdge();
    const own = { limits: { ingest: 1, query: 1 } };
    expect(limits.take(key(own), "ingest").isAllowed).toBe(true);
    expect(limits.take(key(own), "ingest").isAllowed).toBe(false);
    expect(limits.take(key(own), "query").isAllowed).toBe(true);
    expect(limits.take(key({ ...own, tokenId: "t-2" }), "ingest").isAllowed).toBe(true);
  });

  test("begins anew at the top of the UTC hour, and says when", async () => {
    const { limits } = await startEdge();
    const principal = key({ limits: { query: 1 } });
    now = topOfHour + 1800_500;
    expect(limits.take(principal, "query")).toMatchObject({ isAllowed: true, resetSeconds: 1800 });
    now = topOfHour + hour - 1;
    expect(limits.take(principal, "query")).toMatchObject({ isAllowed: false, resetSeconds: 1 });
    now = topOfHour + hour;
    expect(limits.take(principal, "query")).toMatchObject({ isAllowed: true, resetSeconds: 3600 });
  });

  test("does not count what it refuses", async () => {
    const { limits } = await startEdge();
    const principal = key({ limits: { ingest: 10 } });
    expect(limits.take(principal, "ingest", 11)).toMatchObject({ isAllowed: false, remaining: 10 });
    expect(limits.take(principal, "ingest", 10)).toMatchObject({ isAllowed: true, remaining: 0 });
  });

  test("as an error says when to come again", async () => {
    const { limits } = await startEdge();
    const principal = key({ limits: { query: 1 } });
    expect(limits.require(principal, "query").remaining).toBe(0);
    now += 1000;
    expect(() => limits.require(principal, "query")).toThrow(
      expect.objectContaining({
        code: "RATE_LIMITED",
        retryAfterSeconds: 3599,
        details: { reason: "limit-reached", family: "query", limit: 1 },
      }),
    );
  });
});

test("the figures are shown in seconds to wait, and never a 0 beside an answer", async () => {
  const { limits } = await startEdge();
  const principal = key({ kind: "logentries-write", limits: { query: 2 } });
  const shown = () => rateLimitHeaders(limits.take(principal, "query"));
  const limit = { "X-RateLimit-Limit": "2", "X-RateLimit-Reset": "900" };
  expect(shown()).toEqual({ ...limit, "X-RateLimit-Remaining": "1" });
  expect(shown()).toEqual({ ...limit, "X-RateLimit-Remaining": "1" });
  expect(shown()).toEqual({ ...limit, "X-RateLimit-Remaining": "0" });
});

describe("the count", () => {
  const principal = key({ limits: { ingest: 10 } });
  const window = {
    tokenId: "t-1",
    family: "ingest",
    windowStart: topOfHour,
    windowMs: hour,
  } as const;

  test("is that of all edges together", async () => {
    const [one, other] = [await startEdge(), await startEdge()];
    one.limits.take(principal, "ingest", 4);
    other.limits.take(principal, "ingest", 3);
    await one.usage.flush();
    await other.usage.flush();
    await waitUntil(() => one.usage.total(window) === 7 && other.usage.total(window) === 7);
    expect(one.limits.take(principal, "ingest", 4).isAllowed).toBe(false);
    expect(one.limits.take(principal, "ingest", 3).isAllowed).toBe(true);
    await one.usage.flush();
    await waitUntil(() => other.usage.total(window) === 10);
    expect(other.limits.take(principal, "ingest").isAllowed).toBe(false);
  });

  test("holds over restarts", async () => {
    for (const used of [0, 3, 6]) {
      const { usage, limits } = await startEdge();
      expect(usage.total(window)).toBe(used);
      limits.take(principal, "ingest", 3);
      await usage.close();
      edges.pop();
      await temp.reopen();
    }
    const { limits } = await startEdge();
    expect(limits.take(principal, "ingest", 2).isAllowed).toBe(false);
    expect(limits.take(principal, "ingest").isAllowed).toBe(true);
  });

  test("of an hour that is over counts for nothing, nor does that of one not begun here", async () => {
    const [one, other] = [await startEdge(), await startEdge()];
    one.limits.take(principal, "ingest", 10);
    await one.usage.flush();
    await waitUntil(() => other.usage.total(window) === 10);
    now += hour;
    expect(other.limits.take(principal, "ingest").isAllowed).toBe(true);
    // The clock of this one is behind: what the others write of the next hour does not undo its own.
    other.limits.take(principal, "ingest", 5);
    await other.usage.flush();
    now -= hour;
    const late = await startEdge();
    expect(late.usage.total(window)).toBe(10);
  });

  test("is one record for each key, edge and hour, also when the next hour has begun", async () => {
    const records = async (): Promise<number> => {
      let count = 0;
      await (await temp.log.follow("usage", () => void count++)).close();
      return count;
    };
    const { usage, limits } = await startEdge();
    for (let n = 0; n < 5; n++) {
      limits.take(principal, "ingest");
      await usage.flush();
    }
    expect(await records()).toBe(1);
    limits.take(principal, "ingest");
    now += hour;
    limits.take(principal, "ingest");
    await usage.flush();
    expect(await records()).toBe(2);
    const { usage: later } = await startEdge();
    expect(later.total(window)).toBe(6);
    expect(later.total({ ...window, windowStart: topOfHour + hour })).toBe(1);
  });

  test("is forgotten an hour after its own", async () => {
    const { limits } = await startEdge();
    const usage = await Usage.open(temp.log, { now: () => now, flushMs: 1 });
    edges.push(usage);
    limits.take(principal, "ingest");
    await edges[0]?.flush();
    await waitUntil(() => usage.total(window) === 1);
    now += 2 * hour;
    await waitUntil(() => usage.recent("acme").length === 0);
    expect((await startEdge()).usage.recent("acme")).toEqual([]);
  });

  test("is durable once it is settled, whatever becomes of the process", async () => {
    const { limits } = await startEdge();
    limits.take(principal, "ingest");
    limits.countEvents(principal, 3, 300);
    // Many at once share an append.
    await Promise.all(Array.from({ length: 50 }, () => limits.settle(principal)));
    const { usage: other } = await startEdge();
    expect(other.recent("acme")).toEqual([
      {
        ...window,
        requests: 1,
        refused: 0,
        events: 3,
        bytes: 300,
        account: { customer: "acme", environment: "production", limit: 10 },
      },
    ]);
  });

  test("has what was refused, and what was queued, apart", async () => {
    const { usage, limits } = await startEdge();
    limits.take(principal, "ingest", 9);
    limits.take(principal, "ingest", 2);
    expect(limits.take(principal, "ingest", 2, { isQueued: true }).isAllowed).toBe(false);
    expect(limits.take(principal, "ingest").isAllowed).toBe(false);
    expect(usage.recent("acme")).toMatchObject([{ requests: 11, refused: 3 }]);
    expect(usage.recent("other")).toEqual([]);
  });

  test("passes over records that a later version wrote, or that are damaged", async () => {
    for (const [n, value] of ["{", "{}", '{"type":"usage","edge":"x","tokenId":"t-1"}'].entries()) {
      await temp.log.append([
        { stream: "usage", partition: 0, key: `k${n}`, value: Buffer.from(value) },
      ]);
    }
    const { usage } = await startEdge();
    expect(usage.total(window)).toBe(0);
  });

  test("is written later when the log does not take it now", async () => {
    const { usage, limits } = await startEdge();
    limits.take(principal, "ingest", 2);
    await temp.log.close();
    await usage.flush();
    expect(usage.total(window)).toBe(2);
    // Nobody waits for it for ever.
    await limits.settle(principal);
    await temp.reopen();
  });
});
