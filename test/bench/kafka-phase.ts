// Measures the path over Kafka: one edge, one consumer, a broker and a ClickHouse server, each its own process.
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };
import { startClickHouse, type ClickHouseServer } from "../support/clickhouse.ts";
import { root } from "../support/compose.ts";
import { KafkaCluster } from "../support/kafka.ts";
import { findFreePort } from "../support/service.ts";
import { StageProcess } from "../support/stage-process.ts";
import type { Options } from "./options.ts";
import { get } from "./post.ts";
import { PeakMemory } from "./peak-memory.ts";
import type { Part } from "./prepare.ts";
import { ProcessTree } from "./process-tree.ts";
import type { Report } from "./report.ts";
import { sendParts } from "./send.ts";
import { CUSTOMER, READ_TOKEN, WRITE_TOKEN } from "./service.ts";

/** Of our own processes, for so many events from the edge to searchable. */
const CPU_TARGET = { events: 5_000_000, seconds: 45 };
const CATCH_UP_TARGET = 250_000;
const MEMORY_TARGETS = { edge: 0.3, consumer: 0.4 };
const PRODUCER_TARGETS = { zstd: 9, none: 4 };
const PRODUCER_MB = 512;
const READY_WITHIN_MS = 60_000;
const STORED_WITHIN_MS = 600_000;
const POLL_MS = 250;
const GB = 1e9;

const producerProgram = fileURLToPath(new URL("producer-program.ts", import.meta.url));

/** What one process has used, and the most memory that it had. */
class Watched implements Disposable {
  readonly stage: StageProcess;
  readonly #tree: ProcessTree;
  readonly #memory: PeakMemory;
  #before: number;

  constructor(stage: StageProcess) {
    this.stage = stage;
    this.#tree = new ProcessTree(stage.pid);
    this.#memory = new PeakMemory(this.#tree);
    this.#before = this.#tree.cpuSeconds();
  }

  takeCpuSeconds(): number {
    const now = this.#tree.cpuSeconds();
    const used = now - this.#before;
    this.#before = now;
    return used;
  }

  get peakGb(): number {
    return this.#memory.peak.resident / GB;
  }

  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}

interface Folders {
  readonly workDir: string;
  /** Where a CPU profile of each of our processes goes when it stops; none when undefined. */
  readonly profileDir: string | undefined;
}

