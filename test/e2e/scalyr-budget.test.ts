// Scalyr's query budget over a running service: who has spent it gets 429 in the vendor's form.
import { afterAll, beforeAll, expect, test } from "vitest";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { ask, createKey, untilAnswered, type JsonReply, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";

let service: Service;
let reader: VendorKey;
let other: VendorKey;
let config: VendorKey;

beforeAll(async () => {
  service = await startService({ env: { LOGBOOM_SCALYR_QUERY_BUDGET_MS: "1" } });
  reader = await createKey(service, "scalyr-read", {});
  config = await createKey(service, "scalyr-config", {});
  other = await createKey(service, "scalyr-read", { customer: "other" });
  const events = Array.from({ length: 1_100 }, (_, n) => ({
    message: `event ${n}`,
    time: new Date(Date.now() - 60_000 - n).toISOString(),
    prefix3: "scalyr",
  }));
  await ingest(service, toNdjson(events));
  await waitForCount(service, { regex: ".*" }, events.length);
  // Of a customer without events nothing is asked, so nothing is spent.
  await untilAnswered(() => post("/api/query", other));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function post(
  path: string,
  { secret }: VendorKey,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<JsonReply> {
  return ask(`${service.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ token: secret, ...body }),
  });
}

test("a query that spends the budget is answered, the next one is refused", async () => {
  const first = await post("/api/powerQuery", reader, { query: "event", startTime: "1h" });
  expect(first.status).toBe(200);
  // Of events that nobody limits, the newest thousand are shown.
  expect(first.json).toMatchObject({ matchingEvents: 1_100, omittedEvents: 100 });
  expect((first.json as { values: unknown[] }).values).toHaveLength(1_000);
  for (const path of ["query", "numericQuery", "facetQuery", "timeseriesQuery", "powerQuery"]) {
    const { status, headers, json } = await post(`/api/${path}`, reader);
    expect(status).toBe(429);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(json).toEqual({
      status: "error/server/backoff",
      message: expect.stringContaining("query budget of 1 ms") as string,
      rateLimit: {
        budgetMillis: 1,
        remainingMillis: expect.any(Number) as number,
        refillMillisPerHour: 1.2,
      },
    });
  }
});

test("errorStatus: always200 is honoured, and others are not concerned", async () => {
  const refused = await post("/api/query", reader, {}, { errorStatus: "always200" });
  expect(refused).toMatchObject({ status: 200, json: { status: "error/server/backoff" } });
  expect((await post("/api/query", other)).status).toBe(200);
  expect((await post("/listFiles", config)).status).toBe(200);
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toMatch(/^logboom_scalyr_budget_refusals_total [1-9]/m);
  expect(metrics).toMatch(/^logboom_scalyr_query_seconds_total 0\.\d/m);
});
