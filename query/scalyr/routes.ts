// Scalyr's API beside ingest: what is served at which path.
import { Router } from "express";
import type { TokenKind } from "../../schemas/token.ts";
import { serve, type Exchange, type Reply } from "../exchange/exchange.ts";
import { badParameter, textParameter } from "../exchange/parameters.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { QueryBudgets } from "./budget.ts";
import { queryFacets, queryNumbers, queryTimeseries } from "./figures.ts";
import { getFile, isTrue, listFiles, putFile } from "./files.ts";
import { queryLogs } from "./log-query.ts";
import { queryPower } from "./power.ts";
import {
  configKinds,
  readKinds,
  readRequest,
  refuse,
  requirePriority,
  type ScalyrRequest,
} from "./request.ts";

type Answer = (request: ScalyrRequest, exchange: Exchange) => Promise<Reply> | Reply;

export function createScalyrRoutes(options: VendorOptions): Router {
  const { config, engine, instruments, records, tokens } = options;
  const budgets = new QueryBudgets({
    budgetMs: config.LOGBOOM_SCALYR_QUERY_BUDGET_MS,
    instruments,
  });
  const serving = { ...options, api: "scalyr", refuse } as const;
  const router = Router({ caseSensitive: true });
  const route = (paths: string[], kinds: readonly TokenKind[], answer: Answer): void => {
    const handle = async (exchange: Exchange): Promise<Reply> =>
      answer(await readRequest(tokens, exchange, kinds), exchange);
    router.all(paths, serve(serving, { GET: handle, POST: handle }));
  };
  const queries: Readonly<Record<string, typeof queryLogs>> = {
    query: queryLogs,
    numericQuery: queryNumbers,
    facetQuery: queryFacets,
    timeseriesQuery: queryTimeseries,
    powerQuery: (asked, request, exchange) => queryPower(asked, records, request, exchange),
  };
  for (const [name, query] of Object.entries(queries)) {
    route([`/api/${name}`], readKinds, (request, exchange) => {
      const { customer } = request.principal;
      budgets.require(customer);
      requirePriority(request.fields);
      const onStatement = (tookMs: number): void => budgets.charge(customer, tookMs);
      return query(engine, request, { ...exchange, onStatement });
    });
  }
  const files: Readonly<Record<string, Answer>> = {
    getFile: (request) => getFile(records, request),
    putFile: (request) => putFile(records, request),
    listFiles: (request) => listFiles(records, request),
  };
  for (const [name, answer] of Object.entries(files)) {
    route([`/${name}`, `/api/${name}`], configKinds, async (request, exchange) => {
      const reply = await answer(request, exchange);
      return isTrue(request.fields["prettyprint"]) ? printed(reply) : reply;
    });
  }
  router.all(["/ajax", "/api/ajax"], serve(serving, { GET: answerAgent, POST: answerAgent }));
  return router;
}

function printed({ json, ...reply }: Reply): Reply {
  const text = `${JSON.stringify(json, null, 2)}\n`;
  return { ...reply, text, contentType: "application/json" };
}

/** The agent asks at its start whether its version is current; every version is. */
function answerAgent({ query }: Exchange): Reply {
  const method = textParameter(query, "method") ?? "";
  if (!method.startsWith("performAgentVersionCheck")) {
    throw badParameter("method", method, "performAgentVersionCheck");
  }
  return { json: { status: "success", upToDate: true } };
}
