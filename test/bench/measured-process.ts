// A process that tells on request what it has used: the kernel counts the CPU of others in steps of 10 ms only.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @typeParam State what its program answers to any message, and says once when it is ready */
export class MeasuredProcess<State> implements AsyncDisposable {
  readonly #child: ChildProcess;

  /**
   * @param program run with the settings of Node.js that users run the edge with
   * @param log a descriptor that gets what it prints
   */
  constructor(program: string, log: number | "ignore", environment: NodeJS.ProcessEnv = {}) {
    const [node = "node", ...flags] = packageJson.scripts.ingest.split(" ").slice(0, -1);
    this.#child = fork(program, {
      cwd: root,
      execPath: join(root, "node_modules/.bin", node),
      execArgv: flags,
      env: { ...process.env, ...environment },
      stdio: ["ignore", log, log, "ipc"],
    });
    const kill = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.#child.once("exit", () => process.off("exit", kill));
  }

  async state(): Promise<State> {
    const next = this.next();
    this.#child.send("state");
    return next;
  }

  /** What it says next, also unasked. */
  async next(): Promise<State> {
    const ended = new AbortController();
    const [message] = (await Promise.race([
      once(this.#child, "message", ended),
      once(this.#child, "exit", ended).then(([code]) => {
        throw new Error(`the process ended with ${String(code)}`);
      }),
    ]).finally(() => ended.abort())) as [State];
    return message;
  }

  /** It ends in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exit;
  }
}
