// What is replaced inside kafkajs 2.2.4, before it is loaded: three things that cost a producer most of its CPU time, what
// it does about brokers that do not answer (silent-brokers.ts), and how a consumer ends.
//
// Each of the three gives byte for byte what kafkajs gives (test/ingest/log/kafka/kafkajs-patches.test.ts). Any other version
// runs as it is: dearer, and right.
import { createRequire } from "node:module";
import { crc32c } from "@node-rs/crc32";
import type * as KafkaJs from "kafkajs";
import { leaveSilentBrokers, type KafkaJsParts } from "./silent-brokers.ts";

const KNOWN_VERSION = "2.2.4";
/** Shorter buffers are copied: a reference costs as much. */
const REFERRED_BYTES = 4096;

const require = createRequire(import.meta.url);

/** kafkajs's builder of requests, as much of it as is used here. */
export interface Encoder {
  readonly buf: Buffer;
  readonly offset: number;
  readonly buffer: Buffer;
  size(): number;
  writeInt32(value: number): this;
  writeBytes(value: unknown): this;
  writeEncoder(value: Encoder): this;
  writeEncoderArray(values: readonly Encoder[]): this;
  writeBufferInternal(buffer: Buffer): void;
}
export type EncoderClass = new (initialSize?: number) => Encoder;

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

interface Runner {
  readonly running: boolean;
  fetch(nodeId: string): Promise<unknown>;
}

/** kafkajs, and why it runs as it is; undefined when its costly parts are replaced. */
export interface LoadedKafkaJs {
  readonly kafkajs: typeof KafkaJs;
  readonly unpatched: string | undefined;
}

export function loadKafkaJs(): LoadedKafkaJs {
  const unpatched = whyUnknown();
  if (unpatched === undefined) {
    replaceExports("protocol/recordBatch/crc32C/index.js", () => (bytes: Buffer) => crc32c(bytes));
    replaceExports<EncoderClass>("protocol/encoder.js", referringEncoder);
    dropIdleTimers();
    endStoppedFetchers();
    leaveSilentBrokers(loadParts());
  }
  return { kafkajs: require("kafkajs") as typeof KafkaJs, unpatched };
}

function whyUnknown(): string | undefined {
  const { version } = require("kafkajs/package.json") as { readonly version: string };
  if (version !== KNOWN_VERSION) return `kafkajs is ${version}, not ${KNOWN_VERSION}`;
  const isLoaded = Object.keys(require.cache).some((path) => path === require.resolve("kafkajs"));
  return isLoaded ? "kafkajs was loaded before" : undefined;
}

/** What requires the module from now on gets what is made of its exports. */
function replaceExports<Exports>(path: string, replace: (exports: Exports) => Exports): void {
  const resolved = require.resolve(`kafkajs/src/${path}`);
  const exports = require(resolved) as Exports;
  const module = require.cache[resolved];
  if (module !== undefined) module.exports = replace(exports);
}

/**
 * A request is nested seven encoders deep, and each copies the ones inside it into a buffer of its own, of zeros
 * and of the next power of two: half of a producer's CPU time. This one keeps references to what is long, and
 * joins them when its bytes are asked for, which is three times. What was written must not change until then.
 */
export function referringEncoder(Base: EncoderClass): EncoderClass {
  return class ReferringEncoder extends Base {
    #parts: Buffer[] = [];
    #partsBytes = 0;
    /** Where in `buf` that begins which is in no part yet. */
    #partsUntil = 0;

    override get buffer(): Buffer {
      this.#endPart();
      const [first, ...others] = this.#parts;
      if (first === undefined) return this.buf.subarray(0, 0);
      if (others.length === 0) return first;
      const joined = Buffer.concat(this.#parts, this.#partsBytes);
      this.#parts = [joined];
      return joined;
    }

    override size(): number {
      return this.#partsBytes + this.offset - this.#partsUntil;
    }

    override writeBufferInternal(buffer: Buffer): void {
      if (buffer.length < REFERRED_BYTES) {
        super.writeBufferInternal(buffer);
        return;
      }
      this.#endPart();
      this.#addPart(buffer);
    }

    override writeBytes(value: unknown): this {
      // kafkajs's own makes room for a copy.
      if (!Buffer.isBuffer(value) || value.length < REFERRED_BYTES) return super.writeBytes(value);
      this.writeInt32(value.length).writeBufferInternal(value);
      return this;
    }

    override writeEncoder(value: Encoder): this {
      if (!(value instanceof ReferringEncoder)) return super.writeEncoder(value);
      value.#endPart();
      for (const part of value.#parts) this.writeBufferInternal(part);
      return this;
    }

    override writeEncoderArray(values: readonly Encoder[]): this {
      if (!Array.isArray(values)) return super.writeEncoderArray(values);
      for (const value of values) this.writeEncoder(value);
      return this;
    }

    #endPart(): void {
      if (this.offset === this.#partsUntil) return;
      const written = this.buf.subarray(this.#partsUntil, this.offset);
      this.#partsUntil = this.offset;
      this.#addPart(written);
    }

    #addPart(part: Buffer): void {
      this.#parts.push(part);
      this.#partsBytes += part.length;
    }
  };
}

function loadParts(): KafkaJsParts {
  const load = (path: string): unknown => require(`kafkajs/src/${path}.js`);
  const errors = load("errors") as Record<string, unknown>;
  return {
    Connection: load("network/connection"),
    SocketRequest: load("network/requestQueue/socketRequest"),
    RequestQueue: load("network/requestQueue/index"),
    Broker: load("broker/index"),
    BrokerPool: load("cluster/brokerPool"),
    ConsumerGroup: load("consumer/consumerGroup"),
    OffsetManager: load("consumer/offsetManager/index"),
    RequestTimeoutError: errors["KafkaJSRequestTimeoutError"],
  } as KafkaJsParts;
}

/** After every answer kafkajs sets a timer of a negative time to look at an empty queue; Node.js warns of it. */
function dropIdleTimers(): void {
  const { prototype } = require("kafkajs/src/network/requestQueue/index.js") as {
    readonly prototype: RequestQueue;
  };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}

/**
 * A consumer that is stopped just when kafkajs makes new fetchers, because brokers came or went, does not know of them: they
 * ask for ever, and are told that there is nothing without a pause, in which nothing else of the process could run.
 */
function endStoppedFetchers(): void {
  const { prototype } = require("kafkajs/src/consumer/runner.js") as {
    readonly prototype: Runner;
  };
  const { fetch } = prototype;
  prototype.fetch = async function (nodeId) {
    // It is then tried again, which ends where the consumer is stopped.
    if (!this.running) throw new Error("the consumer is stopped");
    return fetch.call(this, nodeId);
  };
}
