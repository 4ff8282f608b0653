// Searches while events arrive: each answer is exact for what it says to cover, and reuse changes none.
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  ingest,
  pollSearch,
  search,
  toNdjson,
  waitForCount,
  type SearchType,
} from "../support/api.ts";
import { expectBetween } from "../support/between.ts";
import { toParameters } from "../support/compare.ts";
import { newEvent, oracleQuery, type NewEvent } from "../support/events.ts";
import { toStored, type OracleQuery, type StoredEvent } from "../support/oracle.ts";
import type { Pattern } from "../support/patterns.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const seed = Number(process.env["E2E_SEED"] ?? Date.now() % 2 ** 31);
/** Searches of each type while events arrive. */
const runs = Number(process.env["E2E_ARRIVAL_RUNS"] ?? 24);
const senders = 4;
/** The oracle looks at all of them for every search. */
const mostEvents = 4_000;
const hourNs = 3_600_000_000_000n;
const windowBegin = BigInt(Date.UTC(2026, 2, 1)) * 1_000_000n;

const types: readonly SearchType[] = [
  "UNSORTED_RESULTS",
  "BACKWARD_RESULTS",
  "EXACT_COUNTS_BINNED",
  "EXACT_XY_HISTOGRAM_BINNED",
  "BACKWARD_RESULTS_ONE_PER_KEY31",
];

interface SentEvent extends StoredEvent {
  /** ns since the epoch */
  readonly sentAt: bigint;
  acknowledgedAt: bigint | undefined;
}

let reusing: Service;
let scanning: Service;
const sent: SentEvent[] = [];
const asked: OracleQuery[] = [];

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

beforeAll(async () => {
  reusing = await startService();
  scanning = await startService({ env: { LOGBOOM_SEARCH_REUSE_BYTES: "0" } });
});

afterAll(async () => {
  await Promise.all([reusing, scanning].map((service) => service[Symbol.asyncDispose]()));
});

const toWire = ({ time, labels: [prefix0, prefix1, prefix2, prefix3], message }: NewEvent) => ({
  time: String(time),
  prefix0,
  prefix1,
  prefix2,
  prefix3,
  message,
});

/** Events of any time, mostly late, and as many whose times go forward. */
function makeEvents(number: number): NewEvent[] {
  const events = fc.sample(newEvent, {
    seed: seed + number,
    numRuns: Math.ceil(mostEvents / senders),
  });
  return events.map((event, index) => {
    if (index % 2 === 0) return event;
    const passed = (BigInt(index) * 60n * hourNs) / BigInt(events.length);
    return { ...event, time: windowBegin + passed + (event.time % 1000n) };
  });
}

/** Sends small requests one after the other until there is nothing left, or no more is wanted. */
async function send(number: number, wanted: AbortSignal): Promise<void> {
  const events = makeEvents(number);
  for (let at = 0; at < events.length && !wanted.aborted;) {
    const size = 1 + ((at * 7919) % 30);
    const own = events.slice(at, at + size).map((event): SentEvent => ({
      ...toStored(event, sent.length),
      sentAt: now(),
      acknowledgedAt: undefined,
    }));
    sent.push(...own);
    await ingest(reusing, toNdjson(own.map(toWire)));
    for (const event of own) event.acknowledgedAt = now();
    at += size;
    await sleep((at * 31) % 150);
  }
}

const everything: Pattern = { text: ".*", match: () => ({}) };

/** Random queries; some count everything, which is answered from statistics. */
function makeQueries(type: SearchType, count: number, number: number): OracleQuery[] {
  const queries = fc.sample(oracleQuery(type), { seed: seed + 100 * number, numRuns: count });
  return queries.map((query, index) =>
    type === "EXACT_COUNTS_BINNED" && index % 3 === 0 ? { ...query, pattern: everything } : query,
  );
}

async function askWhileArriving(query: OracleQuery): Promise<void> {
  const reply = await search(reusing, toParameters(query));
  const receivedAt = now() + 1_000_000n;
  const until = BigInt(reply.searchableUntil ?? 0);
  const isBefore = (time: bigint | undefined, end: bigint) => time !== undefined && time < end;
  expectBetween(reply, query, {
    must: sent.filter(({ acknowledgedAt }) => isBefore(acknowledgedAt, until)),
    may: sent.filter(({ sentAt }) => isBefore(sentAt, receivedAt)),
  });
}

