// Measures what it costs to store the data set: CPU until it is stored and merged; memory; disk.
import { diskFigures } from "./disk.ts";
import type { BeforeIndex } from "./index-phase.ts";
import { machineCpuSeconds } from "./machine.ts";
import type { Options } from "./options.ts";
import { PeakMemory } from "./peak-memory.ts";
import type { Part } from "./prepare.ts";
import type { Report } from "./report.ts";
import { sendParts } from "./send.ts";
import type { Service } from "./service.ts";
import { measureIdle, waitIdle, waitStored } from "./settle.ts";

const TARGETS = { cpu: 45, residentGb: 1.5, disk: 0.22 };
/** The targets of CPU are for so many events. */
const TARGET_EVENTS = 5_000_000;
const GB = 1e9;

interface Millions {
  readonly part: Part;
  readonly cpuSeconds: number;
  readonly tookMs: number;
}

export async function measureIngest(
  service: Service,
  parts: readonly Part[],
  options: Options,
  report: Report,
): Promise<BeforeIndex> {
  const { tree } = service;
  const messageBytes = parts.reduce((sum, part) => sum + part.messageBytes, 0);
  const idleCpu = await measureIdle(service, 3);
  const idle = { idleCpu, seconds: options.idleSeconds };
  using memory = new PeakMemory(tree);

  const [cpu0, root0, begin] = [tree.cpuSeconds(), tree.rootCpuSeconds(), performance.now()];
  const machineBefore = machineCpuSeconds();
  const senderBefore = process.cpuUsage();
  const millions: Millions[] = [];
  const refused = await sendParts(parts, {
    target: { url: service.url, hasKeys: options.hasKeys },
    requestsInFlight: options.requestsInFlight,
    onPartAcknowledged: (part) => {
      const tookMs = performance.now() - begin;
      millions.push({ part, cpuSeconds: tree.cpuSeconds() - cpu0, tookMs });
    },
  });
  const acknowledgedMs = performance.now() - begin;
  await waitStored(service);
  const senderUsage = process.cpuUsage(senderBefore);
  const senderCpu = (senderUsage.user + senderUsage.system) / 1e6;
  const machineCpu = machineCpuSeconds() - machineBefore;
  const stored = { cpuSeconds: tree.cpuSeconds() - cpu0, tookMs: performance.now() - begin };
  const merged = await waitIdle(service, idle);
  const cpuSeconds = merged.cpuSeconds - cpu0;
  const rootCpu = tree.rootCpuSeconds() - root0;

  const scale = options.events / TARGET_EVENTS;
  const { dataDir } = service.options;
  report.figures(`Ingest of ${options.events.toLocaleString("en")} events`, [
    { name: "message bytes", value: messageBytes / GB, unit: "GB" },
    { name: "acknowledged at", value: options.events / acknowledgedMs, unit: "k events/s" },
    { name: "refused and repeated", value: refused, unit: "requests" },
    { name: "all acknowledged after", value: acknowledgedMs / 1000, unit: "s" },
    { name: "all stored after", value: stored.tookMs / 1000, unit: "s" },
    { name: "all merged after", value: (merged.atMs - begin) / 1000, unit: "s" },
    { name: "CPU until stored", value: stored.cpuSeconds, unit: "s" },
    { name: "CPU until merged", value: cpuSeconds, unit: "s", target: TARGETS.cpu * scale },
    { name: "  of it Node.js", value: rootCpu, unit: "s" },
    { name: "  of it ClickHouse", value: cpuSeconds - rootCpu, unit: "s" },
    { name: "CPU an event", value: (cpuSeconds / options.events) * 1e6, unit: "us" },
    { name: "CPU of a second of idling", value: idleCpu * 1000, unit: "ms" },
    { name: "CPU of the sender (not counted)", value: senderCpu, unit: "s" },
    {
      name: "CPU of strangers until stored",
      value: Math.max(0, machineCpu - senderCpu - stored.cpuSeconds),
      unit: "s",
    },
    ...memory.figures(TARGETS.residentGb),
    ...diskFigures(dataDir, messageBytes, TARGETS.disk),
  ]);
  reportMillions(millions, cpuSeconds, report);
  return { cpuSeconds, scale, messageBytes, idleSeconds: options.idleSeconds };
}

/** The consumers lag behind the sender, so that the work for the last events is in the last row. */
function reportMillions(millions: readonly Millions[], cpuSeconds: number, report: Report): void {
  const rows = millions.map(({ part, cpuSeconds: until, tookMs }, index) => {
    const before = millions[index - 1];
    const cpu = until - (before?.cpuSeconds ?? 0);
    return [
      `${index + 1}`,
      part.events,
      tookMs - (before?.tookMs ?? 0),
      cpu,
      (cpu / part.events) * 1e6,
    ];
  });
  const tail = cpuSeconds - (millions.at(-1)?.cpuSeconds ?? 0);
  report.table(
    "CPU by million of events, as they were acknowledged",
    ["part", "events", "ms", "CPU s", "CPU us an event"],
    [...rows, ["then, until merged", "", "", tail, ""]],
  );
}
