// What operators and their tools ask a process: alive, ready, metrics.
import { Router } from "express";
import type { Instruments } from "../schemas/instruments.ts";

export interface Readiness {
  readonly isUp: boolean;
  /** Why not, or what an operator wants to know besides. */
  readonly [fact: string]: string | number | boolean | undefined;
}

/** Each dependency's name and how to ask it. */
export type Checks = Readonly<Record<string, () => Readiness | Promise<Readiness>>>;

interface OperationsOptions {
  readonly instruments: Instruments;
  readonly checks: Checks;
  /** Brings gauges up to date before they are rendered. */
  readonly refresh: () => Promise<void>;
}

export function createOperations({ instruments, checks, refresh }: OperationsOptions): Router {
  const router = Router();
  router.get("/health", (_request, response) => {
    response.json({ status: "alive" });
  });
  router.get("/ready", async (_request, response) => {
    const dependencies = Object.fromEntries(
      await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await answerOf(check)] as const),
      ),
    );
    const isReady = Object.values(dependencies).every(({ isUp }) => isUp);
    response.status(isReady ? 200 : 503).json({ ready: isReady, dependencies });
  });
  router.get("/metrics", async (_request, response) => {
    await refresh();
    response.type(instruments.registry.contentType).send(await instruments.registry.metrics());
  });
  return router;
}

async function answerOf(check: () => Readiness | Promise<Readiness>): Promise<Readiness> {
  try {
    return await check();
  } catch (error) {
    return { isUp: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
