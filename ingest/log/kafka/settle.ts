// Asks brokers again while they are still taking in what has just begun: a new topic, a group's coordinator.
import { setTimeout as sleep } from "node:timers/promises";
import { isPassing } from "./failures.ts";

const SETTLED_WITHIN_MS = 10_000;
const ASK_AGAIN_MS = 100;

/** @throws the first error that does not pass by itself, or the last after ten seconds */
export async function askUntilSettled<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || performance.now() > deadline) throw error;
      await sleep(ASK_AGAIN_MS);
    }
  }
}
