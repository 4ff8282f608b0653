// Waits for the log to move, but not for ever.
import type { EventEmitter } from "node:events";

/** Tells of appends that are durable, and of positions that have moved. */
export type Movement = EventEmitter<Record<"appended" | "committed", []>>;

/** Resolves at the next event of the name, at the signal, or after the time given. */
export function waitFor(
  movement: Movement,
  name: "appended" | "committed",
  maxWaitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      movement.off(name, done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, maxWaitMs);
    movement.on(name, done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
