// LogTrace's hourly limits as clients meet them: over two edges and their restarts, and what is beyond them.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeContainer } from "../../../schemas/event-codec.ts";
import { keys, openEdge, type Edge } from "../edge-fixture.ts";

const HOUR_MS = 3_600_000;
const topOfHour = Date.parse("2026-11-21T04:00:00Z");

let now: number;
let first: Edge;
let others: Edge[];
let acceptedRequests: number;
const clock = { now: () => now };

beforeEach(() => {
  now = topOfHour + 1_000;
  others = [];
  acceptedRequests = 0;
});

afterEach(async () => {
  for (const edge of others) await edge[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});

async function openBeside(): Promise<Edge> {
  const edge = await openEdge({}, { ...clock, beside: first });
  others.push(edge);
  return edge;
}

async function send(edge: Edge, key: string, message = "m") {
  const response = await fetch(`${edge.url}/v1/logs/ingest`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ logs: [{ message }] }),
  });
  await response.arrayBuffer();
  if (response.status === 202) acceptedRequests++;
  return { status: response.status, wait: Number(response.headers.get("retry-after")) };
}

/** A key that may make so many requests an hour. */
async function createKey(requests: number, tier: "standard" | "enterprise" = "standard") {
  const { secret, record } = await first.tokens.create({
    kind: "logtrace",
    customer: "acme",
    prefixes: ["", "", "", ""],
    tier,
    limits: { ingest: requests },
  });
  for (const edge of others) {
    while (!edge.tokens.list().some(({ id }) => id === record.id)) await sleep(5);
  }
  return secret;
}

describe("a standard key's hour", () => {
  test("is one over all edges, outlives their restarts, and ends at the top of the UTC hour", async () => {
    first = await openEdge({}, clock);
    const second = await openBeside();
    const key = await createKey(10);
    for (let n = 0; n < 10; n++) {
      expect((await send(n % 2 === 0 ? first : second, key)).status).toBe(202);
    }
    // Each count is durable before its answer; the others have read it within a second.
    await expect.poll(async () => (await send(first, key)).status).toBe(429);
    await expect.poll(async () => (await send(second, key)).status).toBe(429);
    await second[Symbol.asyncDispose]();
    others = [];
    const restarted = await openBeside();
    expect(await send(restarted, key)).toEqual({ status: 429, wait: 3_599 });
    now = topOfHour + HOUR_MS - 1;
    expect(await send(restarted, key)).toEqual({ status: 429, wait: 1 });
    now = topOfHour + HOUR_MS;
    expect((await send(restarted, key)).status).toBe(202);
    expect((await send(first, key)).status).toBe(202);
    expect(await first.stored()).toHaveLength(acceptedRequests);
  });
});

describe("an enterprise key's overflow", () => {
  test("is taken up to half of the log, waits then, and leaves the rest to those within their limits", async () => {
    first = await openEdge({}, { ...clock, maxLogBytes: 400_000 });
    const greedy = await createKey(2, "enterprise");
    const modest = await createKey(1_000, "enterprise");
    const accepted: string[] = [];
    const fill = async (name: string): Promise<number> => {
      for (let n = 0; ; n++) {
        const message = `${name} ${n} ${"x".repeat(10_000)}`;
        const { status, wait } = await send(first, greedy, message);
        if (status === 202) accepted.push(message);
        else {
          expect({ status, wait }).toEqual({ status: 503, wait: 2 });
          return n;
        }
      }
    };
    expect(await fill("first")).toBeGreaterThan(10);
    expect(first.temp.log.sizeBytes).toBeGreaterThan(200_000);
    expect(first.temp.log.sizeBytes).toBeLessThan(230_000);
    for (const key of [keys.logtrace, modest]) {
      for (let n = 0; n < 3; n++) {
        const message = `within ${key.slice(-4)} ${n}`;
        expect((await send(first, key, message)).status).toBe(202);
        accepted.push(message);
      }
    }
    // Drained, it takes more: what was answered with 202 is there, once each.
    const seen: string[] = [];
    const consumption = await first.temp.log.consume("g", async ({ read, commit, signal }) => {
      let offset = 0;
      while (!signal.aborted) {
        const records = await read(offset, 1e6, 20);
        for (const { value } of records) {
          seen.push(...decodeContainer(value).map(({ message }) => message));
        }
        const last = records.at(-1);
        if (last === undefined) continue;
        offset = last.offset + 1;
        await commit({ offset, metadata: "" });
      }
    });
    await expect.poll(() => seen.length).toBe(accepted.length);
    for (let n = 0; n < 50; n++) {
      const message = `later ${n}`;
      expect((await send(first, greedy, message)).status).toBe(202);
      accepted.push(message);
    }
    await expect.poll(() => seen.length).toBe(accepted.length);
    await consumption.close();
    expect(seen.toSorted()).toEqual(accepted.toSorted());
  });
});
