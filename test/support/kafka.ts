// A real Kafka of one or three brokers on this machine: jars from Maven Central, run by Java, no Docker.
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { pino } from "pino";
import { createClients } from "../../ingest/log/kafka/client.ts";
import { findFreePort, startWatchdog } from "./service.ts";

/** LOGBOOM_TEST_KAFKA_VERSION takes another: docs/kafka.md names the oldest that is supported. */
const version = process.env["LOGBOOM_TEST_KAFKA_VERSION"] ?? "4.3.1";
const clusterId = "bG9nYm9vbS10ZXN0LTAwMQ";
const bootTimeoutMs = 60_000;
/** Longer than a broker's session. */
const settleMs = 2_000;
const cacheDir = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  `logboom-test/kafka-${version}`,
);

/** Why no Kafka can run here; undefined when it can. */
export function whyNoKafka(): string | undefined {
  const java = spawnSync("java", ["-version"], { encoding: "utf8" });
  const major = Number(/version "(\d+)/.exec(java.stderr ?? "")?.[1] ?? 0);
  if (major < 17) return "Kafka needs Java 17 or newer (`java` on the PATH)";
  if (!existsSync(cacheDir) && spawnSync("mvn", ["-v"]).status !== 0) {
    return "Kafka's jars come by Maven (`mvn` on the PATH)";
  }
  return undefined;
}

interface Node {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly dir: string;
  process?: ChildProcess;
  watchdog?: ChildProcess;
}

export class KafkaCluster implements AsyncDisposable {
  readonly #dir: string;
  readonly #nodes: readonly Node[];

  /**
   * Resolves when every broker serves. A secured one (a single broker) asks its clients for TLS and for the
   * name and password of {@link kafkaUser}.
   */
  static async start(count: 1 | 3, isSecured = false): Promise<KafkaCluster> {
    install();
    const dir = mkdtempSync(join(tmpdir(), "logboom-kafka-"));
    const nodes: Node[] = [];
    for (let id = 1; id <= count; id++) {
      const [port, controllerPort] = [await findFreePort(), await findFreePort()];
      nodes.push({ id, port, controllerPort, dir: join(dir, String(id)) });
    }
    const cluster = new KafkaCluster(dir, nodes);
    try {
      for (const node of nodes) {
        format(node, nodes);
        if (isSecured) secure(node, await findFreePort());
        cluster.#boot(node);
      }
      await Promise.all(nodes.map((node) => waitUntilServing(node, 0)));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  private constructor(dir: string, nodes: readonly Node[]) {
    this.#dir = dir;
    this.#nodes = nodes;
  }

  /** host:port of every broker */
  get brokers(): string[] {
    return this.#nodes.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** Of the brokers that were started. */
  get pids(): number[] {
    return this.#nodes.flatMap(({ process: child }) => child?.pid ?? []);
  }

  /** The certificate that a secured broker shows, as its own authority. */
  get caFile(): string {
    return join(this.#node(1).dir, "ca.pem");
  }

  async kill(id: number, signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const { process: child } = this.#node(id);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Starts a killed broker again; resolves when it serves. */
  async restart(id: number): Promise<void> {
    const node = this.#node(id);
    const from = readFileSync(join(node.dir, "out.log")).length;
    this.#boot(node);
    await waitUntilServing(node, from);
  }

  /** Until then another broker that goes away may leave partitions without their majority. */
  async waitUntilInSync(): Promise<void> {
    await withAdmin(this.brokers, async (admin) => {
      const deadline = performance.now() + bootTimeoutMs;
      // A broker that has hung tells what it knew before, until it is told otherwise.
      for (let since = performance.now(); performance.now() - since < settleMs;) {
        await sleep(100);
        const { topics } = await admin.fetchTopicMetadata();
        const behind = topics.flatMap(({ name, partitions }) =>
          partitions
            .filter(({ isr, replicas }) => isr.length < replicas.length)
            .map(({ partitionId }) => `${name}/${partitionId}`),
        );
        if (behind.length > 0) since = performance.now();
        if (since > deadline) throw new Error(`not in sync: ${behind.join(", ")}`);
      }
    });
  }

  /** Stops a broker's process without closing anything, as a machine that hangs. */
  freeze(id: number): void {
    this.#node(id).process?.kill("SIGSTOP");
  }

  thaw(id: number): void {
    this.#node(id).process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map(({ id }) => this.kill(id)));
    for (const { watchdog } of this.#nodes) watchdog?.kill("SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #node(id: number): Node {
    const node = this.#nodes.find((one) => one.id === id);
    if (node === undefined) throw new RangeError(`no broker ${id}`);
    return node;
  }

  #boot(node: Node): void {
    const output = openSync(join(node.dir, "out.log"), "a");
    const child = spawn(
      "java",
      [...javaOptions, "kafka.Kafka", join(node.dir, "server.properties")],
      { detached: true, stdio: ["ignore", output, output] },
    );
    closeSync(output);
    node.watchdog?.kill("SIGKILL");
    node.process = child;
    if (child.pid !== undefined) node.watchdog = startWatchdog(child.pid);
  }
}

/** Runs a task with a connection that asks and administers brokers. */
export async function withAdmin<Result>(
  brokers: readonly string[],
  task: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = createClients({ brokers }, pino({ level: "silent" })).admin();
  await admin.connect();
  try {
    return await task(admin);
  } finally {
    await admin.disconnect();
  }
}

const javaOptions = [
  "-Xmx384m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
  "-cp",
  join(cacheDir, "libs/*"),
];

/** Fetches the jars once, and prepares what every node's storage begins with. */
function install(): void {
  if (existsSync(cacheDir)) return;
  mkdirSync(join(cacheDir, ".."), { recursive: true });
  const dir = mkdtempSync(`${cacheDir}-`);
  const dependency = (group: string, artifact: string, ofVersion: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${ofVersion}</version></dependency>`;
  writeFileSync(
    join(dir, "pom.xml"),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependency("org.apache.kafka", "kafka_2.13", version)}${dependency("org.slf4j", "slf4j-simple", "1.7.36")}</dependencies>
</project>`,
  );
  const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
  execFileSync(
    "mvn",
    [
      "-B",
      "-q",
      "-f",
      join(dir, "pom.xml"),
      plugin,
      "-DoutputDirectory=libs",
      "-DincludeScope=runtime",
    ],
    { cwd: dir, stdio: ["ignore", "ignore", "inherit"], timeout: 300_000 },
  );
  // One run of the storage tool: its checkpoint of feature levels is the same for every node.
  const node = { id: 1, port: 1, controllerPort: 2, dir: join(dir, "format") };
  mkdirSync(node.dir);
  writeFileSync(join(node.dir, "server.properties"), properties(node, [node]));
  execFileSync(
    "java",
    [
      "-cp",
      join(dir, "libs/*"),
      "kafka.tools.StorageTool",
      "format",
      `--cluster-id=${clusterId}`,
      `--config=${join(node.dir, "server.properties")}`,
    ],
    { stdio: "ignore", timeout: 60_000 },
  );
  copyFileSync(join(node.dir, "log/bootstrap.checkpoint"), join(dir, "bootstrap.checkpoint"));
  try {
    renameSync(dir, cacheDir);
  } catch (error) {
    // Another process was faster.
    rmSync(dir, { recursive: true, force: true });
    if (!existsSync(cacheDir)) throw error;
  }
}

function format(node: Node, nodes: readonly Node[]): void {
  mkdirSync(join(node.dir, "log"), { recursive: true });
  writeFileSync(join(node.dir, "server.properties"), properties(node, nodes));
  writeFileSync(
    join(node.dir, "log/meta.properties"),
    `version=1\ncluster.id=${clusterId}\nnode.id=${node.id}\n`,
  );
  copyFileSync(join(cacheDir, "bootstrap.checkpoint"), join(node.dir, "log/bootstrap.checkpoint"));
}

/** Small, and quick to notice that a broker is gone. */
function properties(node: Node, nodes: readonly Node[]): string {
  const replication = nodes.length;
  const inSync = Math.floor(replication / 2) + 1;
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`);
  const settings = {
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": voters.join(","),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${node.port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": join(node.dir, "log"),
    "num.network.threads": 2,
    "num.io.threads": 2,
    "background.threads": 2,
    "auto.create.topics.enable": false,
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 3,
    "offsets.topic.replication.factor": replication,
    "transaction.state.log.replication.factor": replication,
    "transaction.state.log.min.isr": inSync,
    "share.coordinator.state.topic.replication.factor": replication,
    "share.coordinator.state.topic.min.isr": inSync,
    "min.insync.replicas": inSync,
    "log.cleaner.dedupe.buffer.size": 8_388_608,
    "controller.quorum.election.timeout.ms": 400,
    "controller.quorum.fetch.timeout.ms": 1_000,
    "broker.heartbeat.interval.ms": 300,
    "broker.session.timeout.ms": 1_500,
    "initial.broker.registration.timeout.ms": 15_000,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

export const kafkaUser = { name: "logboom", password: "pass:word/100%" };

/** Gives a formatted node a listener with TLS and SASL in place of the plain one. */
function secure(node: Node, internalPort: number): void {
  const keystore = join(node.dir, "keystore.p12");
  const store = [
    "-keystore",
    keystore,
    "-storetype",
    "PKCS12",
    "-storepass",
    "secret",
    "-alias",
    "k",
  ];
  const keytool = (...args: readonly string[]) =>
    execFileSync("keytool", [...args, ...store], { stdio: "ignore", timeout: 60_000 });
  keytool("-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1");
  keytool("-exportcert", "-rfc", "-file", join(node.dir, "ca.pem"));
  const { name, password } = kafkaUser;
  const login = "org.apache.kafka.common.security";
  const settings = {
    listeners: `CLIENT://127.0.0.1:${node.port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    "advertised.listeners": `CLIENT://127.0.0.1:${node.port},INTERNAL://127.0.0.1:${internalPort}`,
    "listener.security.protocol.map": "CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.client.plain.sasl.jaas.config": `${login}.plain.PlainLoginModule required user_${name}="${password}";`,
    "listener.name.client.scram-sha-256.sasl.jaas.config": `${login}.scram.ScramLoginModule required;`,
    "listener.name.client.scram-sha-512.sasl.jaas.config": `${login}.scram.ScramLoginModule required;`,
    "ssl.keystore.location": keystore,
    "ssl.keystore.password": "secret",
    "ssl.keystore.type": "PKCS12",
  };
  const path = join(node.dir, "server.properties");
  // Of two lines of one name the last counts.
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(path, readFileSync(path, "utf8") + lines.join(""));
  rmSync(join(node.dir, "log"), { recursive: true });
  const users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(
    (mechanism) => `--add-scram=${mechanism}=[name=${name},password=${password}]`,
  );
  const tool = [
    "kafka.tools.StorageTool",
    "format",
    `--cluster-id=${clusterId}`,
    `--config=${path}`,
  ];
  execFileSync("java", ["-cp", join(cacheDir, "libs/*"), ...tool, ...users], {
    stdio: "ignore",
    timeout: 60_000,
  });
}

/** Waits for the line that a broker prints once it serves, in what it prints from an offset on. */
async function waitUntilServing(node: Node, from: number): Promise<void> {
  const path = join(node.dir, "out.log");
  const deadline = performance.now() + bootTimeoutMs;
  while (performance.now() < deadline) {
    const output = existsSync(path) ? readFileSync(path).subarray(from).toString("utf8") : "";
    if (output.includes("Kafka Server started")) return;
    if (node.process?.exitCode !== null) {
      throw new Error(`broker ${node.id} ended:\n${output.split("\n").slice(-20).join("\n")}`);
    }
    await sleep(50);
  }
  throw new Error(`broker ${node.id} does not serve after ${bootTimeoutMs} ms`);
}
