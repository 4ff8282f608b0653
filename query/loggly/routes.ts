// Loggly's retrieval API: what is served at which path.
import { Router } from "express";
import type { Principal } from "../../ingest/keys/permission.ts";
import { LogboomError } from "../../schemas/errors.ts";
import { refuseMalformed, serve, type Exchange, type Reply } from "../exchange/exchange.ts";
import { badParameter } from "../exchange/parameters.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { authenticate, refuse } from "./access.ts";
import { listUsers, showCustomer } from "./account.ts";
import { countEvents, iterate, showPage, startSearch } from "./events.ts";
import { calculate, countTerms, listFields, measureVolume } from "./fields.ts";

type Answer = (principal: Principal, exchange: Exchange) => Promise<Reply> | Reply;

export function createLogglyRoutes(options: VendorOptions): Router {
  const { engine, tokens } = options;
  const routes: Readonly<Record<string, Answer>> = {
    "/apiv2/search": startSearch,
    "/apiv2/events": (principal, exchange) => showPage(engine, principal, exchange),
    "/apiv2/events/iterate": (principal, exchange) => iterate(engine, principal, exchange),
    "/apiv2/events/count": (principal, exchange) => countEvents(engine, principal, exchange),
    "/apiv2/fields": (principal, exchange) => listFields(engine, principal, exchange),
    "/apiv2/fields/:field": (principal, exchange) => countTerms(engine, principal, exchange),
    "/apiv2/stats/:stat/:field": (principal, exchange) => calculate(engine, principal, exchange),
    "/apiv2/volume-metrics": (principal, exchange) => measureVolume(engine, principal, exchange),
    "/apiv2/customer": (principal) => showCustomer(options, principal),
    "/apiv2/user-list": (principal) => listUsers(options, principal),
    "/apiv2/{*other}": (_, { path }) => {
      throw new LogboomError("NOT_FOUND", `nothing is served at ${path}`);
    },
  };
  const router = Router({ caseSensitive: true });
  const serving = { ...options, api: "loggly", refuse } as const;
  for (const [path, answer] of Object.entries(routes)) {
    const handle = async (exchange: Exchange): Promise<Reply> =>
      withCallback(exchange, await answer(authenticate(tokens, exchange), exchange));
    router.all(path, serve(serving, { GET: handle }));
  }
  router.use(refuseMalformed(serving));
  return router;
}

const callbackName = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$/;

/** JSONP, when a callback is named; one client sends an empty one. */
function withCallback({ query }: Exchange, reply: Reply): Reply {
  const callback = query.get("callback") ?? "";
  if (callback === "" || reply.json === undefined) return reply;
  if (callback.length > 100 || !callbackName.test(callback)) {
    throw badParameter("callback", callback, "the name of a JavaScript function");
  }
  return {
    text: `${callback}(${JSON.stringify(reply.json)});`,
    contentType: "application/javascript; charset=utf-8",
    headers: { "X-Content-Type-Options": "nosniff" },
  };
}
