// One run of the embedded ClickHouse: spawns the child, waits until it answers, ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { libchdbPath } from "chdb/libchdb";
import { configPath } from "./embedded-config.ts";

const program = fileURLToPath(new URL("./embedded-server.ts", import.meta.url));
const keptOutputChars = 4096;
const probeIntervalMs = 40;

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what the child wrote to stderr. */
  readonly output: string;
}

/** Why a child ended before it answered. */
export class ServerStartError extends Error {
  readonly exit: ServerExit;

  constructor(exit: ServerExit) {
    super(
      `embedded ClickHouse ended with ${exit.signal ?? `code ${exit.code}`} before it answered`,
    );
    this.name = "ServerStartError";
    this.exit = exit;
  }

  /** Another process holds the directory: ClickHouse's code 76, CANNOT_OPEN_FILE. */
  get isLocked(): boolean {
    return /\bCode: 76\b/.test(this.exit.output);
  }
}

export interface ServerAddress {
  readonly dir: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/** A running child. Its lifetime is the pipe: close() ends stdin, and so does the end of this process. */
export class ServerChild {
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  readonly #process: ChildProcess;
  readonly #address: ServerAddress;
  #hasExited = false;
  #output = "";

  constructor(address: ServerAddress) {
    this.#address = address;
    const { dir, port } = address;
    this.#process = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        "--max-semi-space-size=1",
        program,
        libchdbPath(),
        dir,
        configPath(dir),
        String(port),
      ],
      {
        stdio: ["pipe", "ignore", "pipe"],
        // its own session: Ctrl-C in a terminal reaches the service only, which drains first
        detached: true,
      },
    );
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#output = (this.#output + text).slice(-keptOutputChars);
    });
    // a write to a dying child's pipe is no news: its exit is
    this.#process.stdin?.on("error", () => undefined);
    this.exited = new Promise((resolve) => {
      const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#hasExited = true;
        resolve({ code, signal, output: this.#output.trim() });
      };
      this.#process.once("close", settle);
      this.#process.once("error", (error) => {
        this.#output += error.message;
        settle(null, null);
      });
    });
    this.pid = this.#process.pid ?? -1;
  }

  /** Resolves when the server answers a query. Throws ServerStartError when it ends before. */
  async waitUntilUp(): Promise<void> {
    while (!this.#hasExited) {
      if (await answers(this.#address)) return;
      await Promise.race([this.exited, sleep(probeIntervalMs)]);
    }
    throw new ServerStartError(await this.exited);
  }

  /** Ends the server: by the pipe, or, when it has not gone after `graceMs`, by SIGKILL. */
  async close(graceMs: number): Promise<ServerExit> {
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether the server there runs a query for this user: a foreign server on the port refuses the password. */
function answers({ port, username, password }: ServerAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(
      {
        host: "127.0.0.1",
        port,
        path: "/?query=SELECT%201",
        headers: { "X-ClickHouse-User": username, "X-ClickHouse-Key": password },
        // a kept connection would delay the server's exit
        agent: false,
        timeout: 5000,
      },
      (response) => {
        response.resume();
        response.once("close", () => resolve(response.statusCode === 200));
      },
    );
    probe.once("timeout", () => probe.destroy());
    probe.once("error", () => resolve(false));
    probe.end();
  });
}
