// Appends records to Kafka and prints the CPU seconds that a GB of them costs.
// usage: producer-program.ts BROKERS zstd|none FILE MEGABYTES
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { pino } from "pino";
import { KafkaLog } from "../../ingest/log/kafka/kafka-log.ts";

const RECORD_BYTES = 256 * 1024;
const WARM_UP_BYTES = 32 * 1024 * 1024;
const IN_FLIGHT = 8;
const PARTITIONS = 12;

const [brokers = "", compression, path = "", megabytes] = process.argv.slice(2);

const log = await KafkaLog.open({
  connection: { brokers: brokers.split(",") },
  topics: {
    prefix: `producer-${randomBytes(4).toString("hex")}`,
    partitions: PARTITIONS,
    replication: 1,
    retentionHours: 1,
  },
  maxPendingBytes: 1e9,
  compression: compression === "none" ? "none" : "zstd",
  logger: pino({ level: "silent" }),
});

// The text of events as they are sent: what compresses as well as their Avro does.
const source = Buffer.alloc(64 * 1024 * 1024);
const file = openSync(path, "r");
const sourceBytes = readSync(file, source, 0, source.length, 0);
closeSync(file);

async function append(totalBytes: number): Promise<void> {
  let sent = 0;
  const work = async (): Promise<void> => {
    while (sent < totalBytes) {
      const from = sent % Math.max(1, sourceBytes - RECORD_BYTES);
      const partition = (sent / RECORD_BYTES) % PARTITIONS;
      sent += RECORD_BYTES;
      const value = source.subarray(from, from + RECORD_BYTES);
      await log.append([{ stream: "events", partition, value }]);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

await append(WARM_UP_BYTES);
const before = process.cpuUsage();
const bytes = Number(megabytes) * 1024 * 1024;
await append(bytes);
const { user, system } = process.cpuUsage(before);
await log.close();
console.log((user + system) / 1e6 / (bytes / 1e9));
