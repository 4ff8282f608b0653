// The service's memory after bad input is what it was before, and never grows with what it refuses.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ingest, postIngest, postSearch, waitForCount } from "../support/api.ts";
import { createBombs, truncatedGzip } from "../support/bodies.ts";
import { openRequest } from "../support/raw-http.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const mebibyte = 1024 * 1024;
const rounds = 4;
const stalledClients = 100;
/** What the runtime may keep of its own: its heap is not given back to the system page by page. */
const toleranceBytes = 96 * mebibyte;

let service: Service;

beforeAll(async () => {
  service = await startService({
    env: { LOGBOOM_BODY_TIMEOUT_MS: "1000", LOGBOOM_MAX_BODY_BYTES: String(8 * mebibyte) },
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function inMebibytes(bytes: number): string {
  return `${(bytes / mebibyte).toFixed(0)} MiB`;
}

/** Samples the resident memory until it is closed; gives its peak. */
function watchPeak(): { readonly peakBytes: () => number; readonly close: () => void } {
  let peak = service.residentBytes;
  const timer = setInterval(() => {
    peak = Math.max(peak, service.residentBytes);
  }, 5);
  return { peakBytes: () => peak, close: () => clearInterval(timer) };
}

/** Clients that send most of a body and then nothing more. */
async function openStalledClients(): Promise<Socket[]> {
  const part = Buffer.alloc(256 * 1024, "stalled\n");
  return Promise.all(
    Array.from({ length: stalledClients }, async () => {
      const socket = await openRequest(service, "/api/ingest/v1", {
        authorization: `Token ${service.writeToken}`,
        "content-type": "text/plain",
        "content-length": 2 * part.length,
      });
      socket.resume().write(part);
      return socket;
    }),
  );
}

interface BadBody {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Record<string, string>;
}

async function refuseAll(bodies: readonly BadBody[]): Promise<void> {
  const statuses = await Promise.all(
    bodies.map(async ({ body, headers }) => {
      // A refusal may close the connection while the body is still being sent.
      const options = { contentType: "text/plain", headers };
      return postIngest(service, body, options).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        () => 0,
      );
    }),
  );
  for (const status of statuses) expect([0, 400, 413, 429, 503]).toContain(status);
  expect(statuses.filter((status) => status === 400 || status === 413).length).toBeGreaterThan(0);
}

test("memory returns to where it was after floods of bad requests", async () => {
  const bombs = await createBombs(512);
  const bodies: BadBody[] = [
    ...[...bombs].map(([encoding, body]) => ({ body, headers: { "content-encoding": encoding } })),
    { body: new Uint8Array(Buffer.alloc(9 * mebibyte, "too large\n")), headers: {} },
    {
      body: new Uint8Array(gzipSync(Buffer.alloc(65 * mebibyte, "x".repeat(1023) + "\n"))),
      headers: { "content-encoding": "gzip" },
    },
    {
      body: truncatedGzip("truncated\n".repeat(4 * mebibyte)),
      headers: { "content-encoding": "gzip" },
    },
    { body: new Uint8Array(Buffer.alloc(2 * mebibyte, "x")), headers: {} },
  ];
  const flood = async (): Promise<void> => {
    await refuseAll([...bodies, ...bodies]);
    const stalled = await openStalledClients();
    await postSearch(service, { regex: `(${"(a|b)*c&".repeat(200)}d){100}` }).then((response) =>
      response.arrayBuffer(),
    );
    await sleep(2500);
    for (const socket of stalled) socket.destroy();
  };

  // What comes before the flood: good requests, so that code and buffers are in place.
  const lines = "a good event of some length\n".repeat(20_000);
  for (let index = 0; index < 20; index += 1) {
    await ingest(service, lines, { contentType: "text/plain", query: { prefix0: "warm" } });
  }
  await waitForCount(service, { regex: ".*", prefix0: "warm" }, 400_000);
  const beforeBytes = service.residentBytes;
  expect(beforeBytes).toBeGreaterThan(0);

  const peak = watchPeak();
  for (let round = 0; round < rounds; round += 1) await flood();
  peak.close();
  // An idle runtime does not collect its garbage: a little of the usual work lets it.
  const usual = "a usual event\n".repeat(100);
  let usualRequests = 0;
  const work = async (): Promise<void> => {
    await ingest(service, usual, { contentType: "text/plain", query: { prefix0: "usual" } });
    usualRequests++;
  };
  for (let index = 0; index < 300; index += 1) await work();

  let afterBytes = service.residentBytes;
  const end = performance.now() + 60_000;
  while (afterBytes > beforeBytes + toleranceBytes && performance.now() < end) {
    await sleep(100);
    await work();
    afterBytes = service.residentBytes;
  }
  console.log(
    `resident before ${inMebibytes(beforeBytes)}, peak ${inMebibytes(peak.peakBytes())}, ` +
      `after ${inMebibytes(afterBytes)}`,
  );
  expect(afterBytes).toBeLessThanOrEqual(beforeBytes + toleranceBytes);
  await ingest(service, "still there", { contentType: "text/plain" });
  await waitForCount(service, { regex: "still there" }, 1);
  await waitForCount(
    service,
    { regex: ".*", beginTime: "1970-01-01 00:00:00" },
    400_000 + usualRequests * 100 + 1,
  );
});
