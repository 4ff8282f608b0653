// A process that consumes one partition as the store's consumer does, and lingers between announcing and committing.
//
// Usage: consumer-program.ts BROKERS PREFIX PARTITION NOTES LINGER_MS
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaLog } from "../../../../ingest/log/kafka/kafka-log.ts";
import { kafkaLogOptions } from "./kafka-fixture.ts";

const [brokers = "", prefix = "", partition = "", notes = "", lingerMs = ""] =
  process.argv.slice(2);
const note = (line: string): void => appendFileSync(notes, `${line}\n`);
const { receiptsDir: _, ...options } = kafkaLogOptions("", {
  brokers: brokers.split(","),
  prefix,
});
const log = await KafkaLog.open(options);
await log.consume("test", async (assignment) => {
  if (assignment.partition !== Number(partition)) return;
  const from = assignment.committed.offset;
  const records = await assignment.read(from, 1e6, 10_000);
  const last = records.at(-1)?.offset;
  if (last === undefined) return;
  await assignment.commit({ offset: from, metadata: `inserting up to ${last}` });
  note(`announced ${from} ${last}`);
  await sleep(Number(lingerMs));
  try {
    await assignment.commit({ offset: last + 1, metadata: "" });
    note("committed");
  } catch (error) {
    note(`refused ${(error as { code?: string }).code}`);
  }
});
// The process ends by a signal.
await sleep(120_000);
