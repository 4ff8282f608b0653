// Starts and stops the service that is measured, and asks it how far its consumers are.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };
import { get } from "./post.ts";
import { ProcessTree } from "./process-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const READY_WITHIN_MS = 120_000;
export const CUSTOMER = "bench";
/** A UUID, as it has to be where a line names its key. */
export const WRITE_TOKEN = "be9c4000-7024-4000-8000-000000000001";
export const READ_TOKEN = "bench-read-token-0000";

export interface ServiceOptions {
  readonly port: number;
  readonly dataDir: string;
  /** Where the service's own log goes. */
  readonly logPath: string;
  /** Where a CPU profile of the Node.js process goes when it stops; none when undefined. */
  readonly profileDir: string | undefined;
}

/** The service on one port and data directory, which stay the same over its starts. */
export class Service implements AsyncDisposable {
  readonly url: string;
  readonly options: ServiceOptions;
  #child: ChildProcess | undefined;
  #tree: ProcessTree | undefined;

  constructor(options: ServiceOptions) {
    this.options = options;
    this.url = `http://127.0.0.1:${options.port}`;
    process.once("exit", () => this.#child?.kill("SIGKILL"));
  }

  /** The processes of the running service. */
  get tree(): ProcessTree {
    if (this.#tree === undefined) throw new Error("the service is not started");
    return this.#tree;
  }

  get #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
      LOGBOOM_HOST: "127.0.0.1",
      LOGBOOM_PORT: String(this.options.port),
      LOGBOOM_DATA_DIR: this.options.dataDir,
      LOGBOOM_CUSTOMER: CUSTOMER,
      LOGBOOM_WRITE_TOKEN: WRITE_TOKEN,
      LOGBOOM_READ_TOKEN: READ_TOKEN,
    };
  }

  /**
   * Starts the service and returns the milliseconds until /ready answered 200.
   *
   * @param settings variables of the environment for this start alone
   */
  async start(settings: Readonly<Record<string, string>> = {}): Promise<number> {
    const begin = performance.now();
    const { logPath, profileDir } = this.options;
    const profiling = profileDir === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profileDir];
    const log = openSync(logPath, "a");
    // As users run it, but without npm between us and the processes to be measured.
    const [node = "node", ...args] = packageJson.scripts.start.split(" ");
    const child = spawn(node, [...profiling, ...args], {
      cwd: root,
      env: { ...this.#environment, ...settings },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    await once(child, "spawn");
    this.#tree = new ProcessTree(child.pid ?? 0);
    while (performance.now() - begin < READY_WITHIN_MS) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      const isReady = await get(`${this.url}/ready`).then(
        ({ status }) => status === 200,
        () => false,
      );
      // Another program on the port may have answered in place of a service that could not listen.
      const isOurs = child.exitCode === null && child.signalCode === null;
      if (isReady && isOurs) return performance.now() - begin;
      await sleep(10);
    }
    throw new Error(`the service did not become ready; see ${logPath}`);
  }

  /** SIGTERM, and the milliseconds until the process ended. */
  async stop(): Promise<number> {
    const child = this.#child;
    const begin = performance.now();
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    this.#child = undefined;
    return performance.now() - begin;
  }

  /** The sum of a metric over its labels; 0 when the service has none of that name. */
  async metric(name: string): Promise<number> {
    const { body } = await get(`${this.url}/metrics`);
    return body
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
