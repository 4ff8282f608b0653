// Waits until the service has nothing left to do: everything stored, and its processes idle.
import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "./service.ts";

const POLL_MS = 250;
const WINDOW_MS = 1000;
const GIVE_UP_AFTER_MS = 600_000;

/** Waits until the consumers have caught up with the log. Never asked more often than costs nothing. */
export async function waitStored(service: Service): Promise<void> {
  const begin = performance.now();
  while ((await service.metric("logboom_consumer_lag_records")) > 0) {
    if (performance.now() - begin > GIVE_UP_AFTER_MS)
      throw new Error("the consumers do not catch up");
    await sleep(POLL_MS);
  }
}

/** CPU seconds that the service uses in a second of doing nothing. */
export async function measureIdle(service: Service, seconds: number): Promise<number> {
  const before = service.tree.cpuSeconds();
  await sleep(seconds * 1000);
  return (service.tree.cpuSeconds() - before) / seconds;
}

export interface IdleOptions {
  /** What a second of doing nothing costs. */
  readonly idleCpu: number;
  /** How many such seconds in a row are taken for the end. Merges may pause. */
  readonly seconds: number;
}

/**
 * Waits for a stretch of idle seconds, and returns the CPU seconds and the time at its begin: what the waiting itself
 * costs belongs to nobody.
 */
export async function waitIdle(
  service: Service,
  options: IdleOptions,
): Promise<{ cpuSeconds: number; atMs: number }> {
  const begin = performance.now();
  const busy = Math.max(0.06, options.idleCpu * 2.5);
  let mark = { cpuSeconds: service.tree.cpuSeconds(), atMs: begin };
  let before = mark.cpuSeconds;
  for (let idle = 0; idle < options.seconds;) {
    await sleep(WINDOW_MS);
    const now = service.tree.cpuSeconds();
    idle = now - before < busy ? idle + 1 : 0;
    before = now;
    if (idle === 0) mark = { cpuSeconds: now, atMs: performance.now() };
    if (performance.now() - begin > GIVE_UP_AFTER_MS)
      throw new Error("the service never gets idle");
  }
  return mark;
}
