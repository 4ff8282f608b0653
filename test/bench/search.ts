// Runs one search to its end as a client does, and measures it: time, first partial result, CPU of the service.
import { setTimeout as sleep } from "node:timers/promises";
import { post } from "./post.ts";
import { CUSTOMER, READ_TOKEN, type Service } from "./service.ts";

const POLL_MS = 20;
const STOP_WITHIN_MS = 3000;
const GIVE_UP_AFTER_MS = 120_000;

export type SearchParameters = Readonly<Record<string, string>>;

/** The parts of a reply that the benchmark looks at. */
export interface Snapshot {
  readonly events: readonly { readonly time: string; readonly message: string }[];
  readonly counts: readonly number[];
  readonly scannedBytes: number;
  readonly failedBlocks: number;
  readonly complete: boolean;
  readonly stopped: boolean;
  readonly error: string | null;
}

export interface Measured {
  readonly wallMs: number;
  /** Of all processes of the service, until it stopped scanning; the kernel counts 10 ms steps. */
  readonly cpuMs: number;
  /** The part of the Node.js process. */
  readonly rootCpuMs: number;
  /** Until the first reply that showed an event or a count, or was complete. */
  readonly firstMs: number;
  readonly hits: number;
  readonly scannedBytes: number;
}

export async function poll(url: string, parameters: SearchParameters): Promise<Snapshot> {
  const headers = {
    authorization: `Token ${READ_TOKEN}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const body = new URLSearchParams({ customer: CUSTOMER, ...parameters }).toString();
  for (;;) {
    const reply = await post(`${url}/api/search/v1`, headers, body);
    if (reply.status === 200) return JSON.parse(reply.body) as Snapshot;
    if (reply.status !== 429 && reply.status !== 503) {
      throw new Error(`search was answered ${reply.status}: ${reply.body.slice(0, 500)}`);
    }
    await sleep(reply.retryAfterMs);
  }
}

export function hitsOf({ events, counts }: Snapshot): number {
  return events.length + counts.reduce((sum, count) => sum + count, 0);
}

/** Polls until the search is complete. */
export async function runSearch(url: string, parameters: SearchParameters): Promise<Snapshot> {
  const begin = performance.now();
  for (;;) {
    const snapshot = await poll(url, parameters);
    if (snapshot.failedBlocks > 0) throw new Error(`${snapshot.failedBlocks} blocks failed`);
    if (snapshot.complete) return snapshot;
    if (snapshot.stopped) throw new Error(`the search stopped: ${snapshot.error ?? "no reason"}`);
    if (performance.now() - begin > GIVE_UP_AFTER_MS) throw new Error("the search does not end");
    await sleep(POLL_MS);
  }
}

export async function measureSearch(
  service: Service,
  parameters: SearchParameters,
): Promise<Measured> {
  const { tree } = service;
  const [cpuBefore, rootBefore] = [tree.cpuSeconds(), tree.rootCpuSeconds()];
  const begin = performance.now();
  let firstMs: number | undefined;
  let snapshot: Snapshot;
  for (;;) {
    snapshot = await poll(service.url, parameters);
    if (hitsOf(snapshot) > 0 || snapshot.complete) firstMs ??= performance.now() - begin;
    if (snapshot.failedBlocks > 0) throw new Error(`${snapshot.failedBlocks} blocks failed`);
    if (snapshot.complete) break;
    if (snapshot.stopped) throw new Error(`the search stopped: ${snapshot.error ?? "no reason"}`);
    if (performance.now() - begin > GIVE_UP_AFTER_MS) throw new Error("the search does not end");
    await sleep(POLL_MS);
  }
  const wallMs = performance.now() - begin;
  // A result can be certain before the last statement has ended; its CPU time belongs to this search.
  for (let last = snapshot; !last.stopped && performance.now() - begin < wallMs + STOP_WITHIN_MS;) {
    await sleep(POLL_MS);
    last = await poll(service.url, parameters);
  }
  return {
    wallMs,
    cpuMs: (tree.cpuSeconds() - cpuBefore) * 1000,
    rootCpuMs: (tree.rootCpuSeconds() - rootBefore) * 1000,
    firstMs: firstMs ?? wallMs,
    hits: hitsOf(snapshot),
    scannedBytes: snapshot.scannedBytes,
  };
}
