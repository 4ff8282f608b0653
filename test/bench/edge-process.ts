// An edge in a process of its own, measured by itself: the kernel counts the CPU of others in steps of 10 ms only.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };
import type { EdgeState } from "./edge-program.ts";
import { CUSTOMER, findFreePort, READ_TOKEN, WRITE_TOKEN } from "./service.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export class EdgeProcess implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly tokenPort: number;
  readonly syslogPort: number;
  readonly logstashPort: number;
  readonly #child: ChildProcess;

  /** @param dataDir of a service that is stopped, and will store what this edge takes */
  static async start(dataDir: string, logPath: string): Promise<EdgeProcess> {
    const ports = [];
    while (ports.length < 4) ports.push(await findFreePort());
    const edge = new EdgeProcess(ports, dataDir, logPath);
    await edge.#next();
    return edge;
  }

  private constructor(
    [port = 0, tokenPort = 0, syslogPort = 0, logstashPort = 0]: readonly number[],
    dataDir: string,
    logPath: string,
  ) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.tokenPort = tokenPort;
    this.syslogPort = syslogPort;
    this.logstashPort = logstashPort;
    const log = openSync(logPath, "a");
    // With the settings of Node.js that users run it with.
    const [node = "node", ...flags] = packageJson.scripts.ingest.split(" ").slice(0, -1);
    this.#child = fork("test/bench/edge-program.ts", {
      cwd: root,
      execPath: join(root, "node_modules/.bin", node),
      execArgv: flags,
      env: {
        ...process.env,
        LOGBOOM_HOST: "127.0.0.1",
        LOGBOOM_PORT: String(port),
        LOGBOOM_TOKEN_TCP_PORT: String(tokenPort),
        LOGBOOM_SYSLOG_PORT: String(syslogPort),
        LOGBOOM_LOGSTASH_PORT: String(logstashPort),
        LOGBOOM_DATA_DIR: dataDir,
        LOGBOOM_CUSTOMER: CUSTOMER,
        LOGBOOM_WRITE_TOKEN: WRITE_TOKEN,
        LOGBOOM_READ_TOKEN: READ_TOKEN,
      },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    const kill = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.#child.once("exit", () => process.off("exit", kill));
  }

  async state(): Promise<EdgeState> {
    const next = this.#next();
    this.#child.send("state");
    return next;
  }

  async #next(): Promise<EdgeState> {
    const ended = new AbortController();
    const [message] = (await Promise.race([
      once(this.#child, "message", ended),
      once(this.#child, "exit", ended).then(([code]) => {
        throw new Error(`the edge ended with ${String(code)}`);
      }),
    ]).finally(() => ended.abort())) as [EdgeState];
    return message;
  }

  /** Everything that was taken is durable when it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exit;
  }
}