test("while events arrive, an answer has all that it says to cover, and nothing that was not sent", async () => {
  const wanted = new AbortController();
  const sending = Array.from({ length: senders }, (_, number) => send(number, wanted.signal));
  // The same few searches again and again: much of them is reused, as more and more has come.
  const rounds = types.map(async (type, number) => {
    const queries = makeQueries(type, Math.ceil(runs / 4), number);
    asked.push(...queries);
    for (let run = 0; run < runs; run++) {
      const query = queries[run % queries.length];
      if (query !== undefined) await askWhileArriving(query);
    }
  });
  await Promise.all(rounds).finally(() => wanted.abort());
  await Promise.all(sending);
  const shares = types.map((type) => asked.filter((query) => query.type === type).length);
  console.log(
    `seed ${seed}: ${sent.length} events arrived; ${runs} searches of each of ${shares.join()}`,
  );
});

/** The same question about other ranges and bins: zoomed in and out, shifted, aligned and not. */
function variantsOf(query: OracleQuery): OracleQuery[] {
  const { begin, end, timeBins } = query;
  const span = end - begin;
  const first = (begin / hourNs) * hourNs;
  const hours = span / hourNs + 1n;
  const most = Math.min(Number(hours), 1024);
  const aligned = { ...query, begin: first, end: first + hours * hourNs, timeBins: most };
  const half = (hours + 1n) / 2n;
  return [
    query,
    { ...query, end: end + 1n },
    { ...query, begin: begin + span / 3n },
    { ...query, begin: begin + hourNs, end: end + hourNs },
    { ...query, end: begin + span / 2n + 1n, timeBins: Math.max(1, timeBins >> 1) },
    aligned,
    { ...aligned, timeBins: most * 2 },
    { ...aligned, timeBins: most * 4 },
    { ...aligned, begin: first + half * hourNs, end: first + 2n * half * hourNs },
    { ...aligned, begin: first + hourNs, end: first + (hours + 1n) * hourNs },
    { ...aligned, begin: first + 1_800_000_000_000n },
  ].filter((one) => one.begin < one.end);
}

async function metric(service: Service, line: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length) ?? 0);
}

const reusedBlocks = (service: Service): Promise<number> =>
  metric(service, 'logboom_search_blocks_total{outcome="reused"}');

test("afterwards every search, repeated, zoomed and shifted, equals the oracle, with reuse and without", async () => {
  for (let at = 0; at < sent.length; at += 500) {
    await ingest(scanning, toNdjson(sent.slice(at, at + 500).map(toWire)));
  }
  for (const service of [reusing, scanning]) {
    await waitForCount(service, { regex: ".*", beginTime: "1970-01-01 00:00:00" }, sent.length);
  }
  const bounds = { must: sent, may: sent };
  // Each question of the arrivals, and each of its variants once.
  for (const [number, query] of asked.entries()) {
    const variants = variantsOf(query);
    const some = [
      query,
      variants[number % variants.length],
      variants[(number * 3 + 5) % variants.length],
    ];
    for (const variant of some) {
      if (variant === undefined) continue;
      const parameters = { ...toParameters(variant), wait: 10_000 };
      for (const service of [reusing, scanning]) {
        expectBetween(await search(service, parameters), variant, bounds);
      }
    }
  }
  const reused = await reusedBlocks(reusing);
  console.log(`seed ${seed}: ${reused} blocks reused`);
  expect(reused).toBeGreaterThan(0);
  expect(await reusedBlocks(scanning)).toBe(0);
});

test("a search that ended between two polls is told to have ended, whatever has come since", async () => {
  const query = { regex: "steady .*", type: "EXACT_COUNTS_BINNED", prefix0: "steady" } as const;
  const add = () => ingest(reusing, toNdjson([{ message: "steady one", prefix0: "steady" }]));
  await add();
  await waitForCount(reusing, query, 1);
  const store = reusing.findClickHouse();
  if (store === undefined) throw new Error("no store process");
  try {
    // The store does not answer within a poll, and has answered before the next.
    process.kill(store, "SIGSTOP");
    expect((await pollSearch(reusing, query)).complete).toBe(false);
    process.kill(store, "SIGCONT");
    while ((await metric(reusing, "logboom_search_scans")) > 0) await sleep(20);
    await add();
    await waitForCount(reusing, query, 2);
    // A search that began anew would wait for it.
    process.kill(store, "SIGSTOP");
    const told = await pollSearch(reusing, query);
    expect(told).toMatchObject({ complete: true, stopped: true, counts: [1] });
  } finally {
    process.kill(store, "SIGCONT");
  }
  // Now that it is told, it is as old as it is.
  expect((await search(reusing, query)).counts).toEqual([2]);
});
