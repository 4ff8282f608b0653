// Kafka clients as this service makes them: its connection settings, zstd, its own logger.
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import type * as KafkaJs from "kafkajs";
import type { Logger } from "pino";
import { loadKafkaJs } from "./kafkajs-patches.ts";

export interface KafkaConnection {
  /** host:port of some brokers; the others are learnt from them */
  readonly brokers: readonly string[];
  readonly sasl?: KafkaJs.SASLOptions;
  readonly tls?: { readonly caFile?: string };
}

/** A request that a broker does not answer for so long is sent anew, to whoever leads by then. */
export const REQUEST_TIMEOUT_MS = 5_000;

/**
 * The most that a batch of records shrinks on its way. A fetch is bounded by its bytes on the wire and
 * decompressed whole, so a consumer's memory is bounded only if the ratio is.
 */
export const MAX_COMPRESSION_RATIO = 32;
/** Level 1 makes 5 % more bytes than 3, for two thirds of the CPU time; node:zlib's own chunks are 16 KiB. */
const packing = {
  chunkSize: 256 * 1024,
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
};
const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024;

const { kafkajs, unpatched } = loadKafkaJs();
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { readonly buffer: Buffer }) => packBatch(buffer),
  decompress: (bytes: Buffer) =>
    decompress(bytes, {
      chunkSize: packing.chunkSize,
      maxOutputLength: MAX_DECOMPRESSED_BYTES,
    }),
});

/** A batch in zstd, filled up where it would shrink more than {@link MAX_COMPRESSION_RATIO} times. */
export async function packBatch(batch: Buffer): Promise<Buffer> {
  const packed = await compress(batch, packing);
  const missing = Math.ceil(batch.length / MAX_COMPRESSION_RATIO) - packed.length;
  return missing > 0 ? Buffer.concat([packed, skippableFrame(missing)]) : packed;
}

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
    connectionTimeout: 3_000,
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

/** A zstd frame of at least this many bytes that readers step over. */
function skippableFrame(sizeBytes: number): Buffer {
  const frame = Buffer.alloc(8 + sizeBytes);
  frame.writeUInt32LE(0x184d2a50, 0);
  frame.writeUInt32LE(sizeBytes, 4);
  return frame;
}
