// Asks a store that may restart meanwhile: what fails is repeated for some seconds.
import { setTimeout as sleep } from "node:timers/promises";
import { ClickHouseError } from "@clickhouse/client";
import { LogboomError } from "../../schemas/errors.ts";

/** A store that restarts is back within this many attempts. */
const ATTEMPTS = 7;
/** A store that answers with an error hardly answers better the next time. */
const ATTEMPTS_WHEN_ANSWERED = 2;
const FIRST_BACKOFF_MS = 100;

/** Repeats a task that fails, unless it is stopped or the failure is our own verdict; throws the last failure. */
export async function attempt<Result>(
  signal: AbortSignal,
  task: () => Promise<Result>,
): Promise<Result> {
  let backoffMs = FIRST_BACKOFF_MS;
  for (let tries = 1; ; tries++) {
    try {
      return await task();
    } catch (error) {
      const limit = error instanceof ClickHouseError ? ATTEMPTS_WHEN_ANSWERED : ATTEMPTS;
      if (signal.aborted || error instanceof LogboomError || tries >= limit) throw error;
      await sleep(backoffMs, undefined, { signal });
      backoffMs *= 2;
    }
  }
}

/** What a caller is told when the store cannot be asked. */
export function storeAway(cause: unknown): LogboomError {
  return new LogboomError("UNAVAILABLE", "the store does not answer", {
    cause,
    retryAfterSeconds: 2,
  });
}
