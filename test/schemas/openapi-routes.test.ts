// The API description has every route that is served, and no other.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStoreClient } from "../../consumers/store/client.ts";
import { doors } from "../../ingest/edge.ts";
import { createOperations } from "../../ingest/operations.ts";
import { TokenStore } from "../../ingest/tokens.ts";
import { createSearchRoutes } from "../../query/search/routes.ts";
import { createInstruments } from "../../schemas/instruments.ts";
import { openApiDocument } from "../../schemas/openapi.ts";
import { openTempLog, type TempLog } from "../ingest/log/log-fixture.ts";
import { serveVendors, type ServedVendors } from "../query/vendor-fixture.ts";

let temp: TempLog;
let tokens: TokenStore;
let server: ServedVendors;

beforeAll(async () => {
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log);
  server = await serveVendors({
    log: temp.log,
    // Nothing is asked of it: a method that is not served is refused first.
    store: createStoreClient(
      { url: "http://127.0.0.1:1", username: "nobody", password: "", database: "none" },
      { maxConnections: 1, requestTimeoutMs: 1_000, settings: {} },
    ),
    tokens,
  });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

interface Layer {
  readonly route?: { readonly path: string | readonly string[] };
  readonly handle: unknown;
}

/** The paths of a router and of those within it, as the description writes them. */
function pathsOf(router: unknown): string[] {
  const { stack = [] } = router as { readonly stack?: readonly Layer[] };
  return stack.flatMap(({ route, handle }) =>
    route === undefined ? pathsOf(handle) : [route.path].flat(),
  );
}

/** Those that catch what is served nowhere are no routes. */
function isCatchAll(path: string): boolean {
  return path.includes("*");
}

const describedPath = (path: string) => path.replaceAll(/:(\w+)/g, "{$1}");
const anyId = (path: string) => path.replaceAll(/:\w+/g, "11111111-2222-3333-4444-555555555555");

/** The methods that a vendor's path serves, as its refusal of another one says. */
async function methodsOf(path: string): Promise<string[]> {
  const response = await fetch(`${server.url}${anyId(path)}`, { method: "OPTIONS" });
  await response.arrayBuffer();
  expect(response.status, path).toBe(405);
  return (response.headers.get("allow") ?? "").split(", ").map((method) => method.toLowerCase());
}

const described = Object.entries(openApiDocument.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method} ${path}`),
);

/** Other paths at which the same is served: those that a description names, and all of Logentries' API. */
const aliases = Object.entries(openApiDocument.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) => {
    const { description = "" } = operation as { readonly description?: string };
    const named = /Also at ([^ ]+(?:, [^ ]+)*)\.$/m.exec(description)?.[1]?.split(", ") ?? [];
    return [...named, `/log_search${path}`].map((alias) => `${method} ${alias}`);
  }),
);

test("every route of the vendors' retrieval is described", async () => {
  const served: string[] = [];
  for (const path of new Set(pathsOf(server.router))) {
    if (isCatchAll(path)) continue;
    for (const method of await methodsOf(path)) served.push(`${method} ${describedPath(path)}`);
  }
  const missing = served.filter((one) => !described.includes(one) && !aliases.includes(one));
  expect(missing, "served, but not described in schemas/openapi.ts").toEqual([]);
});

test("every door, the search and every page of operations is described", () => {
  expect(
    others().filter((one) => !described.includes(one)),
    "served, but not described in schemas/openapi.ts",
  ).toEqual([]);
});

test("every route that is described is served", async () => {
  const served = new Set([...others(), "get /openapi.json"]);
  for (const path of pathsOf(server.router)) {
    if (isCatchAll(path)) continue;
    for (const method of await methodsOf(path)) served.add(`${method} ${describedPath(path)}`);
  }
  const absent = described.filter((one) => !served.has(one));
  expect(absent, "described in schemas/openapi.ts, but not served").toEqual([]);
});

test("each operation has an id of its own, and describes each name in its path", () => {
  const ids = Object.entries(openApiDocument.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => {
      const { operationId, parameters = [] } = operation as {
        readonly operationId: string;
        readonly parameters?: readonly { readonly name: string; readonly in: string }[];
      };
      const named = parameters.filter((one) => one.in === "path").map(({ name }) => name);
      expect(named, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      return operationId;
    }),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

/** What is served beside the vendors' retrieval. */
function others(): string[] {
  const operations = createOperations({
    instruments: createInstruments(false),
    checks: {},
    refresh: () => Promise.resolve(),
  });
  // Nothing is asked of it: only its path is looked at.
  const search = createSearchRoutes({} as Parameters<typeof createSearchRoutes>[0]);
  return [
    ...doors.flatMap(({ path, methods = ["POST"] }) =>
      methods.map((method) => `${method.toLowerCase()} ${path}`),
    ),
    ...pathsOf(operations).map((path) => `get ${path}`),
    ...pathsOf(search).map((path) => `post ${path}`),
  ];
}
