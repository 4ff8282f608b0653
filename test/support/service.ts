// Starts the real service as its own process group, and stops, kills and restarts it.
import { spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { listDescendants, readCommandLine, readResidentBytes, signalIfAlive } from "./processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readyTimeoutMs = 90_000;

/** The environment in which `node` is the project's own Node.js, without settings of the caller. */
function baseEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("LOGBOOM_") && !name.startsWith("VITEST") && name !== "NODE_ENV",
  );
  const path = join(root, "node_modules/.bin") + delimiter + (process.env["PATH"] ?? "");
  return { ...Object.fromEntries(inherited), PATH: path };
}

/** Below those that systems give to connections: one of these could take it before the service does. */
const firstPort = 12_000;
const endPort = 32_000;

export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(firstPort, endPort);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Ends the process group when this process dies without a word, as a cancelled test run does. */
export function startWatchdog(pid: number): ChildProcess {
  const script = `read -r _; kill -KILL -${pid}`;
  const watchdog = spawn("sh", ["-c", script], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.unref();
  return watchdog;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where a client finds the service and what it may show there. */
export interface Endpoint {
  readonly url: string;
  readonly writeToken: string;
  readonly readToken: string;
}

interface ServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** "generated" gives the service no tokens, as on the first run of a newcomer. */
  readonly tokens?: "given" | "generated";
  /** Runs the service by a program that replaces itself with it; told the data directory. */
  readonly runBy?: (dataDir: string) => readonly string[];
}

/** A service on a port and a data directory of its own; both stay the same over restarts. */
export class Service implements AsyncDisposable, Endpoint {
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly writeToken = `e2e-write-token-${crypto.randomUUID()}`;
  readonly readToken = `e2e-read-token-${crypto.randomUUID()}`;
  /** All that the service wrote to stdout and stderr, over all its starts. */
  output = "";
  #env: NodeJS.ProcessEnv;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> | undefined;

  constructor(port: number, options: ServiceOptions) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = mkdtempSync(join(tmpdir(), "logboom-e2e-"));
    const runBy = options.runBy?.(this.dataDir) ?? [];
    this.#command = [...runBy, "node", "query/standalone.ts"];
    this.#env = {
      ...baseEnvironment(),
      LOGBOOM_HOST: "127.0.0.1",
      LOGBOOM_PORT: String(port),
      LOGBOOM_DATA_DIR: this.dataDir,
      LOGBOOM_CUSTOMER: "acme",
      ...(options.tokens === "generated"
        ? {}
        : { LOGBOOM_WRITE_TOKEN: this.writeToken, LOGBOOM_READ_TOKEN: this.readToken }),
      ...options.env,
    };
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the service is not started");
    return pid;
  }

  /** Spawns the process and returns at once. */
  spawn(): void {
    const [program = "", ...args] = this.#command;
    const child = spawn(program, args, {
      cwd: root,
      env: this.#env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk: string): void => {
      this.output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    this.#child = child;
    const watchdog = child.pid === undefined ? undefined : startWatchdog(child.pid);
    this.#exit = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        watchdog?.kill("SIGKILL");
        resolve({ code, signal });
      });
    });
  }

  /** Waits until /ready answers 200, and returns the seconds that this took. */
  async waitReady(): Promise<number> {
    const begin = performance.now();
    while (performance.now() - begin < readyTimeoutMs) {
      if (this.#child?.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the service ended before it was ready:\n${this.tail()}`);
      }
      const isReady = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(5000) }).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status === 200;
        },
        () => false,
      );
      if (isReady) return (performance.now() - begin) / 1000;
      await sleep(50);
    }
    throw new Error(`the service is not ready after ${readyTimeoutMs} ms:\n${this.tail()}`);
  }

  async start(): Promise<number> {
    this.spawn();
    return this.waitReady();
  }

  /** The last lines of the output, for messages of failure. */
  tail(): string {
    return this.output.split("\n").slice(-40).join("\n");
  }

  signal(signal: NodeJS.Signals): void {
    signalIfAlive(this.pid, signal);
  }

  /** Signals the process group, as a terminal does on Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    signalIfAlive(-this.pid, signal);
  }

  async waitExit(timeoutMs: number): Promise<Exit> {
    if (this.#exit === undefined) throw new Error("the service is not started");
    const timeout = sleep(timeoutMs, undefined, { ref: false });
    const exit = await Promise.race([this.#exit, timeout]);
    if (exit === undefined) {
      throw new Error(`the service still runs after ${timeoutMs} ms:\n${this.tail()}`);
    }
    return exit;
  }

  /** SIGTERM, then the exit. */
  async stop(): Promise<Exit> {
    this.signal("SIGTERM");
    return this.waitExit(60_000);
  }

  /** The database's child process; undefined while there is none. */
  findClickHouse(): number | undefined {
    return listDescendants(this.pid).find((pid) => /clickhouse|chdb/i.test(readCommandLine(pid)));
  }

  /** SIGKILL to the service alone; the child must notice by itself. */
  async killServiceOnly(): Promise<void> {
    signalIfAlive(this.pid, "SIGKILL");
    await this.#exit;
  }

  /** SIGKILL to the database alone, and its pid; undefined when there was none at this moment. */
  killClickHouseOnly(): number | undefined {
    const pid = this.findClickHouse();
    return pid !== undefined && signalIfAlive(pid, "SIGKILL") ? pid : undefined;
  }

  /** SIGKILL to the service and all below it. */
  killTree(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    const descendants = listDescendants(pid);
    signalIfAlive(-pid, "SIGKILL");
    for (const descendant of descendants) signalIfAlive(descendant, "SIGKILL");
  }

  async killAll(): Promise<void> {
    this.killTree();
    await this.#exit;
  }

  /** Resident bytes of the service's own process, the database left out. */
  get residentBytes(): number {
    return readResidentBytes(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isRunning = this.#child?.exitCode === null && this.#child.signalCode === null;
    if (isRunning) {
      const descendants = listDescendants(this.pid);
      this.signal("SIGTERM");
      await this.waitExit(30_000).catch(() => undefined);
      this.killTree();
      for (const descendant of descendants) signalIfAlive(descendant, "SIGKILL");
    }
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** A service that answers /ready. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const service = new Service(await findFreePort(), options);
  try {
    await service.start();
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
  return service;
}

/** A command line call of the same data directory, given `input` on stdin: exit code, stdout and stderr. */
export async function runCli(
  dataDir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string | Buffer,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn("node", ["query/cli.ts", ...args], {
    cwd: root,
    env: { ...baseEnvironment(), ...env, LOGBOOM_DATA_DIR: dataDir },
    stdio: "pipe",
  });
  child.stdin.on("error", () => undefined).end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
