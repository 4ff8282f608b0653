// The life of a scan in a real store: what is stopped runs no more, what fails is repeated or counted.
import { createHash } from "node:crypto";
import { openSync, closeSync, readdirSync, writeSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino, type Logger } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compileSearch, type CompiledSearch } from "../../../query/language/search.ts";
import { Freshness } from "../../../query/search/freshness.ts";
import { Partials } from "../../../query/search/partials.ts";
import { readSearchRequest } from "../../../query/search/request.ts";
import { Scan } from "../../../query/search/scan.ts";
import { StatementPool } from "../../../query/search/statement-pool.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { createInstruments } from "../../../schemas/instruments.ts";
import type { SearchReply } from "../../support/snapshots.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  insertEvents,
  openTestStore,
  select,
  silentLogger,
  waitUntil,
  type TestStore,
} from "../../consumers/store/store-fixture.ts";

/** So far apart that each hour is a slice of its own. */
const yearNs = 9_000n * hourNs;
const years = 5;
const perYear = 40;

/** The store runs it, and is long about it; it matches no event. */
const slowInStore = ".*[a-d][a-z0-9]{900}!.*";
/** The same, but the store only narrows it down, and what it sends is decided here. */
const slowInPart = ".*([0-9a-f]~0)[a-d][a-z0-9]{900}!.*";
/** Every event is decided here. */
const decidedHere = ".*id=([0-9]+~[0-9]+).*";

/** Letters and digits without an order: a pattern cannot learn its way through them. */
const noise = Array.from({ length: 1024 }, (_, index) =>
  createHash("sha256").update(String(index)).digest("hex"),
).join("");

let store: TestStore;
/** Every test has a customer and days, so parts, of its own. */
let customer = "";
let base = 0n;
let tests = 0;

