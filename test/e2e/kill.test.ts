// Kills the service, its database, or both with SIGKILL at random moments, and counts every event.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitForCount } from "../support/api.ts";
import { countLane, readBack } from "../support/read-back.ts";
import { Lane, type Door } from "../support/sender.ts";
import { startService, type Service } from "../support/service.ts";

const rounds = Number(process.env["E2E_KILL_ROUNDS"] ?? 30);
const seed = Number(process.env["E2E_SEED"] ?? Date.now() % 2 ** 31);
const doors: readonly Door[] = ["ndjson", "json-gzip", "text", "uploadLogs"];
const kinds = ["everything", "service", "database"] as const;

let service: Service;

/** A small generator of random numbers in [0, 1), so that a printed seed repeats the moments. */
function createRandom(from: number): () => number {
  let state = from | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The service itself starts a lost database again, as another process. */
async function waitForAnotherDatabase(killed: number): Promise<void> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    const pid = service.findClickHouse();
    if (pid !== undefined && pid !== killed) return;
    await sleep(20);
  }
  throw new Error(`no new database within a minute:\n${service.tail()}`);
}

/** Kills and starts again; returns the seconds until /ready. */
async function killOnce(kind: (typeof kinds)[number], random: () => number): Promise<number> {
  if (kind === "database") {
    const killed = service.killClickHouseOnly();
    if (killed === undefined) throw new Error(`no database to kill:\n${service.tail()}`);
    await waitForAnotherDatabase(killed);
    return service.waitReady();
  }
  const kill = (): Promise<void> =>
    kind === "everything" ? service.killAll() : service.killServiceOnly();
  await kill();
  service.spawn();
  // Sometimes it dies a second time while it starts.
  if (random() < 0.3) {
    await sleep(random() * 1500);
    await kill();
    service.spawn();
  }
  return service.waitReady();
}

beforeAll(async () => {
  service = await startService();
}, 120_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
}, 60_000);

test(
  "every acknowledged event is stored exactly once, whatever is killed whenever",
  { timeout: 600_000 },
  async () => {
    const random = createRandom(seed);
    const begin = performance.now();
    const lanes = doors.map((door) => new Lane(service, door, `lane-${door}`, 40));
    const killed = { everything: 0, service: 0, database: 0 };
    const bag: (typeof kinds)[number][] = [];
    let slowestStart = 0;
    try {
      for (let round = 0; round < rounds; round += 1) {
        // Every kind once in three rounds, in an order of chance.
        if (bag.length === 0) bag.push(...kinds);
        const [kind] = bag.splice(Math.floor(random() * bag.length), 1);
        if (kind === undefined) throw new Error("no kind left");
        await sleep(20 + random() * 1800);
        slowestStart = Math.max(slowestStart, await killOnce(kind, random));
        killed[kind] += 1;
      }
      await sleep(500);
    } catch (error) {
      for (const lane of lanes) await lane[Symbol.asyncDispose]();
      throw new Error(`seed ${seed}`, { cause: error });
    }

    for (const lane of lanes) await lane.stop();
    const killSeconds = (performance.now() - begin) / 1000;
    const acknowledged = lanes.reduce((sum, { statistics }) => sum + statistics.acknowledged, 0);
    // When the number is wrong, what is read back below says which events are lost or doubled.
    const seconds = await waitForCount(
      service,
      { regex: ".*", prefix0: "kill" },
      acknowledged,
    ).catch((error: unknown) => {
      console.log(String(error));
      return NaN;
    });
    for (const lane of lanes) {
      const counted = await countLane(service, lane);
      const { found, lost, doubled, strange } = await readBack(service, lane);
      console.log(
        `${lane.name}: ${JSON.stringify(lane.statistics)}, counted ${counted}, read ${found}, ` +
          `lost ${lost.length}, doubled ${doubled.length}, strange ${strange.length}`,
      );
      expect(lost, `seed ${seed}`).toEqual([]);
      expect(doubled, `seed ${seed}`).toEqual([]);
      expect(strange, `seed ${seed}`).toEqual([]);
      expect(counted, `seed ${seed}`).toBe(lane.statistics.acknowledged);
      expect(lane.statistics.acknowledged).toBeGreaterThan(rounds);
      expect(lane.statistics.repeats, "requests were cut off").toBeGreaterThan(0);
    }
    console.log(
      `seed ${seed}: ${rounds} rounds ${JSON.stringify(killed)} in ${killSeconds.toFixed(0)} s, ` +
        `${acknowledged} events acknowledged, all searchable ${seconds.toFixed(2)} s after the ` +
        `last reply; slowest start ${slowestStart.toFixed(1)} s`,
    );
    expect(Math.min(...Object.values(killed))).toBeGreaterThanOrEqual(Math.floor(rounds / 3));
  },
);
