// Logentries' REST API: what is served at which path, and what each asks of the key.
import { Router } from "express";
import { LogboomError } from "../../schemas/errors.ts";
import type { EndpointFamily } from "../../schemas/token.ts";
import {
  refuseMalformed,
  serve,
  type Exchange,
  type Handler,
  type Reply,
} from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { guarded, refuse, type Answer, type Need } from "./access.ts";
import * as account from "./account.ts";
import { Catalog } from "./catalog.ts";
import { showContext } from "./context.ts";
import { download } from "./download.ts";
import * as live from "./live.ts";
import * as logs from "./logs.ts";
import { pullLines, refusePull } from "./pull.ts";
import * as queries from "./query-requests.ts";
import { createResource } from "./resources.ts";
import * as saved from "./saved-queries.ts";

/** For each method what it asks of the key, and who answers. */
type Endpoint = Readonly<
  Partial<Record<"GET" | "POST" | "PUT" | "PATCH" | "DELETE", readonly [Need, Answer]>>
>;

export function createLogentriesRoutes(options: VendorOptions): Router {
  const { records } = options;
  const context = { ...options, catalog: new Catalog(options) };
  const asks =
    <Context>(given: Context) =>
    (
      need: Need,
      answer: (context: Context, asked: Parameters<Answer>[0]) => Promise<Reply> | Reply,
    ) =>
      [need, (asked: Parameters<Answer>[0]) => answer(given, asked)] as const;
  const on = asks(context);
  const onRecords = asks(records);
  const ofAccount = (
    need: Need,
    answer: (context: VendorOptions, asked: Parameters<Answer>[0]) => Promise<Reply> | Reply,
  ) =>
    on(need, (context, asked) => {
      account.requireAccount(options, asked);
      return answer(context, asked);
    });

  const query: Readonly<Record<string, Endpoint>> = {
    "/query/logs": { POST: on("read", queries.queryPosted) },
    "/query/logs/:logs": { GET: on("read", queries.queryLogs) },
    "/query/logs/:logs/:saved": { GET: on("write", queries.querySaved) },
    "/query/logsets": { GET: on("read", queries.queryLogset) },
    "/query/logsets/:logset": { GET: on("read", queries.queryLogset) },
    "/query/saved_query/:saved": { GET: on("write", queries.querySaved) },
    "/query/saved_queries": {
      GET: onRecords("write", saved.listSavedQueries),
      POST: onRecords("write", saved.createSavedQuery),
    },
    "/query/saved_queries/:saved": {
      GET: onRecords("write", saved.showSavedQuery),
      PATCH: onRecords("write", saved.changeSavedQuery),
      PUT: onRecords("write", saved.changeSavedQuery),
      DELETE: onRecords("write", saved.deleteSavedQuery),
    },
    "/query/live/logs": { POST: on("write", live.startLive) },
    "/query/live/logs/:logs/:saved": { GET: on("write", live.startLive) },
    "/query/live/saved_query/:saved": { GET: on("write", live.startLive) },
    "/query/live/:live": { GET: on("write", live.pollLive) },
    "/query/context/:sequence": { GET: on("read", showContext) },
    "/query/:query": { GET: on("read", queries.pollStarted) },
    "/download/logs/:logs": { GET: on("read", download) },
  };
  const management: Readonly<Record<string, Endpoint>> = {
    "/management/logs": { GET: on("read", logs.listLogs), POST: on("write", logs.createLog) },
    "/management/logs/:id": {
      GET: on("read", logs.showOneLog),
      PUT: on("write", logs.changeLog),
      PATCH: on("write", logs.changeLog),
      DELETE: on("write", logs.deleteLog),
    },
    "/management/logsets": {
      GET: on("read", logs.listLogsets),
      POST: on("write", logs.createLogset),
    },
    "/management/logsets/:id": {
      GET: on("read", logs.showOneLogset),
      PUT: on("write", logs.changeLogset),
      PATCH: on("write", logs.changeLogset),
      DELETE: on("write", logs.deleteLogset),
    },
    "/management/accounts/:account": { GET: ofAccount("owner", account.showAccount) },
    "/management/accounts/:account/users": {
      GET: ofAccount("owner", account.listUsers),
      POST: ofAccount("owner", account.createUser),
    },
    "/management/accounts/:account/users/:id": {
      GET: ofAccount("owner", account.showOneUser),
      POST: ofAccount("owner", account.addUser),
      DELETE: ofAccount("owner", account.deleteUser),
    },
    "/management/accounts/:account/owners": { GET: ofAccount("owner", account.listOwners) },
    "/management/accounts/:account/apikeys": {
      GET: ofAccount("write", account.listKeys),
      POST: ofAccount("owner", account.createKey),
    },
    "/management/accounts/:account/apikeys/:id": {
      GET: ofAccount("write", account.showOneKey),
      PATCH: ofAccount("owner", account.changeKey),
      DELETE: ofAccount("owner", account.deleteKey),
    },
    "/management/organizations/apikeys": { GET: on("read", account.listKeys) },
    ...resource("/management/tags", { collection: "logentries-tag", one: "tag", many: "tags" }),
    ...resource("/management/actions", {
      collection: "logentries-action",
      one: "action",
      many: "actions",
      isNameless: true,
    }),
    ...resource("/management/labels", {
      collection: "logentries-label",
      one: "label",
      many: "labels",
    }),
    ...resource("/management/accounts/:account/teams", {
      collection: "logentries-team",
      one: "team",
      many: "teams",
    }),
    "/usage/accounts/:account": { GET: on("write", account.showUsage) },
    "/validate": { GET: ["read", () => ({ json: { message: "Authorized" } })] },
  };

  const serving = { ...options, api: "logentries", refuse } as const;
  const router = Router({ caseSensitive: true });
  const route = (
    path: string,
    methods: Readonly<Record<string, Handler>>,
    how: typeof serving,
  ): void => {
    router.all([path, `/log_search${path}`], serve(how, methods));
  };
  for (const [family, endpoints] of [
    ["query", query],
    ["management", management],
  ] as const) {
    for (const [path, endpoint] of Object.entries(endpoints)) {
      route(
        path,
        handlersOf(endpoint, family),
        path === "/validate" ? { ...serving, refuse: refuseValidation } : serving,
      );
    }
  }
  route(
    "/:key/hosts/:host/:log",
    { GET: (exchange: Exchange) => pullLines(context, exchange) },
    { ...serving, refuse: refusePull },
  );
  for (const root of ["query", "management", "download", "usage", "log_search"]) {
    router.all(
      `/${root}{/*other}`,
      serve(serving, {
        GET: nothing,
        POST: nothing,
        PUT: nothing,
        PATCH: nothing,
        DELETE: nothing,
      }),
    );
  }
  router.use(refuseMalformed(serving));
  return router;

  function handlersOf(endpoint: Endpoint, family: EndpointFamily): Record<string, Handler> {
    return Object.fromEntries(
      Object.entries(endpoint).map(([method, [need, answer]]) => [
        method,
        guarded(options, need, family, answer),
      ]),
    );
  }

  function resource(
    path: string,
    kind: Parameters<typeof createResource>[1],
  ): Record<string, Endpoint> {
    const { all, single } = createResource(records, kind);
    // Teams stand below an account, which then must be the customer's.
    const checked =
      (answer: Answer): Answer =>
      (asked) => {
        if (path.includes(":account")) account.requireAccount(options, asked);
        return answer(asked);
      };
    const ask = (answers: Readonly<Record<string, Answer>>): Endpoint =>
      Object.fromEntries(
        Object.entries(answers).map(([method, answer]) => [method, ["write", checked(answer)]]),
      );
    return { [path]: ask(all), [`${path}/:id`]: ask(single) };
  }
}

function nothing({ path }: Exchange): never {
  throw new LogboomError("NOT_FOUND", `nothing is served at ${path}`);
}

/** `/validate` says no more than that, of a key of another kind as well. */
function refuseValidation(error: LogboomError): Reply {
  if (error.code !== "BAD_TOKEN" && error.code !== "NO_PERMISSION") return refuse(error);
  return { status: 401, json: { message: "Unauthorized" } };
}