beforeAll(async () => {
  store = await openTestStore();
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

beforeEach(() => {
  customer = `customer-${++tests}`;
  base = (400_000n + 48n * BigInt(tests)) * hourNs;
});

async function fill(sizeBytes: number): Promise<void> {
  for (let year = 0; year < years; year++) {
    const events = Array.from({ length: perYear }, (_, index) =>
      eventAt(base + BigInt(year) * yearNs + BigInt(index), {
        customer,
        message: `year ${year} id=${index} ${noise.slice(0, sizeBytes)}`,
      }),
    );
    await insertEvents(store.writer, encodeEvents(events), `${customer}/${year}`);
  }
}

interface ScanForm {
  readonly form?: Readonly<Record<string, string>>;
  readonly idleMs?: number;
  readonly pool?: StatementPool;
  readonly change?: (compiled: CompiledSearch) => CompiledSearch;
  readonly logger?: Logger;
}

function makeScan(regex: string, given: ScanForm = {}): { scan: Scan; name: string } {
  const form = { customer, regex, type: "EXACT_COUNTS_BINNED", ...given.form };
  const request = readSearchRequest(new URLSearchParams(form));
  const compiled = compileSearch(request.regex);
  const scan = new Scan({
    request,
    compiled: given.change?.(compiled) ?? compiled,
    prefixes: ["", "", "", ""],
    store: store.reader,
    pool: given.pool ?? new StatementPool(2),
    partials: new Partials(0),
    freshness: new Freshness(() => Promise.resolve([])),
    idleMs: given.idleMs ?? 60_000,
    instruments: createInstruments(false),
    logger: given.logger ?? silentLogger,
  });
  return { scan, name: request.fullHash.slice(0, 16) };
}

const read = (scan: Scan): SearchReply =>
  JSON.parse(Buffer.concat(scan.render()).toString()) as SearchReply;

/** Ids of the search's statements that the store runs. */
async function statementsOf(name: string): Promise<string[]> {
  const rows = await select<{ query_id: string }>(
    store.writer,
    `SELECT query_id FROM system.processes WHERE startsWith(query_id, '${name}')`,
  );
  return rows.map((row) => row.query_id);
}

describe("nothing runs in the store any more", () => {
  test.each([slowInStore, slowInPart])("after the inactivity stop: %s", async (regex) => {
    await fill(6 * 1024);
    const { scan, name } = makeScan(regex, { idleMs: 100 });
    await waitUntil("a statement runs", async () => {
      scan.touch();
      return (await statementsOf(name)).length > 0;
    });
    await waitUntil("it has stopped", () => !scan.isRunning);
    expect(scan.isComplete).toBe(false);
    await waitUntil("no statement runs", async () => (await statementsOf(name)).length === 0);
    // Nor does any come later.
    await sleep(200);
    expect(await statementsOf(name)).toEqual([]);
    // Whoever comes back gets all of it.
    while (!scan.isComplete) {
      scan.touch();
      await scan.settled(20);
    }
    expect(read(scan)).toMatchObject({ failedBlocks: 0, counts: [0], error: null });
    expect(scan.progress().scannedBlocks).toBe(scan.progress().relevantBlocks);
  });

  test("after enough events were found", async () => {
    await fill(6 * 1024);
    // Those of the newest year are found at once; of the others there are none, at length.
    const { scan, name } = makeScan(`year ${years - 1} .*|${slowInStore}`, {
      form: { type: "BACKWARD_RESULTS", limit: String(perYear) },
      pool: new StatementPool(years),
    });
    scan.touch();
    await scan.settled(30_000);
    expect(scan.isComplete).toBe(true);
    await waitUntil("no statement runs", async () => (await statementsOf(name)).length === 0);
    const { scannedBlocks, relevantBlocks } = scan.progress();
    expect(scannedBlocks).toBeLessThan(relevantBlocks);
    expect(read(scan).events).toHaveLength(perYear);
  });

  test("after a failure of the search as a whole", async () => {
    await fill(8 * 1024);
    let decided = 0;
    const refuse = (compiled: CompiledSearch): CompiledSearch => ({
      ...compiled,
      check: () => {
        decided++;
        throw new LogboomError("BAD_REGEX", "too costly");
      },
    });
    const { scan, name } = makeScan(decidedHere, { change: refuse });
    scan.touch();
    await waitUntil("it has ended", () => scan.hasEnded);
    const decidedThen = decided;
    await waitUntil("no statement runs", async () => (await statementsOf(name)).length === 0);
    await sleep(200);
    expect(decided).toBe(decidedThen);
    // At most one event for each statement that ran.
    expect(decided).toBeLessThanOrEqual(2);
    expect(read(scan)).toMatchObject({ complete: false, stopped: true, errorCode: "BAD_REGEX" });
  });
});

test.each([
  ["BAD_REGEX", "refused", "info"],
  ["TOO_LARGE", "refused", "info"],
  ["INTERNAL", "failed", "error"],
] as const)(
  "a search that ends by %s in mid-scan is %s, logged at %s",
  async (code, outcome, level) => {
    await fill(1024);
    const logged: { level: number }[] = [];
    const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
    const change = (compiled: CompiledSearch): CompiledSearch => ({
      ...compiled,
      check: () => {
        throw new LogboomError(code, "the cause");
      },
    });
    const { scan } = makeScan(decidedHere, { change, logger });
    scan.touch();
    await waitUntil("it has ended", () => scan.hasEnded);
    expect(scan.outcome).toBe(outcome);
    expect(read(scan)).toMatchObject({ complete: false, error: "the cause", errorCode: code });
    expect(logged.length).toBeGreaterThan(0);
    expect(new Set(logged.map((line) => line.level))).toEqual(new Set([pino.levels.values[level]]));
  },
);

test.each([slowInStore, slowInPart])(
  "a statement that is ended in mid-scan is repeated: %s",
  async (regex) => {
    await fill(6 * 1024);
    const matching = `(${regex})|.*id=1 .*`;
    const { scan, name } = makeScan(matching, { form: { timeBins: "7" } });
    scan.touch();
    let statements: string[] = [];
    await waitUntil("a statement runs", async () => {
      statements = await statementsOf(name);
      return statements.length > 0;
    });
    for (const id of statements) {
      await store.writer.command({ query: `KILL QUERY WHERE query_id = '${id}' SYNC` });
    }
    await scan.settled(60_000);
    const reply = read(scan);
    expect(reply).toMatchObject({ complete: true, failedBlocks: 0, error: null });
    expect(reply.counts.reduce((sum, count) => sum + count, 0)).toBe(years);
  },
);

describe("blocks that cannot be read", () => {
  /** Overwrites the middle of what holds the messages of a year. */
  async function breakYear(year: number): Promise<void> {
    const hour = base / hourNs + BigInt(year) * (yearNs / hourNs);
    const day = String(hour / 24n);
    const parts = await select<{ path: string }>(
      store.writer,
      `SELECT path FROM system.parts WHERE active AND table = 'events' AND startsWith(partition, '(${day},')`,
    );
    const dir = parts[0]?.path;
    if (dir === undefined) throw new Error(`no part of ${day}`);
    const data = readdirSync(dir)
      .filter((name) => name === "data.bin" || name === "message.bin")
      .map((name) => join(dir, name));
    for (const path of data) {
      const file = openSync(path, "r+");
      const noise = Buffer.alloc(4096, "noise");
      const { size } = statSync(path);
      for (let at = 64; at < size; at += noise.length * 2) {
        writeSync(file, noise, 0, Math.min(noise.length, size - at), at);
      }
      closeSync(file);
    }
  }

  test.each(["EXACT_COUNTS_BINNED", "BACKWARD_RESULTS", "UNSORTED_RESULTS"])(
    "are counted, and the answer has the rest, by %s",
    async (type) => {
      await fill(8 * 1024);
      const broken = 2;
      await breakYear(broken);
      const { scan } = makeScan(".*id=1 .*", { form: { type } });
      scan.touch();
      await scan.settled(60_000);
      const reply = read(scan);
      expect(reply).toMatchObject({ complete: true, stopped: true, error: null, failedBlocks: 1 });
      expect(reply.scannedBlocks).toBe(reply.relevantBlocks - 1);
      const found = type.startsWith("EXACT_") ? reply.counts[0] : reply.events.length;
      expect(found).toBe(years - 1);
      expect(reply.events.some(({ message }) => message.startsWith(`year ${broken}`))).toBe(false);
    },
  );
});

test("a customer of many searches does not keep another's from going on", async () => {
  await fill(1024);
  const pool = new StatementPool(1);
  const heavy = Array.from(
    { length: 12 },
    (_, number) => makeScan(`.*x${number}.*`, { pool }).scan,
  );
  customer = `${customer}/light`;
  await fill(1024);
  const light = makeScan(".*id=1 .*", { pool }).scan;
  const scannedBlocks = (scans: readonly Scan[]): number =>
    scans.reduce((sum, scan) => sum + scan.progress().scannedBlocks, 0);
  for (const scan of heavy) scan.touch();
  // They wait for their turn already.
  await waitUntil("all are planned", () => scannedBlocks(heavy) >= 1);
  const before = scannedBlocks(heavy);
  light.touch();
  await light.settled(30_000);
  expect(read(light)).toMatchObject({ complete: true, counts: [years] });
  const meanwhile = scannedBlocks(heavy) - before;
  console.log(`${meanwhile} blocks of one customer while ${years} of another were scanned`);
  // As many, and what ran while the other was planned. By turns of searches it would be twelve times as many.
  expect(meanwhile).toBeLessThanOrEqual(5 * years);
  await Promise.all(heavy.map((scan) => scan.stop()));
});
