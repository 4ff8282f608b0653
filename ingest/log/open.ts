// The log that the configuration names: Kafka where it has brokers, else the embedded one.
import { join } from "node:path";
import type { Logger } from "pino";
import { ConfigError, readNamedFile, type Config } from "../../schemas/config.ts";
import { LogboomError } from "../../schemas/errors.ts";
import { EmbeddedLog } from "./embedded.ts";
import type { KafkaConnection } from "./kafka/client.ts";
import type { Log } from "./log.ts";

interface OpenOptions {
  /** False for a process that never asks for receipts: over Kafka each edge keeps a copy of them all. */
  readonly hasReceipts?: boolean;
}

/**
 * Opens the log; over Kafka creates and verifies its topics.
 *
 * @throws LogboomError UNAVAILABLE when the folder cannot be used, Kafka is away, or a topic is not as it has to be;
 *   ConfigError when a file that a variable names cannot be read.
 */
export async function openLog(
  config: Config,
  logger: Logger,
  { hasReceipts = true }: OpenOptions = {},
): Promise<Log> {
  const dir = config.LOGBOOM_DATA_DIR;
  const brokers = config.LOGBOOM_KAFKA_BROKERS;
  if (brokers === undefined) {
    return openEmbedded(join(dir, "log"), config.LOGBOOM_LOG_MAX_BYTES);
  }
  // Who needs no Kafka does not load its client.
  const { KafkaLog } = await import("./kafka/kafka-log.ts");
  return KafkaLog.open({
    connection: { brokers, ...connectionOptions(config) },
    topics: {
      prefix: config.LOGBOOM_KAFKA_TOPIC_PREFIX,
      partitions: config.LOGBOOM_KAFKA_PARTITIONS,
      replication: config.LOGBOOM_KAFKA_REPLICATION,
      retentionHours: config.LOGBOOM_KAFKA_RETENTION_HOURS,
    },
    ...(hasReceipts && { receiptsDir: join(dir, "receipts") }),
    maxPendingBytes: config.LOGBOOM_INGEST_MEMORY_BYTES,
    logger,
  });
}

async function openEmbedded(dir: string, maxBytes: number): Promise<Log> {
  try {
    return await EmbeddedLog.open({ dir, maxBytes });
  } catch (error) {
    // LMDB names neither itself nor the folder.
    const reason = error instanceof Error ? error.message : String(error);
    throw new LogboomError("UNAVAILABLE", `cannot open the log in "${dir}": ${reason}`, {
      cause: error,
      details: { dir },
    });
  }
}

/**
 * Opens the log for a process of one stage.
 *
 * @throws ConfigError when it would be the embedded one, whose events are written and read by one process.
 */
export async function openSharedLog(
  config: Config,
  logger: Logger,
  options?: OpenOptions,
): Promise<Log> {
  if (config.LOGBOOM_KAFKA_BROKERS === undefined) {
    throw new ConfigError([
      "LOGBOOM_KAFKA_BROKERS: must be given; the embedded log is for `npm start` alone",
    ]);
  }
  return openLog(config, logger, options);
}

function connectionOptions(config: Config): Omit<KafkaConnection, "brokers"> {
  const [mechanism, ...user] = config.LOGBOOM_KAFKA_SASL?.split(":") ?? [];
  const caFile = config.LOGBOOM_KAFKA_CA_FILE;
  if (caFile !== undefined) readNamedFile("LOGBOOM_KAFKA_CA_FILE", caFile);
  return {
    ...(mechanism !== undefined && {
      sasl: {
        mechanism: mechanism as "plain" | "scram-sha-256" | "scram-sha-512",
        username: user.join(":"),
        password: readPassword(config),
      },
    }),
    ...(config.LOGBOOM_KAFKA_TLS === "on" && { tls: caFile === undefined ? {} : { caFile } }),
  };
}

/** There is one wherever there is a mechanism: the configuration sees to it. */
function readPassword({ LOGBOOM_KAFKA_PASSWORD: password = "" }: Config): string {
  if (!password.startsWith("file:")) return password;
  const path = password.slice("file:".length);
  return readNamedFile("LOGBOOM_KAFKA_PASSWORD", path)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
