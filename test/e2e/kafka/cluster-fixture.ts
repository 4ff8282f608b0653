// Three brokers, two edges, two consumers and a ClickHouse server, each its own process.
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { pino } from "pino";
import packageJson from "../../../package.json" with { type: "json" };
import { createClients } from "../../../ingest/log/kafka/client.ts";
import { startClickHouse, type ClickHouseServer } from "../../support/clickhouse.ts";
import { root } from "../../support/compose.ts";
import { KafkaCluster } from "../../support/kafka.ts";
import { findFreePort, type Endpoint } from "../../support/service.ts";
import { StageProcess } from "../../support/stage-process.ts";
import { renderStoreUsers } from "../../support/store-users.ts";

export const stageNames = ["ingest-1", "ingest-2", "consumers-1", "consumers-2"] as const;
export type StageName = (typeof stageNames)[number];

const READY_WITHIN_MS = 60_000;
const PARTITIONS = 8;
const WRITE_TOKEN = "cluster-write-token-0000";
const READ_TOKEN = "cluster-read-token-0000";

export class Cluster implements AsyncDisposable {
  readonly kafka: KafkaCluster;
  readonly clickhouse: ClickHouseServer;
  readonly #dir = mkdtempSync(join(tmpdir(), "logboom-cluster-"));
  readonly #prefix = `test-${randomUUID()}`;
  readonly #stages = new Map<StageName, StageProcess>();
  readonly #password: string;
  #admin: Admin | undefined;

  static async start(): Promise<Cluster> {
    const users = renderStoreUsers();
    const kafka = await KafkaCluster.start(3);
    const cluster = new Cluster(kafka, await startClickHouse(users.sql), users.ingestPassword);
    try {
      // An edge first: it makes the topics.
      for (const name of stageNames) await cluster.startStage(name);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(kafka: KafkaCluster, clickhouse: ClickHouseServer, password: string) {
    this.kafka = kafka;
    this.clickhouse = clickhouse;
    this.#password = password;
  }

  get edges(): Endpoint[] {
    return (["ingest-1", "ingest-2"] as const).map((name) => ({
      url: this.stage(name).url,
      writeToken: WRITE_TOKEN,
      readToken: READ_TOKEN,
    }));
  }

  stage(name: StageName): StageProcess {
    const found = this.#stages.get(name);
    if (found === undefined) throw new Error(`${name} is not started`);
    return found;
  }

  /** Starts a stage, where it was when it had been before, and waits until it is ready. */
  async startStage(name: StageName): Promise<void> {
    const port = this.#stages.get(name)?.port ?? (await findFreePort());
    const script = name.startsWith("ingest") ? "ingest" : "consumers";
    const dataDir = join(this.#dir, name);
    mkdirSync(dataDir, { recursive: true });
    const stage = new StageProcess(port, packageJson.scripts[script].split(" "), {
      PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
      LOGBOOM_PORT: String(port),
      LOGBOOM_DATA_DIR: dataDir,
      LOGBOOM_CUSTOMER: "acme",
      LOGBOOM_WRITE_TOKEN: WRITE_TOKEN,
      LOGBOOM_READ_TOKEN: READ_TOKEN,
      LOGBOOM_KAFKA_BROKERS: this.kafka.brokers.join(","),
      LOGBOOM_KAFKA_TOPIC_PREFIX: this.#prefix,
      LOGBOOM_KAFKA_PARTITIONS: String(PARTITIONS),
      LOGBOOM_CLICKHOUSE_URL: this.clickhouse.url,
      LOGBOOM_CLICKHOUSE_USER: "logboom_ingest",
      LOGBOOM_CLICKHOUSE_PASSWORD: this.#password,
    });
    this.#stages.set(name, stage);
    const deadline = Date.now() + READY_WITHIN_MS;
    while (Date.now() < deadline && !stage.hasEnded) {
      const isReady = await fetch(`${stage.url}/ready`).then(
        async (response) => {
          await response.body?.cancel();
          return response.ok;
        },
        () => false,
      );
      if (isReady) return;
      await sleep(100);
    }
    throw new Error(`${name} does not become ready:\n${stage.output.slice(-4000)}`);
  }

  /** The broker that leads a partition of events. */
  async leaderOf(partition: number): Promise<number> {
    const admin = await this.#connected();
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${this.#prefix}.events`] });
    const leader = topics[0]?.partitions.find(
      ({ partitionId }) => partitionId === partition,
    )?.leader;
    if (leader === undefined || leader < 1) throw new Error(`partition ${partition} has no leader`);
    return leader;
  }

  /** Where the consumers stand, by partition. */
  async positions(): Promise<Map<number, number>> {
    const admin = await this.#connected();
    const topic = `${this.#prefix}.events`;
    const [group] = await admin.fetchOffsets({ groupId: `${topic}.store`, topics: [topic] });
    return new Map(
      (group?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)]),
    );
  }

  /** Rows of a statement as numbers. */
  async query(sql: string): Promise<string[][]> {
    const text = await this.clickhouse.command(`${sql} FORMAT TSV`, "logboom");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#stages.values()].map((stage) => stage.end("SIGKILL")));
    await this.#admin?.disconnect().catch(() => {});
    await this.clickhouse.close();
    await this.kafka[Symbol.asyncDispose]();
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async #connected(): Promise<Admin> {
    if (this.#admin !== undefined) return this.#admin;
    const clients = createClients({ brokers: this.kafka.brokers }, pino({ level: "silent" }));
    const admin = clients.admin({ retry: { retries: 8, maxRetryTime: 1_000 } });
    await admin.connect();
    this.#admin = admin;
    return admin;
  }
}
