// The benchmark: `npm run bench -- --help`. Prints figures beside their targets; fails only when an event is missing.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../support/service.ts";
import { measureCompressibility } from "./compressibility.ts";
import { diskFigures } from "./disk.ts";
import { measureDoors } from "./door-phase.ts";
import { measureIndex } from "./index-phase.ts";
import { measureIngest } from "./ingest-phase.ts";
import { measureKafka } from "./kafka-phase.ts";
import { readOptions, type Options } from "./options.ts";
import { prepareDataSet, type Part } from "./prepare.ts";
import { reportProfiles } from "./profile.ts";
import { measureRate } from "./rate-phase.ts";
import { Report } from "./report.ts";
import { measureSearches } from "./search-phase.ts";
import { hitsOf, runSearch } from "./search.ts";
import { Service } from "./service.ts";
import { waitStored } from "./settle.ts";

/** Of the message bytes, with the message index. */
const DISK_TARGET = 0.24;

/** The others make events of their own. */
const phasesOfDataSet = ["ingest", "search"] as const;

/** Makes each count of everything another query: the same one would be answered from memory. */
let countsAsked = 0;

async function countAll(service: Service): Promise<number> {
  await waitStored(service);
  const beginTime = `1971-01-01T00:00:00.${String(++countsAsked).padStart(9, "0")}`;
  return hitsOf(
    await runSearch(service.url, { type: "EXACT_COUNTS_BINNED", regex: ".*", beginTime }),
  );
}

/** Says whether exactly the events that were acknowledged are there. */
async function verify(service: Service, expected: number): Promise<boolean> {
  const count = await countAll(service);
  const isExact = count === expected;
  console.log(`\nstored ${count}, acknowledged ${expected}: ${isExact ? "exact" : "WRONG"}`);
  return isExact;
}

async function measureStart(service: Service, options: Options, report: Report): Promise<void> {
  const stopMs = await service.stop();
  const startMs = await service.start();
  report.figures(`Start with ${options.events.toLocaleString("en")} events stored`, [
    { name: "stop", value: stopMs / 1000, unit: "s" },
    { name: "start to ready", value: startMs / 1000, unit: "s", target: 3 },
  ]);
}

async function runPhases(
  service: Service,
  parts: readonly Part[],
  options: Options,
  report: Report,
): Promise<boolean> {
  await service.start();
  const { phases } = options;
  const before = await countAll(service);
  const expected = phases.has("ingest") ? before + options.events : before;
  if (phases.has("ingest")) {
    const stored = await measureIngest(service, parts, options, report);
    await measureIndex(service, stored, report);
  }
  let stored = expected;
  let isExact = await verify(service, stored);
  if (phases.has("start")) await measureStart(service, options, report);
  if (phases.has("search")) await measureSearches(service, parts, options, report);
  // Once more: a store keeps the files that it has merged for some minutes.
  const messageBytes = parts.reduce((sum, part) => sum + part.messageBytes, 0);
  if (messageBytes > 0) {
    report.figures("Disk now", diskFigures(service.options.dataDir, messageBytes, DISK_TARGET));
  }
  if (phases.has("rate")) {
    stored += await measureRate(service, options, report);
    isExact = (await verify(service, stored)) && isExact;
  }
  if (phases.has("doors")) {
    stored += await measureDoors(service, options, report);
    isExact = (await verify(service, stored)) && isExact;
  }
  return isExact;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return;
  const report = new Report();
  const workDir = mkdtempSync(join(tmpdir(), "logboom-bench-"));
  const dataDir = options.dataDir ?? join(workDir, "data");
  mkdirSync(dataDir, { recursive: true });
  const profileDir = options.hasProfile ? join(workDir, "profiles") : undefined;
  console.log(`data directory ${dataDir}, log of the service ${join(workDir, "service.log")}`);

  const { batchEvents, endSeconds, events, seed } = options;
  const hasDataSet = options.isKafka || phasesOfDataSet.some((phase) => options.phases.has(phase));
  const parts = hasDataSet
    ? await prepareDataSet({ batchEvents, endSeconds, events, seed }, options.preparedDir)
    : [];
  const sample = parts[0];
  if (sample !== undefined && options.phases.has("ingest")) {
    report.figures("Compressibility of the messages", measureCompressibility(sample));
  }
  const logPath = join(workDir, "service.log");
  let isExact: boolean;
  if (options.isKafka) {
    isExact = await measureKafka(parts, options, report, { workDir, profileDir });
  } else {
    const port = options.port ?? (await findFreePort());
    await using service = new Service({ port, dataDir, logPath, profileDir });
    isExact = await runPhases(service, parts, options, report);
  }
  if (profileDir !== undefined) reportProfiles(report, profileDir);
  if (options.jsonPath !== undefined) report.writeJson(options.jsonPath);
  if (!options.isKept && existsSync(workDir) && isExact) rmSync(workDir, { recursive: true });
  process.exitCode = isExact ? 0 : 1;
}

await main();
process.exit();
