// Opens real embedded stores in temporary directories, and writes and reads events in them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import pino from "pino";
import { createStoreClient, type StoreClient } from "../../../consumers/store/client.ts";
import { type EmbeddedStore, startEmbeddedStore } from "../../../consumers/store/embedded.ts";
import { insertSettings, insertStatement } from "../../../consumers/store/insert-settings.ts";
import { migrateStore } from "../../../consumers/store/migrate.ts";
import { encodeContainer, type StoredEvent } from "../../../schemas/event-codec.ts";
import { EventWriter } from "../../../schemas/event-writer.ts";

export const silentLogger = pino({ level: "silent" });

export const hourNs = 3_600_000_000_000n;
export const dayNs = 24n * hourNs;

/** A directory of its own, with what removes it. */
export function makeTempDir(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), "logboom-store-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export interface TestStore {
  readonly store: EmbeddedStore;
  readonly writer: StoreClient;
  readonly reader: StoreClient;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A migrated store and clients of both users. */
export async function openTestStore(): Promise<TestStore> {
  const { dir, remove } = makeTempDir();
  const store = await startEmbeddedStore({ dir, logger: silentLogger });
  const at = { url: store.url, database: store.database };
  await migrateStore({ ...at, ...store.writer }, silentLogger);
  const writer = createStoreClient({ ...at, ...store.writer });
  const reader = createStoreClient({ ...at, ...store.reader });
  return {
    store,
    writer,
    reader,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([writer.close(), reader.close()]);
      await store.close();
      remove();
    },
  };
}

/** An event at `time` (ns), received then as well unless told. */
export function eventAt(time: bigint, given: Partial<StoredEvent> = {}): StoredEvent {
  return {
    customer: "acme",
    prefix0: "web-1",
    prefix1: "nginx",
    prefix2: "",
    prefix3: "test",
    time,
    ingested: time,
    message: `message at ${time}`,
    attributes: {},
    ...given,
  };
}

/** The events as the consumer sends them: one Avro container file. */
export function encodeEvents(events: readonly StoredEvent[]): Buffer {
  const writer = new EventWriter();
  for (const event of events) writer.write(event);
  return encodeContainer(Buffer.alloc(16), [writer.take()]);
}

/** Inserts as the consumer does; `chunkBytes` is how the body is cut for the wire. */
export async function insertEvents(
  client: StoreClient,
  body: Buffer,
  token: string,
  chunkBytes = 64 * 1024,
): Promise<void> {
  const { stream } = await client.exec({
    query: insertStatement,
    values: Readable.from(chunksOf(body, chunkBytes), { objectMode: false }),
    clickhouse_settings: { ...insertSettings, insert_deduplication_token: token },
  });
  stream.resume();
  await finished(stream);
}

function* chunksOf(body: Buffer, chunkBytes: number): Generator<Buffer> {
  for (let at = 0; at < body.length; at += chunkBytes) yield body.subarray(at, at + chunkBytes);
}

/** The rows of a query; 64-bit integers come as JSON numbers, so ask for text where they matter. */
export async function select<Row>(client: StoreClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: "JSONEachRow" });
  return result.json<Row>();
}

/** Waits until `check` holds; fails with what was awaited after `timeoutMs`. */
export async function waitUntil(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
