// SIGTERM and Ctrl-C: requests in flight are answered, acknowledged events kept, the exit code is 0.
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import {
  countEvents,
  ingest,
  search,
  toNdjson,
  waitForCount,
  type IngestReply,
} from "../support/api.ts";
import { listDescendants, readResidentBytes } from "../support/processes.ts";
import { openRequest, readReply } from "../support/raw-http.ts";
import { countLane, readBack } from "../support/read-back.ts";
import { Lane, type Door } from "../support/sender.ts";
import { startService, type Service } from "../support/service.ts";
import type { SearchReply } from "../support/snapshots.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** A request of which a service has the head and half of the body. */
async function openHalf(
  service: Service,
  target: string,
  token: string,
  contentType: string,
  body: string,
): Promise<{ readonly socket: Socket; readonly sendRest: () => void }> {
  const half = Math.floor(body.length / 2);
  const headers = { "content-type": contentType, "content-length": body.length };
  const socket = await openRequest(service, target, {
    authorization: `Token ${token}`,
    ...headers,
  });
  socket.write(body.slice(0, half));
  return { socket, sendRest: () => void socket.write(body.slice(half)) };
}

const doors: readonly Door[] = ["ndjson", "json-gzip", "text", "uploadLogs"];

/** How the end is told: to the process, or to the whole foreground group as a terminal does. */
const endings: readonly (readonly [string, (service: Service) => void])[] = [
  ["SIGTERM", (service) => service.signal("SIGTERM")],
  ["SIGINT", (service) => service.signal("SIGINT")],
  ["Ctrl-C in the terminal", (service) => service.signalGroup("SIGINT")],
];

describe.for(endings)("%s", ([name, end]) => {
  test("loses no acknowledged event of busy senders, and exits with 0", async () => {
    await using service = await startService();
    const lanes = doors.map((door) => new Lane(service, door, `lane-${door}`, 2));
    await sleep(1500);
    const begin = performance.now();
    end(service);
    expect(await service.waitExit(60_000)).toEqual({ code: 0, signal: null });
    const seconds = (performance.now() - begin) / 1000;
    await service.start();
    const statistics = await Promise.all(lanes.map((lane) => lane.stop()));
    const acknowledged = statistics.reduce((sum, lane) => sum + lane.acknowledged, 0);
    expect(acknowledged).toBeGreaterThan(100);
    await waitForCount(service, { regex: ".*", prefix0: "kill" }, acknowledged);
    for (const lane of lanes) {
      const { lost, doubled, strange } = await readBack(service, lane);
      expect({ lost, doubled, strange }).toEqual({ lost: [], doubled: [], strange: [] });
      expect(await countLane(service, lane)).toBe(lane.statistics.acknowledged);
    }
    console.log(`${name}: exit after ${seconds.toFixed(2)} s, ${acknowledged} events, lost 0`);
  });

  test("answers the requests in flight, takes no new ones, and leaves no process", async () => {
    await using service = await startService();
    await ingest(service, "before", { contentType: "text/plain" });
    await waitForCount(service, { regex: "before" }, 1);
    const descendants = listDescendants(service.pid);
    expect(descendants.length).toBeGreaterThan(0);
    const lines = "in flight one\nin flight two\n";
    const ingesting = await openHalf(
      service,
      "/api/ingest/v1",
      service.writeToken,
      "text/plain",
      lines,
    );
    const form = "customer=acme&regex=b.*&type=BACKWARD_RESULTS";
    const formType = "application/x-www-form-urlencoded";
    const searching = await openHalf(service, "/api/search/v1", service.readToken, formType, form);
    await sleep(200);
    end(service);
    await sleep(500);
    const refused = await fetch(`${service.url}/ready`).then(
      (response) => response.status,
      () => "no connection",
    );
    expect([503, "no connection"]).toContain(refused);
    ingesting.sendRest();
    searching.sendRest();
    const ingested = await readReply(ingesting.socket);
    expect(ingested.status).toBe(202);
    expect((JSON.parse(ingested.body) as IngestReply).accepted).toBe(2);
    const found = JSON.parse((await readReply(searching.socket)).body) as SearchReply;
    expect(found.events.map(({ message }) => message)).toEqual(["before"]);
    expect(await service.waitExit(60_000)).toEqual({ code: 0, signal: null });
    expect(descendants.filter((pid) => readResidentBytes(pid) > 0)).toEqual([]);

    await service.start();
    await waitForCount(service, { regex: "in flight .*" }, 2);
  });
});

// Each with a service of its own: they wait for limits, and wait together.
describe.concurrent("a service that has ended, or cannot begin", () => {
  test("a client that never ends its request does not keep the service from ending", async () => {
    await using service = await startService({ env: { LOGBOOM_DRAIN_TIMEOUT_MS: "2000" } });
    const socket = await openRequest(service, "/api/ingest/v1", {
      authorization: `Token ${service.writeToken}`,
      "content-type": "text/plain",
      "content-length": 1000,
    });
    socket.resume().write("never ended");
    // An idle connection that is kept alive, too.
    await (await fetch(`${service.url}/health`)).text();
    service.signal("SIGTERM");
    expect((await service.waitExit(60_000)).code).toBe(0);
    socket.destroy();
    await service.start();
    expect(await countEvents(service, { regex: "never.*" })).toBe(0);
  });

  test("the service starts again over stored data, and all of it is there", async () => {
    await using service = await startService();
    const requests = 40;
    const eventsPerRequest = 5000;
    for (let request = 0; request < requests; request += 1) {
      const events = Array.from({ length: eventsPerRequest }, (_, index) => ({
        time: String(1_750_000_000_000_000_000n + BigInt(request * 3600 + index) * 1_000_000_000n),
        message: `stored ${request} ${index} ${"filling ".repeat(12)}`,
      }));
      await ingest(service, toNdjson(events), { query: { prefix0: `host-${request % 7}` } });
    }
    // Killed at once: what is not yet in the store is in the log and must be read from there.
    await service.killAll();
    const seconds = await service.start();
    const total = requests * eventsPerRequest;
    const searchable = await waitForCount(service, { regex: "stored .*" }, total);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const again = await service.start();
    expect(await countEvents(service, { regex: "stored .*" })).toBe(total);
    const last = await search(service, {
      regex: `stored ${requests - 1} .*`,
      type: "BACKWARD_RESULTS",
      limit: 1,
    });
    expect(last.events[0]?.message).toMatch(`stored ${requests - 1} ${eventsPerRequest - 1} `);
    console.log(
      `${total} events: ready ${seconds.toFixed(2)} s after a kill, all searchable ` +
        `${searchable.toFixed(2)} s later; ready ${again.toFixed(2)} s after a stop`,
    );
  });

  test("a second service on the same data directory is refused, and the first goes on", async () => {
    await using service = await startService();
    const second = await startService({ env: { LOGBOOM_DATA_DIR: service.dataDir } }).then(
      async (started) => {
        await started[Symbol.asyncDispose]();
        return "started";
      },
      (error: unknown) => String(error),
    );
    expect(second).not.toBe("started");
    expect(second).toMatch(/ended before it was ready/);
    await ingest(service, "unharmed", { contentType: "text/plain" });
    await waitForCount(service, { regex: "unharmed" }, 1);
  });
});
