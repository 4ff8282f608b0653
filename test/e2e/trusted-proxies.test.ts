// Who guesses keys behind a proxy: told apart by X-Forwarded-For as far as the proxy is trusted, and never by what clients forge.
import { afterEach, describe, expect, test } from "vitest";
import { ask } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";

let service: Service | undefined;

afterEach(async () => {
  await service?.[Symbol.asyncDispose]();
  service = undefined;
});

const paths = {
  ingest: ["/api/ingest/v1", "Token"],
  search: ["/api/search/v1", "Token"],
  "a vendor's query": ["/v1/logs/query", "Bearer"],
} as const;
type Endpoint = keyof typeof paths;

/** @param forwarded each line of the header X-Forwarded-For */
async function attempt(endpoint: Endpoint, forwarded: string, key = "wrong"): Promise<number> {
  const [path, scheme] = paths[endpoint];
  const { status } = await ask(`${service?.url}${path}`, {
    method: "POST",
    body: "x",
    headers: {
      authorization: `${scheme} ${key}-${"0".repeat(20)}`,
      "x-forwarded-for": forwarded,
      "content-type": "text/plain",
    },
  });
  return status;
}

/** Fails more often than is free; each time with another key. */
async function guess(endpoint: Endpoint, headerOf: (n: number) => string): Promise<Set<number>> {
  const statuses = new Set<number>();
  for (let n = 0; n < 130; n++) statuses.add(await attempt(endpoint, headerOf(n), `wrong${n}`));
  return statuses;
}

describe("with trusted proxies", () => {
  test("each client has its own failures, at every API", async () => {
    service = await startService({ env: { LOGBOOM_TRUSTED_PROXIES: "127.0.0.1, 10.0.0.0/8" } });
    for (const [index, endpoint] of (Object.keys(paths) as Endpoint[]).entries()) {
      const guesser = `203.0.113.${index}`;
      expect(await guess(endpoint, () => guesser)).toEqual(new Set([401, 429]));
      expect(await attempt(endpoint, `198.51.100.${index}`)).toBe(401);
      // Through another proxy that is trusted, too, and back to the one who guesses.
      expect(await attempt(endpoint, `198.51.100.${index + 10}, 10.1.2.3`)).toBe(401);
      expect(await guess(endpoint, () => `${guesser}, 10.1.2.3`)).toContain(429);
    }
  });

  test("what a client wrote itself, left of the address that the proxy saw, changes nothing", async () => {
    service = await startService({ env: { LOGBOOM_TRUSTED_PROXIES: "loopback" } });
    const forged = (n: number): string => `198.51.100.${n}, 127.0.0.${n + 1}, 203.0.113.9`;
    expect(await guess("ingest", forged)).toEqual(new Set([401, 429]));
    expect(await attempt("ingest", "203.0.113.10")).toBe(401);
    // No address at all: the failures are the proxy's.
    expect(await guess("ingest", (n) => `nonsense-${n}`)).toEqual(new Set([401, 429]));
    expect(await guess("ingest", () => "")).toContain(429);
  });
});

test("without trusted proxies the header counts for nothing", async () => {
  service = await startService();
  expect(await guess("ingest", (n) => `203.0.113.${n}`)).toEqual(new Set([401, 429]));
});

test("the header of a peer that is no trusted proxy counts for nothing", async () => {
  service = await startService({ env: { LOGBOOM_TRUSTED_PROXIES: "10.0.0.1" } });
  expect(await guess("search", (n) => `203.0.113.${n}`)).toEqual(new Set([401, 429]));
});
