// A process of one stage, on a port of its own: signalled, measured, and read.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { root } from "./compose.ts";
import { startWatchdog } from "./service.ts";

export class StageProcess {
  readonly port: number;
  output = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;

  constructor(port: number, command: readonly string[], env: NodeJS.ProcessEnv) {
    this.port = port;
    const [program = "", ...args] = command;
    this.#child = spawn(program, args, {
      cwd: root,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.#exit = once(this.#child, "exit").then(([code]) => code as number | null);
    if (this.#child.pid !== undefined) startWatchdog(this.#child.pid);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code; null after a signal that it did not take. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.hasEnded) this.#child.kill(signal);
    return this.#exit;
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }
}
