// A record of Kafka's as the log's interface gives it.
import type { KafkaMessage } from "kafkajs";
import type { LogRecord } from "../log.ts";

export function toLogRecord({ offset, key, value, timestamp }: KafkaMessage): LogRecord {
  return {
    offset: Number(offset),
    key: key?.toString("utf8"),
    value: value ?? Buffer.alloc(0),
    appendedAt: Number(timestamp),
  };
}
