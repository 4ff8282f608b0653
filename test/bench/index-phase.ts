// Measures what the message index of the closed days adds: the service builds it once they have been quiet for a while.
import { setTimeout as sleep } from "node:timers/promises";
import { diskFigures } from "./disk.ts";
import { PeakMemory } from "./peak-memory.ts";
import type { Report } from "./report.ts";
import type { Service } from "./service.ts";
import { measureIdle, waitIdle } from "./settle.ts";

const TARGETS = { cpu: 60, residentGb: 1.5, disk: 0.24 };
/** As short as it takes for the data set of a moment ago to count as left alone. */
const QUIET_MS = 5000;
const GIVE_UP_AFTER_MS = 900_000;
/** Partitions that were merging during one run are indexed by the next. */
const RUNS = 2;

export interface BeforeIndex {
  readonly cpuSeconds: number;
  /** Which part of the events for which the target is meant were sent. */
  readonly scale: number;
  readonly messageBytes: number;
  readonly idleSeconds: number;
}

/** Starts the service anew with a short time of quiet, and waits until its maintenance has nothing left to do. */
export async function measureIndex(
  service: Service,
  before: BeforeIndex,
  report: Report,
): Promise<void> {
  await service.stop();
  const begin = performance.now();
  await service.start({ LOGBOOM_INDEX_QUIET_MS: String(QUIET_MS) });
  const { tree } = service;
  using memory = new PeakMemory(tree);
  const cpuAtStart = tree.cpuSeconds();
  while ((await service.metric("logboom_maintenance_runs_total")) < RUNS) {
    if (performance.now() - begin > GIVE_UP_AFTER_MS) throw new Error("maintenance does not end");
    await sleep(500);
  }
  const idleCpu = await measureIdle(service, 3);
  const end = await waitIdle(service, { idleCpu, seconds: before.idleSeconds });
  const added = end.cpuSeconds - cpuAtStart;
  report.figures("Message index of the closed days", [
    { name: "took", value: (end.atMs - begin) / 1000, unit: "s" },
    { name: "CPU added", value: added, unit: "s" },
    {
      name: "CPU with ingest",
      value: before.cpuSeconds + added,
      unit: "s",
      target: TARGETS.cpu * before.scale,
    },
    ...memory.figures(TARGETS.residentGb),
    ...diskFigures(service.options.dataDir, before.messageBytes, TARGETS.disk),
  ]);
  await service.stop();
  await service.start();
}
