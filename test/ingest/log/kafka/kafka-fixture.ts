// Logs of their own on a real Kafka: each has topics of its own names.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { pino } from "pino";
import { KafkaLog, type KafkaLogOptions } from "../../../../ingest/log/kafka/kafka-log.ts";
import { makeTempDir, type TempLog } from "../log-fixture.ts";

interface Options {
  readonly brokers: readonly string[];
  /** Of several processes or edges on one log: the same for all. */
  readonly prefix?: string;
  readonly replication?: number;
  readonly maxPendingBytes?: number;
}

export function kafkaLogOptions(dir: string, options: Options): KafkaLogOptions {
  const { brokers, prefix = `test-${randomUUID()}`, replication = 1 } = options;
  return {
    connection: { brokers },
    topics: { prefix, partitions: 4, replication, retentionHours: 1 },
    receiptsDir: join(dir, "receipts"),
    maxPendingBytes: options.maxPendingBytes ?? 1e9,
    logger: pino({ level: process.env["LOGBOOM_TEST_LOG_LEVEL"] ?? "silent" }),
  };
}

export async function openKafkaLog(options: Options): Promise<TempLog<KafkaLog>> {
  const { dir, remove } = makeTempDir();
  const opened = kafkaLogOptions(dir, options);
  let log = await KafkaLog.open(opened);
  return {
    dir,
    get log() {
      return log;
    },
    reopen: async () => {
      await log.close();
      log = await KafkaLog.open(opened);
      return log;
    },
    [Symbol.asyncDispose]: async () => {
      await log.close();
      remove();
    },
  };
}
