// What must be done before anything else can be: tried until it is, whatever fails meanwhile.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;

interface PersistOptions {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Facts beside the error in the log. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/**
 * Repeats a task that may be repeated, until it succeeds.
 *
 * @throws the task's own error once the signal is aborted: then it is for somebody else to do
 */
export async function persist<Result>(
  what: string,
  task: () => Promise<Result>,
  { signal, logger, facts }: PersistOptions,
): Promise<Result> {
  let backoffMs = FIRST_BACKOFF_MS;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (signal.aborted) throw error;
      logger.error({ err: error, ...facts, backoffMs }, `${what} failed; trying again`);
      await sleep(backoffMs, undefined, { signal });
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }
}
