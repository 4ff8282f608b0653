// Compares every search type with a brute-force oracle over a few thousand random events.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ingest, search, toNdjson, waitForCount, type SearchType } from "../support/api.ts";
import { expectAnswer, toParameters } from "../support/compare.ts";
import { newEvent, oracleQuery, type NewEvent } from "../support/events.ts";
import {
  answerOf,
  isInScope,
  toStored,
  type OracleAnswer,
  type OracleQuery,
  type StoredEvent,
} from "../support/oracle.ts";
import { startService, type Endpoint, type Service } from "../support/service.ts";
import { formatTime } from "../support/time.ts";
import { createToken } from "../support/tokens.ts";

const seed = Number(process.env["E2E_SEED"] ?? Date.now() % 2 ** 31);
const runs = Number(process.env["E2E_RUNS"] ?? 120);
const eventCount = 3000;
const lateCount = 500;
const scope = ["web", "app"];

const types: readonly SearchType[] = [
  "UNSORTED_RESULTS",
  "BACKWARD_RESULTS",
  "EXACT_COUNTS_BINNED",
  "EXACT_XY_HISTOGRAM_BINNED",
  "BACKWARD_RESULTS_ONE_PER_KEY31",
];

let service: Service;
let scoped: Endpoint;
const stored: StoredEvent[] = [];

function toWire({ time, labels, message }: NewEvent, index: number): object {
  const [prefix0, prefix1, prefix2, prefix3] = labels;
  const written = index % 2 === 0 ? String(time) : formatTime(time);
  return { time: written, prefix0, prefix1, prefix2, prefix3, message };
}

/** Sends the events in requests of both JSON forms, one after the other, and waits for them. */
async function store(events: readonly NewEvent[]): Promise<void> {
  for (let index = 0; index < events.length;) {
    const size = 1 + ((index * 7919) % 200);
    const chunk = events.slice(index, index + size).map(toWire);
    const reply =
      index % 2 === 0
        ? await ingest(service, toNdjson(chunk))
        : await ingest(service, JSON.stringify({ events: chunk }), {
            contentType: "application/json",
          });
    expect(reply.accepted).toBe(chunk.length);
    index += size;
  }
  stored.push(...events.map((event, index) => toStored(event, stored.length + index)));
  const seconds = await waitForCount(
    service,
    { regex: ".*", beginTime: "1970-01-01 00:00:00" },
    stored.length,
  );
  console.log(`seed ${seed}: ${events.length} events searchable after ${seconds.toFixed(2)} s`);
}

function isEmpty({ events, counts }: OracleAnswer): boolean {
  return events.length === 0 && counts.every((count) => count === 0);
}

async function compareOnce(endpoint: Endpoint, query: OracleQuery): Promise<OracleAnswer> {
  const visible =
    endpoint === scoped
      ? stored.filter(({ labels }) => isInScope(labels, [scope[0] ?? "", scope[1] ?? "", "", ""]))
      : stored;
  const answer = answerOf(visible, query);
  const reply = await search(endpoint, toParameters(query));
  expectAnswer(reply, query, answer);
  return answer;
}

/** Random queries of one type; `widenNs` makes them new to the service's cache. */
async function compareMany(type: SearchType, count: number, widenNs: bigint): Promise<void> {
  let nonEmpty = 0;
  let asked = 0;
  const property = fc.asyncProperty(oracleQuery(type), fc.boolean(), async (query, isScoped) => {
    const wider = { ...query, end: query.end + widenNs };
    const answer = await compareOnce(isScoped ? scoped : service, wider);
    asked += 1;
    if (!isEmpty(answer)) nonEmpty += 1;
  });
  // Another seed for each type, so that they do not all ask the same.
  await fc.assert(property, { seed: seed + types.indexOf(type), numRuns: count });
  console.log(`${type}: ${asked} queries, ${nonEmpty} with a non-empty answer`);
  expect(nonEmpty).toBeGreaterThan(asked / 5);
}

beforeAll(async () => {
  service = await startService();
  const token = await createToken(service, "read", scope);
  scoped = { url: service.url, writeToken: service.writeToken, readToken: token.secret };
  const sampled = fc.sample(newEvent, { seed, numRuns: eventCount });
  await store(sampled);
}, 240_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

// All types at once: an answer is waited for longer than it is worked at.
test.concurrent.for(types)(
  "%s answers random queries like the oracle",
  { timeout: 300_000 },
  async (type) => {
    await compareMany(type, runs, 0n);
  },
);

test(
  "an identical query after completion has the identical answer",
  { timeout: 120_000 },
  async () => {
    for (const type of types) {
      const [query] = fc.sample(oracleQuery(type), { seed: seed + 1, numRuns: 1 });
      if (query === undefined) throw new Error("no query");
      const parameters = toParameters(query);
      const first = await search(service, parameters);
      const second = await search(service, parameters);
      const { searchableUntil } = first;
      expect({ ...second, stopped: true, searchableUntil }).toEqual({ ...first, stopped: true });
      expect(Number(second.searchableUntil)).toBeGreaterThanOrEqual(Number(searchableUntil));
    }
  },
);

test("late events are in every answer asked after them", { timeout: 300_000 }, async () => {
  const late = fc.sample(newEvent, { seed: seed + 2, numRuns: lateCount });
  await store(late);
  await Promise.all(types.map((type) => compareMany(type, Math.ceil(runs / 3), 1n)));
});
