import { createRequire } from "node:module";
import fc from "fast-check";
import type { IHeaders, Message } from "kafkajs";
import { beforeAll, expect, test } from "vitest";
import {
  loadKafkaJs,
  type Encoder,
  type LoadedKafkaJs,
} from "../../../../ingest/log/kafka/kafkajs-patches.ts";

interface Protocol {
  /** A whole request as it goes over the wire. */
  encode(messages: readonly Message[], compression: number): Promise<Buffer>;
}

interface Request {
  readonly encode: () => Promise<Encoder>;
}

const require = createRequire(import.meta.url);
let own: Protocol;
let patched: Protocol;
let loaded: LoadedKafkaJs;

beforeAll(() => {
  own = loadProtocol();
  for (const path of Object.keys(require.cache)) {
    if (path.includes("/kafkajs/")) Reflect.deleteProperty(require.cache, path);
  }
  loaded = loadKafkaJs();
  patched = loadProtocol();
});

/** Of the modules as they are loaded now. */
function loadProtocol(): Protocol {
  const createProduce = require("kafkajs/src/protocol/requests/produce/v7/request.js") as (
    options: object,
  ) => Request;
  const frame = require("kafkajs/src/protocol/request.js") as (options: object) => Promise<Encoder>;
  return {
    encode: async (messages, compression) => {
      const request = createProduce({
        acks: -1,
        timeout: 5_000,
        producerId: "4711",
        producerEpoch: 3,
        compression,
        topicData: [
          { topic: "logboom.events", partitions: [{ partition: 7, firstSequence: 9, messages }] },
        ],
      });
      const framed = await frame({ correlationId: 42, clientId: "logboom", request });
      const { buffer } = framed;
      expect(framed.size()).toBe(buffer.length);
      return Buffer.from(buffer);
    },
  };
}

/** Lengths around those at which a buffer is copied, grows, or needs a longer varint. */
const length = fc.oneof(
  fc.integer({ min: 0, max: 700 }),
  fc.integer({ min: 4_000, max: 4_200 }),
  fc.integer({ min: 8_000, max: 70_000 }),
);
const bytes = fc
  .tuple(length, fc.integer({ min: 0, max: 255 }))
  .map(([size, seed]) =>
    Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31) ^ seed)),
  );
const headers: fc.Arbitrary<IHeaders> = fc.dictionary(
  fc.string({ maxLength: 8 }),
  fc.oneof(bytes, fc.string({ maxLength: 8 })),
  { maxKeys: 2, noNullPrototype: true },
);
const message = fc.record({
  key: fc.option(fc.oneof(bytes, fc.string()), { nil: null }),
  value: fc.option(bytes, { nil: null }),
  timestamp: fc.constant("1700000000000"),
  headers,
});

test("requests are byte for byte those of kafkajs", async () => {
  const { CompressionTypes } = loaded.kafkajs;
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 12 }),
      fc.constantFrom(CompressionTypes.None, CompressionTypes.GZIP),
      async (messages, compression) => {
        const expected = await own.encode(messages, compression);
        const encoded = await patched.encode(messages, compression);
        expect(encoded.equals(expected)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

test("the version that is installed is the one whose parts are replaced", () => {
  expect(loaded.unpatched).toBeUndefined();
  expect(
    Object.keys(require.cache).filter((path) => path.endsWith("protocol/encoder.js")),
  ).toHaveLength(1);
  const Encoder = require("kafkajs/src/protocol/encoder.js") as { readonly name: string };
  expect(Encoder.name).toBe("ReferringEncoder");
});

test("kafkajs that others have loaded is left as it is", () => {
  const again = loadKafkaJs();
  expect(again.unpatched).toBe("kafkajs was loaded before");
  expect(again.kafkajs).toBe(loaded.kafkajs);
});

test("fetchers that were made while their consumer was stopped end", async () => {
  interface FetchManager {
    start(): Promise<void>;
    stop(): Promise<void>;
  }
  interface Parts {
    readonly createFetchManager: (options: object) => FetchManager;
    readonly Runner: { readonly prototype: { fetch(nodeId: string): Promise<unknown> } };
  }
  const parts: Parts = {
    createFetchManager:
      require("kafkajs/src/consumer/fetchManager.js") as Parts["createFetchManager"],
    Runner: require("kafkajs/src/consumer/runner.js") as Parts["Runner"],
  };
  const quiet = { debug: () => {}, info: () => {}, namespace: () => quiet };
  const runner = { running: true, logger: quiet, consumerGroup: {} };
  let brokers = ["1"];
  const manager = parts.createFetchManager({
    logger: quiet,
    concurrency: 1,
    handler: () => {},
    getNodeIds: () => brokers,
    fetch: async (nodeId: string) => {
      if (runner.running) {
        // A broker comes; the fetchers end, and while they are made anew the consumer is stopped.
        brokers = ["1", "2"];
        await Promise.resolve();
        queueMicrotask(() => void (runner.running = false));
        return [];
      }
      return parts.Runner.prototype.fetch.call(runner, nodeId);
    },
  });
  await expect(manager.start()).rejects.toThrow("stopped");
});
