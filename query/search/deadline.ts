// Waits for an answer no longer than somebody would.

/**
 * The task's result, or the signal's reason as soon as it is stopped.
 *
 * @param task is given a signal that stops it, too, when the time is over; it may go on for a while then
 * @throws what `orElse` makes when the time is over first
 */
export async function within<Result>(
  timeMs: number,
  signal: AbortSignal,
  {
    task,
    orElse,
  }: {
    readonly task: (signal: AbortSignal) => Promise<Result>;
    readonly orElse: () => Error;
  },
): Promise<Result> {
  signal.throwIfAborted();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(orElse()), timeMs);
  const stopped = AbortSignal.any([signal, over.signal]);
  const stop = Promise.withResolvers<never>();
  stopped.addEventListener("abort", () => stop.reject(stopped.reason as Error), { once: true });
  try {
    return await Promise.race([task(stopped), stop.promise]);
  } finally {
    clearTimeout(timer);
  }
}
