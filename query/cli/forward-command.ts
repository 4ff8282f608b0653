// `logboom forward tail FILE`: sends the lines of a file as they are written.
import { setTimeout as sleep } from "node:timers/promises";
import { LogboomError } from "../../schemas/errors.ts";
import { parseCall, UsageError } from "../cli-call.ts";
import {
  clientOptions,
  joinPrefixes,
  readApi,
  readPrefixes,
  readWhole,
  refuseMore,
} from "./client-options.ts";
import { FileFollower, type Found } from "./file-follower.ts";
import { LineBatch } from "./line-batch.ts";
import { LineSender } from "./line-sender.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";
import { tell } from "./output.ts";
import { readToken } from "./secret.ts";

const LOOK_AGAIN_MS = 250;
/** Lines wait for others for so long. */
const MAX_AGE_MS = 250;
const STOP_MS = 5_000;
const DEFAULT_MAX_LINE_BYTES = 1024 * 1024;

export const forwardUsage = `  logboom forward [-t TOKEN] [--prefix 0..3 VALUE] … [--from-start] [--max-line BYTES] tail FILE`;

export async function runForwardCommand(args: readonly string[]): Promise<void> {
  const { path, isFromStart, maxLineBytes, ...destination } = readCall(args);
  const stop = new Stop();
  const sender = new LineSender({
    ...destination,
    contentType: "text/plain",
    signal: stop.deadline,
    onRefused: ({ bytes }, reason) =>
      tell(`a line of ${bytes.length} bytes is left out: ${reason}`),
  });
  await using file = await FileFollower.open(path, isFromStart);
  const forwarding = new Forwarding(sender, new LineSplitter(maxLineBytes));
  try {
    while (!stop.isWanted) {
      const found = await file.next();
      await forwarding.take(found);
      if (found === "nothing") await stop.wait(LOOK_AGAIN_MS);
    }
    await forwarding.finish(file, stop.deadline);
  } catch (error) {
    if (error !== stop.deadline.reason) throw error;
    throw new LogboomError(
      "UNAVAILABLE",
      `stopped before the service took the last ${forwarding.unsent} lines, and what follows them in the file`,
    );
  } finally {
    stop.end();
  }
}

function readCall(args: readonly string[]) {
  const { values, positionals } = parseCall({
    args: joinPrefixes(args),
    options: {
      ...clientOptions,
      token: { type: "string", short: "t" },
      "from-start": { type: "boolean" },
      "max-line": { type: "string" },
    },
    allowPositionals: true,
  });
  const [action, path] = positionals;
  if (action !== "tail" || path === undefined) throw new UsageError("forward takes: tail FILE");
  refuseMore(positionals, 2, "forward takes: tail FILE");
  return {
    path,
    api: readApi(values),
    token: readToken(values.token, "L24_WRITE_TOKEN"),
    prefixes: readPrefixes(values),
    isFromStart: values["from-start"] === true,
    maxLineBytes: readWhole("--max-line", values["max-line"] ?? String(DEFAULT_MAX_LINE_BYTES), {
      minimum: 1,
      maximum: 8 * DEFAULT_MAX_LINE_BYTES,
    }),
  };
}

/** What was read and not yet sent: one batch, and a line that has not ended. */
class Forwarding {
  readonly #sender: LineSender;
  readonly #lines: LineSplitter;
  readonly #batch = new LineBatch();

  constructor(sender: LineSender, lines: LineSplitter) {
    this.#sender = sender;
    this.#lines = lines;
  }

  get unsent(): number {
    return this.#sender.unsent + this.#batch.length;
  }

  /** Returns when there is room for more: nothing is read while the service does not take. */
  async take(found: Found): Promise<void> {
    if (found === "end-of-file") await this.#add(this.#lines.finish());
    else if (found !== "nothing") await this.#add(this.#lines.push(found));
    if (this.#batch.ageMs >= MAX_AGE_MS) await this.#sender.send(this.#batch.take());
  }

  /** Reads to the end and sends all, the line that has not ended too: nobody would send it later. */
  async finish(file: FileFollower, deadline: AbortSignal): Promise<void> {
    await file.look();
    for (let found = await file.next(0); found !== "nothing"; found = await file.next(0)) {
      await this.take(found);
      deadline.throwIfAborted();
    }
    await this.#add(this.#lines.finish());
    await this.#sender.send(this.#batch.take());
  }

  async #add(lines: Iterable<Line>): Promise<void> {
    for (const line of lines) {
      if (line.cutBytes > 0) {
        tell(`a line is cut to ${line.bytes.length} bytes; it had ${line.cutBytes} more`);
      }
      this.#batch.add(line);
      if (this.#batch.isFull) await this.#sender.send(this.#batch.take());
    }
  }
}

/** SIGTERM or Ctrl-C, and a while later the deadline; a second signal ends the process at once. */
class Stop {
  readonly #wanted = new AbortController();
  readonly #late = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    process.once("SIGTERM", this.#begin).once("SIGINT", this.#begin);
  }

  readonly #begin = (): void => {
    this.#wanted.abort();
    this.#timer = setTimeout(() => this.#late.abort(), STOP_MS);
    process.off("SIGTERM", this.#begin).off("SIGINT", this.#begin);
  };

  get isWanted(): boolean {
    return this.#wanted.signal.aborted;
  }

  /** Aborted when there is no time left. */
  get deadline(): AbortSignal {
    return this.#late.signal;
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#wanted.signal }).catch(() => undefined);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
