// LogTrace's API beside ingest: what is served at which path.
import { Router } from "express";
import type { Principal } from "../../ingest/keys/permission.ts";
import { rateLimitHeaders } from "../../ingest/limits/limits.ts";
import { serve, type Exchange, type Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { authenticate, refuse, requireReading } from "./access.ts";
import { showConsumption } from "./consumption.ts";
import { showHealth } from "./health.ts";
import { createPage } from "./page.ts";
import { queryLogs } from "./query.ts";

export function createLogtraceRoutes(options: VendorOptions): Router {
  const { engine, tokens, limits } = options;
  const serving = { ...options, api: "logtrace", refuse } as const;
  /** Reading needs its scope and counts against the hour. */
  const reading =
    (answer: (principal: Principal, exchange: Exchange) => Promise<Reply>) =>
    async (exchange: Exchange): Promise<Reply> => {
      const principal = authenticate(tokens, exchange);
      requireReading(principal);
      const taken = limits.require(principal, "query");
      // An answer is counted, whatever becomes of this process afterwards.
      const [reply] = await Promise.all([answer(principal, exchange), limits.settle(principal)]);
      return { ...reply, headers: { ...rateLimitHeaders(taken), ...reply.headers } };
    };
  const router = Router({ caseSensitive: true });
  const query = reading((principal, exchange) => queryLogs(engine, principal, exchange));
  router.all("/v1/logs/query", serve(serving, { GET: query, POST: query }));
  router.all(
    "/v1/analytics/consumption",
    serve(serving, {
      GET: reading((principal, exchange) => showConsumption(options, principal, exchange)),
    }),
  );
  router.all("/v1/analytics", serve(serving, { GET: createPage() }));
  router.all(
    "/v1/health",
    serve(serving, {
      GET: (exchange) => showHealth(options, authenticate(tokens, exchange), exchange),
    }),
  );
  return router;
}
