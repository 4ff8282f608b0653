// A disk that is truly full: the log refuses with 503, keeps all it acknowledged, and goes on when there is room.
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { postIngest, waitForCount } from "../support/api.ts";
import { readBack } from "../support/read-back.ts";
import { Lane } from "../support/sender.ts";
import { startService, type Service } from "../support/service.ts";
import { signalIfAlive } from "../support/processes.ts";

/** 64 of them are kept for what is no event. */
const DISK_MB = 96;

/** A file system of the process alone, which ends with it. */
const unshare = ["unshare", "--map-root-user", "--mount", "--propagation", "private"];
const canMount =
  spawnSync("unshare", [...unshare.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
if (!canMount) console.log("not run: full-disk.test.ts: no mount in a namespace of one's own here");

const onSmallDisk = (dataDir: string): readonly string[] => {
  const mount = `mount -t tmpfs -o size=${DISK_MB}m none "$0/log"`;
  return [...unshare, "sh", "-c", `mkdir -p "$0/log" && ${mount} && exec "$@"`, dataDir];
};

/** Sends until the service refuses for want of room; returns the refusal. */
async function fill(service: Service): Promise<{ response: Response; taken: number }> {
  const body = `filler ${"x".repeat(1000)}\n`.repeat(500);
  for (let taken = 0; taken < 500; taken += 1) {
    const response = await postIngest(service, body, { contentType: "text/plain" });
    if (response.status !== 202) return { response, taken };
    await response.body?.cancel();
  }
  throw new Error("the disk does not become full");
}

test.runIf(canMount)(
  "events are refused with 503 while the disk is full, and none is lost or doubled after it",
  async () => {
    await using service = await startService({ runBy: onSmallDisk });
    const lane = new Lane(service, "ndjson", "disk", 20);
    await sleep(1_000);
    const store = service.findClickHouse();
    if (store === undefined) throw new Error("no database");
    // What is not stored stays in the log.
    signalIfAlive(store, "SIGSTOP");
    const { response, taken } = await fill(service);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ errorCode: "OVERLOADED" });
    expect(taken).toBeGreaterThan(10);
    const before = lane.statistics.acknowledged;
    await sleep(2_000);
    signalIfAlive(store, "SIGCONT");

    // By itself, and for the lane as well.
    const end = performance.now() + 60_000;
    while (lane.statistics.acknowledged < before + 500 && performance.now() < end) await sleep(50);
    const { acknowledged } = await lane.stop();
    expect(acknowledged).toBeGreaterThan(before + 499);
    await waitForCount(service, { regex: ".*", prefix0: "kill" }, acknowledged).catch(console.log);
    const { lost, doubled, strange } = await readBack(service, lane);
    console.log(
      `disk full: ${taken} large requests and ${acknowledged} events acknowledged, ` +
        `${lane.statistics.repeats} repeated, lost ${lost.length}, doubled ${doubled.length}`,
    );
    expect({ lost, doubled, strange }).toEqual({ lost: [], doubled: [], strange: [] });
    await waitForCount(service, { regex: "filler .*" }, taken * 500);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    const refusals = metrics
      .split("\n")
      .filter((line) => line.startsWith("logboom_ingest_refused"));
    expect(refusals.filter((line) => !line.includes('code="OVERLOADED"'))).toEqual([]);
    expect((await service.stop()).code).toBe(0);
  },
);
