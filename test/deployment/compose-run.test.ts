// What docker-compose.yml runs, run: two edges, two consumers, two query processes, Kafka, ClickHouse and the front.
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { countEvents, ingest, pollSearch, postIngest, waitForCount } from "../support/api.ts";
import { openApiDocument } from "../../schemas/openapi.ts";
import { ComposeProcesses } from "../support/compose-processes.ts";

const CUSTOMER = "default";
let compose: ComposeProcesses;

beforeAll(async () => {
  compose = await ComposeProcesses.start();
});

afterAll(async () => {
  await compose[Symbol.asyncDispose]();
});

const count = (regex: string): Promise<number> =>
  countEvents(compose.endpoint, { regex, customer: CUSTOMER });

test("events go in at the front through both edges, and are counted there", async () => {
  const { endpoint } = compose;
  for (let request = 0; request < 20; request++) {
    await ingest(endpoint, `first ${request}\nsecond ${request}`, { contentType: "text/plain" });
  }
  await waitForCount(endpoint, { regex: ".*first.*|.*second.*", customer: CUSTOMER }, 40);
  for (const edge of ["ingest-1", "ingest-2"]) {
    expect(await compose.get(edge).metric("logboom_ingest_events_total")).toBeGreaterThan(0);
  }
});

test("equal polls are answered by one query process, others by any", async () => {
  const asked = () =>
    Promise.all(
      ["query-1", "query-2"].map((name) =>
        compose.get(name).metric("logboom_search_requests_total"),
      ),
    );
  const before = await asked();
  for (let poll = 0; poll < 8; poll++) {
    await pollSearch(compose.endpoint, { regex: ".*the same.*", customer: CUSTOMER });
  }
  const [one = 0, other = 0] = (await asked()).map((now, index) => now - (before[index] ?? 0));
  expect([one, other].toSorted()).toEqual([0, 8]);
  for (let search = 0; search < 24; search++) {
    await pollSearch(compose.endpoint, { regex: `.*another ${search}.*`, customer: CUSTOMER });
  }
  const after = (await asked()).map((now, index) => now - (before[index] ?? 0));
  expect(Math.min(...after)).toBeGreaterThan(0);
});

test("a search larger than the front's memory for it is refused, not sent astray", async () => {
  const response = await fetch(`${compose.endpoint.url}/api/search/v1`, {
    method: "POST",
    body: new URLSearchParams({ regex: "x".repeat(1_300_000) }),
  });
  expect(response.status).toBe(413);
});

const ownPages = ["/metrics", "/ready", "/health"];
const routes = Object.entries(openApiDocument.paths).flatMap(([path, methods]) =>
  ownPages.includes(path) ? [] : Object.keys(methods).map((method) => [method, path] as const),
);

// Searches would be asked of an edge, which serves nothing there.
test.each(routes)("%s %s is served at the front by a process that has it", async (method, path) => {
  const url = `${compose.endpoint.url}${path.replaceAll(/\{\w+\}/g, "11111111-2222-3333-4444-555555555555")}`;
  const response = await fetch(url, { method: method.toUpperCase() });
  const text = await response.text();
  // The description of the API says these words, too.
  expect(response.status === 404 && text.includes("nothing is served")).toBe(false);
});

test("the front shows no process's own pages", async () => {
  for (const path of ownPages) {
    expect((await fetch(`${compose.endpoint.url}${path}`)).status).toBe(404);
  }
});

test("an edge and a consumer that are killed lose and double nothing", async () => {
  const { endpoint } = compose;
  const requests = Array.from({ length: 120 }, (_, index) => index);
  const send = async (index: number): Promise<void> => {
    for (;;) {
      const response = await postIngest(endpoint, `killed ${index}.`, {
        contentType: "text/plain",
        headers: { "idempotency-key": `killed-${index}` },
      }).catch(() => undefined);
      if (response?.status === 202) return;
      await response?.body?.cancel();
      await sleep(100);
    }
  };
  for (const index of requests) {
    if (index === 40) await compose.get("ingest-1").end("SIGKILL");
    if (index === 80) await compose.get("consumers-1").end("SIGKILL");
    await send(index);
  }
  await waitForCount(endpoint, { regex: ".*killed.*", customer: CUSTOMER }, requests.length);
  // With its owner back, a partition's unfinished batch is repeated: it must not count twice.
  await Promise.all([compose.restart("ingest-1"), compose.restart("consumers-1")]);
  expect(await count(".*killed.*")).toBe(requests.length);
});

test("who guesses keys is slowed down by the address that the front saw, whatever the client's headers say", async () => {
  const attempt = async (localAddress: string, forged: string): Promise<number> => {
    const request = httpRequest(`${compose.endpoint.url}/api/ingest/v1`, {
      method: "POST",
      localAddress,
      headers: { authorization: "Token wrong-wrong-wrong", "x-forwarded-for": forged },
    });
    request.end("x");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode ?? 0;
  };
  const statuses = new Set<number>();
  // A hundred at each edge are free.
  for (let n = 0; n < 260; n++) statuses.add(await attempt("127.0.0.1", `198.51.100.${n % 250}`));
  expect(statuses).toEqual(new Set([401, 429]));
  expect(await attempt("127.0.0.2", "127.0.0.1")).toBe(401);
});

test("SIGTERM ends every process with 0, and none has told a secret", async () => {
  const names = [...compose.processes.keys()];
  const outputs = names.map((name) => compose.get(name).output);
  for (const name of names.filter((one) => one !== "front")) {
    expect(await compose.get(name).end("SIGTERM"), name).toBe(0);
  }
  for (const secret of compose.secrets) {
    for (const output of outputs) expect(output).not.toContain(secret);
  }
});
