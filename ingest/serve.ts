// The HTTP face of a process: what its stages serve, health, readiness and metrics, drained before it closes.
import { isIPv6 } from "node:net";
import express, { type RequestHandler } from "express";
import { openApiDocument } from "../schemas/openapi.ts";
import { answerFailure, answerNotFound } from "./failures.ts";
import { startHttpServer } from "./http-server.ts";
import { createOperations, type Checks } from "./operations.ts";
import type { ProcessContext } from "./process.ts";

/** One stage of the data's path as part of a process. */
export interface Stage {
  /** What it serves besides health, readiness and metrics. */
  readonly routes: readonly RequestHandler[];
  /** What it depends on; stages that depend on the same give it the same name. */
  readonly checks: Checks;
  /** Brings its gauges up to date. */
  refresh(): void | Promise<void>;
  /** Call it after the last request was answered: keeps what is acknowledged, and ends. */
  close(): Promise<void>;
}

/** Serves the stages on LOGBOOM_HOST and LOGBOOM_PORT; returns the URL. */
export async function serve(stages: readonly Stage[], context: ProcessContext): Promise<string> {
  const { config, logger, instruments, keep } = context;
  const app = express();
  app.disable("x-powered-by").disable("etag");
  app.set("trust proxy", config.LOGBOOM_TRUSTED_PROXIES ?? false);
  for (const handler of stages.flatMap(({ routes }) => routes)) app.use(handler);
  app.use(
    createOperations({
      instruments,
      checks: Object.fromEntries(stages.flatMap(({ checks }) => Object.entries(checks))),
      refresh: async () => {
        for (const stage of stages) {
          try {
            await stage.refresh();
          } catch (error) {
            // Its dependency is away: the other metrics are wanted now more than ever.
            logger.warn({ err: error }, "metrics could not be brought up to date");
          }
        }
      },
    }),
  );
  app.get("/openapi.json", (_request, response) => void response.json(openApiDocument));
  app.use(answerNotFound, answerFailure(logger));
  const server = await startHttpServer(app, {
    host: config.LOGBOOM_HOST,
    port: config.LOGBOOM_PORT,
    onRefuse: () => instruments.logboom_socket_refused_connections_total.inc({ door: "http" }),
  });
  keep({ close: () => server.drain(config.LOGBOOM_DRAIN_TIMEOUT_MS) });
  const url = urlOf(config.LOGBOOM_HOST, server.port);
  logger.info({ url }, "ready");
  return url;
}

/** With the brackets that an IPv6 address needs. */
export function urlOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
