// Runs what docker-compose.yml runs, without containers: its commands, environment, health checks and front, with other addresses.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startClickHouse, type ClickHouseServer } from "./clickhouse.ts";
import { makeSecrets, readCompose, root, type ComposeService } from "./compose.ts";
import { KafkaCluster } from "./kafka.ts";
import { findFreePort, type Endpoint } from "./service.ts";
import { StageProcess } from "./stage-process.ts";
import { renderStoreUsers } from "./store-users.ts";
import { toolPath } from "./tools.ts";

const HEALTHY_WITHIN_MS = 60_000;
/** What this project's own processes answer on, within their containers. */
const CONTAINER_PORT = "7024";

export class ComposeProcesses implements AsyncDisposable {
  readonly processes = new Map<string, StageProcess>();
  readonly secrets: readonly string[];
  readonly endpoint: Endpoint;
  readonly #services = readCompose().services;
  readonly #dir = mkdtempSync(join(tmpdir(), "logboom-compose-"));
  readonly #secrets = makeSecrets();
  #kafka: KafkaCluster | undefined;
  #clickhouse: ClickHouseServer | undefined;

  private constructor(frontPort: number) {
    this.secrets = Object.keys(readCompose().secrets).map((name) => this.#secret(name));
    this.endpoint = {
      url: `http://127.0.0.1:${frontPort}`,
      writeToken: this.#secret("write_token"),
      readToken: this.#secret("read_token"),
    };
  }

  static async start(): Promise<ComposeProcesses> {
    const frontPort = await findFreePort();
    const compose = new ComposeProcesses(frontPort);
    try {
      compose.#kafka = await KafkaCluster.start(1);
      const users = renderStoreUsers({}, [
        compose.#secret("clickhouse_ingest_password"),
        compose.#secret("clickhouse_query_password"),
      ]);
      compose.#clickhouse = await startClickHouse(users.sql);
      const others = ["kafka", "clickhouse", "front"];
      // In the order that depends_on asks for, those without an order between them together.
      let waiting = Object.keys(compose.#services).filter((name) =>
        /^(ingest|consumers|query)/.test(name),
      );
      while (waiting.length > 0) {
        const next = waiting.filter((name) =>
          Object.keys(compose.#service(name).depends_on ?? {}).every(
            (other) => others.includes(other) || compose.processes.has(other),
          ),
        );
        if (next.length === 0) throw new Error(`a circle among ${waiting.join()}`);
        const ports = await Promise.all(next.map(() => findFreePort()));
        next.forEach((name, index) => compose.#start(name, ports[index] ?? 0));
        await Promise.all(next.map((name) => compose.#untilHealthy(name)));
        waiting = waiting.filter((name) => !next.includes(name));
      }
      await compose.#startFront(frontPort);
    } catch (error) {
      await compose[Symbol.asyncDispose]();
      throw error;
    }
    return compose;
  }

  get(name: string): StageProcess {
    const found = this.processes.get(name);
    if (found === undefined) throw new Error(`${name} is not started`);
    return found;
  }

  /** Starts one that has ended, where it was, and waits for its health. */
  async restart(name: string): Promise<void> {
    this.#start(name, this.get(name).port);
    await this.#untilHealthy(name);
  }

  #start(name: string, port: number): void {
    const { command, environment } = this.#service(name);
    const translated = Object.entries(environment ?? {}).map(([variable, value]) => [
      variable,
      value
        .replace("kafka:9092", this.#kafka?.brokers.join() ?? "")
        .replace("http://clickhouse:8123", this.#clickhouse?.url ?? "")
        .replace("/run/secrets", this.#secrets.dir),
    ]);
    const dataDir = join(this.#dir, name);
    mkdirSync(dataDir, { recursive: true });
    const env = {
      PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
      LOGBOOM_PORT: String(port),
      LOGBOOM_DATA_DIR: dataDir,
      ...Object.fromEntries(translated),
    };
    this.processes.set(name, new StageProcess(port, command ?? [], env));
  }

  /** What compose would find, by the check's own program; a process that ends is started again, as compose does. */
  async #untilHealthy(name: string): Promise<void> {
    const { healthcheck, restart } = this.#service(name);
    const [kind, program = "", ...args] = healthcheck?.test ?? [];
    if (kind !== "CMD") throw new Error(`${name} has no check of the form CMD`);
    const deadline = Date.now() + HEALTHY_WITHIN_MS;
    const { port } = this.get(name);
    const moved = args.map((arg) => arg.replace(CONTAINER_PORT, String(port)));
    while (Date.now() < deadline) {
      const check = spawn(program, moved, { stdio: "ignore" });
      const [code] = (await once(check, "exit")) as [number | null];
      if (code === 0) return;
      await sleep(200);
      if (!this.get(name).hasEnded) continue;
      if (restart !== "unless-stopped") break;
      this.#start(name, port);
    }
    throw new Error(`${name} does not become healthy:\n${this.get(name).output}`);
  }

  async #startFront(port: number): Promise<void> {
    let text = readFileSync(join(root, ".compose/nginx.conf"), "utf8")
      .replace("listen 8080", `listen 127.0.0.1:${port}`)
      .replace("grafana:3000", "127.0.0.1:1")
      .replaceAll("/tmp/", `${this.#dir}/front-`);
    for (const [name, { port: own }] of this.processes) {
      text = text.replaceAll(`${name}:${CONTAINER_PORT}`, `127.0.0.1:${own}`);
    }
    const config = join(this.#dir, "nginx.conf");
    writeFileSync(config, text);
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const command = [toolPath("nginx"), "-c", config, "-p", this.#dir, "-g", `daemon off; ${user}`];
    const front = new StageProcess(port, command, { PATH: process.env["PATH"] });
    this.processes.set("front", front);
    const check = this.#service("front").healthcheck?.test.at(-1) ?? "";
    const deadline = Date.now() + HEALTHY_WITHIN_MS;
    while (!front.hasEnded && Date.now() < deadline) {
      const answer = await fetch(check.replace("8080", String(port))).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(50);
    }
    throw new Error(`the front does not answer:\n${front.output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.values()].map((one) => one.end("SIGKILL")));
    await this.#clickhouse?.close();
    await this.#kafka?.[Symbol.asyncDispose]();
    this.#secrets.remove();
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #service(name: string): ComposeService {
    const found = this.#services[name];
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  }

  #secret(name: string): string {
    return readFileSync(join(this.#secrets.dir, name), "utf8");
  }
}
