// Clients of a real store: what a retry cannot cure, and what an abandoned query does.
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createStoreClient, isPermanentStoreError } from "../../../consumers/store/client.ts";
import { insertSettings } from "../../../consumers/store/insert-settings.ts";
import {
  encodeEvents,
  eventAt,
  insertEvents,
  openTestStore,
  select,
  type TestStore,
  waitUntil,
} from "./store-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let opened: TestStore;

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

/** What the work throws; fails when it succeeds. */
async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it succeeded");
}

async function insertAs(format: string, body: string): Promise<void> {
  const { stream } = await opened.writer.exec({
    query: `INSERT INTO events (customer, time, message) FORMAT ${format}`,
    values: Readable.from([Buffer.from(body)], { objectMode: false }),
    clickhouse_settings: { ...insertSettings, insert_deduplication_token: body },
  });
  stream.resume();
  await finished(stream);
}

test("bytes that cannot be parsed are permanent", async () => {
  const good = encodeEvents([eventAt(1n)]);
  const garbage = Buffer.concat([good.subarray(0, good.length - 30), Buffer.alloc(30, 0xff)]);
  const works = [
    () => insertEvents(opened.writer, garbage, "garbage"),
    () => insertEvents(opened.writer, Buffer.from("no Avro at all"), "no-avro"),
    () => insertEvents(opened.writer, good.subarray(0, good.length - 20), "cut"),
    () => insertAs("JSONEachRow", '{"customer":"a","time":0,"message":"\\ud800"}'),
    () => insertAs("JSONEachRow", '{"customer":"a","time":"9999999999999999999999","message":""}'),
    () => insertAs("TSV", "a\tnot a time\tm\n"),
  ];
  for (const work of works) {
    expect(await errorOf(work())).toSatisfy(isPermanentStoreError);
  }
});

test("a server that is away, overfull or refuses the user is not permanent", async () => {
  const away = createStoreClient({
    url: "http://127.0.0.1:1",
    database: "logboom",
    ...opened.store.writer,
  });
  const stranger = createStoreClient({
    url: opened.store.url,
    database: "logboom",
    username: "stranger",
    password: "",
  });
  try {
    const outOfMemory = () =>
      opened.writer.query({
        query: "SELECT groupArray(number) FROM numbers(10000000)",
        clickhouse_settings: { max_memory_usage: "1000000" },
      });
    const works = [() => select(away, "SELECT 1"), () => select(stranger, "SELECT 1"), outOfMemory];
    for (const work of works) {
      expect(await errorOf(work())).not.toSatisfy(isPermanentStoreError);
    }
  } finally {
    await Promise.all([away.close(), stranger.close()]);
  }
});

test("the reader's query stops soon after its client has left", async () => {
  const leave = new AbortController();
  const query = opened.reader.query({
    query: "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
    query_id: "abandoned",
    abort_signal: leave.signal,
  });
  const outcome = errorOf(query);
  const running = async (): Promise<boolean> =>
    (
      await select<{ one: number }>(
        opened.writer,
        "SELECT 1 AS one FROM system.processes WHERE query_id = 'abandoned'",
      )
    ).length > 0;
  await waitUntil("query running", running);
  leave.abort();
  expect(await outcome).toBeInstanceOf(Error);
  await waitUntil("query gone", async () => !(await running()), 2000);
});