/** Says whether exactly what was acknowledged is stored. */
export async function measureKafka(
  parts: readonly Part[],
  options: Options,
  report: Report,
  { workDir, profileDir }: Folders,
): Promise<boolean> {
  await using kafka = await KafkaCluster.start(1);
  const clickhouse = await startClickHouse(
    "CREATE SETTINGS PROFILE IF NOT EXISTS bench SETTINGS max_threads = 1; " +
      "CREATE USER IF NOT EXISTS bench IDENTIFIED WITH sha256_hash BY " +
      "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' SETTINGS PROFILE bench; " +
      "GRANT ALL ON *.* TO bench",
  );
  const stages: StageProcess[] = [];
  const start = async (name: "ingest" | "consumers"): Promise<Watched> => {
    const flags =
      profileDir === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-name=${name}-${stages.length}.cpuprofile`];
    if (profileDir !== undefined) flags.push(`--cpu-prof-dir=${profileDir}`);
    const stage = await startStage(name, flags, kafka, clickhouse, join(workDir, name));
    stages.push(stage);
    return new Watched(stage);
  };
  try {
    const [broker, store] = [...kafka.pids, clickhouse.pid].map((pid) => new ProcessTree(pid));
    if (broker === undefined || store === undefined) throw new TypeError("no broker or no store");
    using edge = await start("ingest");
    using consumer = await start("consumers");
    const others = [broker.cpuSeconds(), store.cpuSeconds()];

    const begin = performance.now();
    const own = process.cpuUsage();
    await send(edge, parts, options);
    const { user, system } = process.cpuUsage(own);
    const acknowledgedSeconds = (performance.now() - begin) / 1000;
    await waitStored(clickhouse, options.events);
    const storedSeconds = (performance.now() - begin) / 1000;
    const [edgeCpu, consumerCpu] = [edge.takeCpuSeconds(), consumer.takeCpuSeconds()];
    const scale = options.events / CPU_TARGET.events;
    report.figures(`Over Kafka, ${options.events.toLocaleString("en")} events`, [
      { name: "all acknowledged after", value: acknowledgedSeconds, unit: "s" },
      { name: "all searchable after", value: storedSeconds, unit: "s" },
      {
        name: "CPU of our processes",
        value: edgeCpu + consumerCpu,
        unit: "s",
        target: CPU_TARGET.seconds * scale,
      },
      { name: "  of it the edge", value: edgeCpu, unit: "s" },
      { name: "  of it the consumer", value: consumerCpu, unit: "s" },
      { name: "CPU of the sender", value: (user + system) / 1e6, unit: "s" },
      { name: "CPU of the broker", value: broker.cpuSeconds() - (others[0] ?? 0), unit: "s" },
      { name: "CPU of the store", value: store.cpuSeconds() - (others[1] ?? 0), unit: "s" },
    ]);

    await consumer.stage.end("SIGTERM");
    await send(edge, parts, options);
    using late = await start("consumers");
    const caughtUpFrom = performance.now();
    await waitStored(clickhouse, 2 * options.events);
    const catchUpSeconds = (performance.now() - caughtUpFrom) / 1000;
    report.figures(`A consumer that starts ${options.events.toLocaleString("en")} events behind`, [
      { name: "caught up after", value: catchUpSeconds, unit: "s" },
      {
        name: `events a second (target ${CATCH_UP_TARGET.toLocaleString("en")})`,
        value: Math.round(options.events / catchUpSeconds),
        unit: "",
      },
      { name: "CPU of the consumer", value: late.takeCpuSeconds(), unit: "s" },
    ]);
    report.figures("Most memory", [
      { name: "edge", value: edge.peakGb, unit: "GB", target: MEMORY_TARGETS.edge },
      {
        name: "consumer, keeping up",
        value: consumer.peakGb,
        unit: "GB",
        target: MEMORY_TARGETS.consumer,
      },
      {
        name: "consumer, catching up",
        value: late.peakGb,
        unit: "GB",
        target: MEMORY_TARGETS.consumer,
      },
    ]);
    await measureProducer(kafka, parts, report);
    const stored = await countStored(clickhouse);
    const isExact = stored === 2 * options.events;
    console.log(
      `\nstored ${stored}, acknowledged ${2 * options.events}: ${isExact ? "exact" : "WRONG"}`,
    );
    return isExact;
  } finally {
    // A profile is written by a process that ends by itself.
    const signal = profileDir === undefined ? "SIGKILL" : "SIGTERM";
    await Promise.all(stages.map((stage) => stage.end(signal)));
    await clickhouse.close();
  }
}

async function send({ stage }: Watched, parts: readonly Part[], options: Options): Promise<void> {
  await sendParts(parts, {
    target: { url: stage.url, hasKeys: options.hasKeys },
    requestsInFlight: options.requestsInFlight,
    onPartAcknowledged: () => undefined,
  });
}

async function startStage(
  name: "ingest" | "consumers",
  flags: readonly string[],
  kafka: KafkaCluster,
  clickhouse: ClickHouseServer,
  dataDir: string,
): Promise<StageProcess> {
  mkdirSync(dataDir, { recursive: true });
  const port = await findFreePort();
  const [node = "node", ...args] = packageJson.scripts[name].split(" ");
  const stage = new StageProcess(port, [node, ...flags, ...args], {
    PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    LOGBOOM_PORT: String(port),
    LOGBOOM_DATA_DIR: dataDir,
    LOGBOOM_CUSTOMER: CUSTOMER,
    LOGBOOM_WRITE_TOKEN: WRITE_TOKEN,
    LOGBOOM_READ_TOKEN: READ_TOKEN,
    LOGBOOM_KAFKA_BROKERS: kafka.brokers.join(","),
    LOGBOOM_KAFKA_REPLICATION: "1",
    LOGBOOM_CLICKHOUSE_URL: clickhouse.url,
    LOGBOOM_CLICKHOUSE_USER: "bench",
  });
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline && !stage.hasEnded) {
    const isReady = await get(`${stage.url}/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (isReady) return stage;
    await sleep(50);
  }
  await stage.end("SIGKILL");
  throw new Error(`${name} does not become ready:\n${stage.output}`);
}

async function countStored(clickhouse: ClickHouseServer): Promise<number> {
  return Number(await clickhouse.command("SELECT count() FROM events", "logboom"));
}

async function waitStored(clickhouse: ClickHouseServer, events: number): Promise<void> {
  const deadline = performance.now() + STORED_WITHIN_MS;
  while ((await countStored(clickhouse)) < events) {
    if (performance.now() > deadline) throw new Error("the consumer does not catch up");
    await sleep(POLL_MS);
  }
}

/** In a process of its own, so that nothing else is in its CPU time. */
async function measureProducer(
  kafka: KafkaCluster,
  parts: readonly Part[],
  report: Report,
): Promise<void> {
  const [part] = parts;
  if (part === undefined) return;
  const figures = [];
  // As an edge has them.
  const flags = packageJson.scripts.ingest.split(" ").filter((word) => word.startsWith("--"));
  for (const compression of ["zstd", "none"] as const) {
    const args = [kafka.brokers.join(","), compression, part.path, String(PRODUCER_MB)];
    const child = spawn(process.execPath, [...flags, producerProgram, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`the producer ended with ${code}`);
    const value = Number(output);
    const target = PRODUCER_TARGETS[compression];
    figures.push({ name: `CPU a GB, ${compression}`, value, unit: "s", target });
  }
  report.figures("Producer: records of 256 KiB through the lanes", figures);
}
