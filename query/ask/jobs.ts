// Questions that take longer than a client waits: they go on while somebody polls, and their answers are kept until somebody asks.
import { setTimeout as sleep } from "node:timers/promises";
import { LogboomError } from "../../schemas/errors.ts";
import type { Asking, Progress } from "./question.ts";

const MAX_JOBS = 500;
const MAX_RUNNING = 100;
const KEEP_MS = 60_000;
const IDLE_MS = 30_000;
const SWEEP_MS = 1_000;

export type Poll<Result> =
  | { readonly isDone: true; readonly result: Result }
  | { readonly isDone: false; readonly percent: number };

interface Job {
  readonly stop: AbortController;
  readonly done: Promise<unknown>;
  progress: Progress;
  isRunning: boolean;
  polledAt: number;
}

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #sweep: NodeJS.Timeout;

  constructor() {
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /**
   * Starts or joins a job and waits for it a moment.
   *
   * @param name of the job, with the customer and the scope it is for
   * @throws what the job throws, or LogboomError RATE_LIMITED when too many run
   */
  async poll<Result>(
    name: string,
    start: (asking: Asking) => Promise<Result>,
    waitMs: number,
  ): Promise<Poll<Result>> {
    const job = this.#jobs.get(name) ?? this.#start(name, start);
    job.polledAt = Date.now();
    const timer = new AbortController();
    const first = await Promise.race([
      job.done.then((result) => ({ isDone: true as const, result: result as Result })),
      sleep(waitMs, undefined, { signal: timer.signal }).catch(() => undefined),
    ]).finally(() => timer.abort());
    if (first !== undefined) {
      // Who asks again asks anew: no answer is told that is older than its question.
      if (this.#jobs.get(name) === job) this.#jobs.delete(name);
      return first;
    }
    const { doneBlocks, blocks } = job.progress;
    return { isDone: false, percent: blocks === 0 ? 0 : Math.floor((99 * doneBlocks) / blocks) };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const { stop } of jobs) stop.abort(new Error("the service stops"));
    await Promise.allSettled(jobs.map(({ done }) => done));
  }

  #start(name: string, start: (asking: Asking) => Promise<unknown>): Job {
    const running = [...this.#jobs.values()].filter(({ isRunning }) => isRunning).length;
    if (running >= MAX_RUNNING) {
      throw new LogboomError(
        "RATE_LIMITED",
        `${running} queries are running; the limit is ${MAX_RUNNING}`,
        { retryAfterSeconds: 2, details: { limit: MAX_RUNNING } },
      );
    }
    const stop = new AbortController();
    const onProgress = (progress: Progress): void => {
      job.progress = progress;
    };
    const job: Job = {
      stop,
      done: start({ signal: stop.signal, isPolled: true, onProgress }).finally(() => {
        job.isRunning = false;
      }),
      progress: { doneBlocks: 0, blocks: 0 },
      isRunning: true,
      polledAt: Date.now(),
    };
    // A failure is told to those who poll, once: the next poll tries anew.
    job.done.catch(() => {
      if (this.#jobs.get(name) === job) this.#jobs.delete(name);
    });
    this.#jobs.set(name, job);
    this.#forget();
    return job;
  }

  #forget(): void {
    const now = Date.now();
    for (const [name, job] of this.#jobs) {
      const isOld = now - job.polledAt > (job.isRunning ? IDLE_MS : KEEP_MS);
      if (!isOld && (this.#jobs.size <= MAX_JOBS || job.isRunning)) continue;
      this.#jobs.delete(name);
      job.stop.abort(new Error("nobody asks for the answer any more"));
    }
  }
}
