// Waits for what another part of the process does by itself.
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT_MS = 20_000;

export async function waitUntil(check: () => boolean): Promise<void> {
  const begin = performance.now();
  while (!check()) {
    if (performance.now() - begin > TIMEOUT_MS) throw new Error(`not within ${TIMEOUT_MS} ms`);
    await sleep(5);
  }
}
