// Asks the store for one thing of a question, and words what it refuses.
import { ClickHouseError } from "@clickhouse/client";
import { LogboomError } from "../../schemas/errors.ts";
import { attempt, storeAway } from "../search/attempts.ts";
import { tooManyGroups } from "./fold.ts";

/** What one statement may send: more is refused rather than held in memory. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** ClickHouse's codes of what is too much, whoever asks. */
const refusals: Readonly<Record<string, () => LogboomError>> = {
  // TOO_MANY_ROWS: of max_rows_to_group_by
  "158": tooManyGroups,
  // TIMEOUT_EXCEEDED
  "159": tookTooLong,
  // MEMORY_LIMIT_EXCEEDED
  "241": () =>
    new LogboomError(
      "TOO_LARGE",
      "the query needs more memory than it may have; ask for less time",
    ),
  // TOO_MANY_ROWS_OR_BYTES: of max_result_bytes
  "396": () =>
    new LogboomError(
      "TOO_LARGE",
      `the answer has more than ${MAX_RESULT_BYTES} bytes; ask for fewer events at a time`,
      { details: { limit: MAX_RESULT_BYTES } },
    ),
};

export function tookTooLong(): LogboomError {
  return new LogboomError("UNAVAILABLE", "timeout: the query took too long; ask for less time", {
    details: { reason: "timeout" },
  });
}

/** Repeats what fails, unless it is stopped or refused. */
export async function askStore<Result>(
  signal: AbortSignal,
  task: () => Promise<Result>,
): Promise<Result> {
  try {
    return await attempt(signal, () => task().catch(orRefusal));
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LogboomError ? error : storeAway(error);
  }
}

function orRefusal(error: unknown): never {
  throw (error instanceof ClickHouseError ? refusals[error.code]?.() : undefined) ?? error;
}
