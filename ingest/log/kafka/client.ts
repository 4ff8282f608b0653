// Kafka clients as this service makes them: their connection settings, zstd, their logger.
import { readFileSync } from "node:fs";
import type * as KafkaJs from "kafkajs";
import type { Logger } from "pino";
import { freeBuffer } from "../free-buffer.ts";
import { packBatch, unpackBatch } from "./compression.ts";
import { loadKafkaJs } from "./kafkajs-patches.ts";

export interface KafkaConnection {
  /** host:port of some brokers; the others are learnt from them */
  readonly brokers: readonly string[];
  readonly sasl?: KafkaJs.SASLOptions;
  readonly tls?: { readonly caFile?: string };
}

/** A request that a broker does not answer for so long is sent anew, to whoever leads by then. */
export const REQUEST_TIMEOUT_MS = 3_000;

const { kafkajs, unpatched } = loadKafkaJs();

kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }: { readonly buffer: Buffer }) => {
    const packed = await packBatch(buffer);
    // The records as kafkajs joined them for this call alone.
    freeBuffer(buffer);
    return packed;
  },
  decompress: unpackBatch,
});

export const { CompressionTypes, ConfigResourceTypes, PartitionAssigners } = kafkajs;

/** What reads and administers; writing is the lanes' alone. */
export type Clients = Pick<KafkaJs.Kafka, "admin" | "consumer">;

export function createClients(connection: KafkaConnection, logger: Logger): Clients {
  if (unpatched !== undefined)
    logger.warn({ reason: unpatched }, "kafkajs costs more CPU than it has to");
  return createKafka(connection, logger);
}

/** A producer that loses nothing only as lane.ts uses it: the linter keeps others away. */
export function createProducer(connection: KafkaConnection, logger: Logger): KafkaJs.Producer {
  return createKafka(connection, logger).producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    // Asked anew at every retry, so it must not choose.
    createPartitioner: () => givenPartition,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 },
  });
}

function givenPartition({ message }: { readonly message: KafkaJs.Message }): number {
  if (message.partition === undefined) throw new TypeError("a record without a partition");
  return message.partition;
}

function createKafka(connection: KafkaConnection, logger: Logger): KafkaJs.Kafka {
  const { brokers, sasl, tls } = connection;
  return new kafkajs.Kafka({
    clientId: "logboom",
    brokers: [...brokers],
    ...(sasl !== undefined && { sasl }),
    ...(tls !== undefined && {
      ssl: tls.caFile === undefined ? true : { ca: [readFileSync(tls.caFile, "utf8")] },
    }),
    connectionTimeout: 2_000,
    authenticationTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
    logLevel: kafkajs.logLevel.INFO,
    logCreator:
      () =>
      ({ level, namespace, log }) => {
        const { message, timestamp: _, logger: __, stack: ___, ...facts } = log;
        // What it calls an error it repeats by itself; what remains one reaches us, and we report it.
        logger.debug({ ...facts, namespace, level: kafkajs.logLevel[level] }, `kafka: ${message}`);
      },
  });
}
