// What customers keep in the service, over Kafka: query processes see each other's changes.
import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { Records } from "../../../query/records.ts";
import { openKafkaLog } from "../../ingest/log/kafka/kafka-fixture.ts";
import { waitUntil } from "../../ingest/wait-until.ts";

const brokers = inject("kafkaBrokers");
const place = { customer: "acme", collection: "logentries-tag" } as const;

test("what one process puts and deletes, another one sees, and one that begins later", async () => {
  const prefix = `test-${randomUUID()}`;
  await using one = await openKafkaLog({ brokers, prefix });
  await using other = await openKafkaLog({ brokers, prefix });
  const here = await Records.open(one.log);
  const there = await Records.open(other.log);
  await here.put(place, "a", 1);
  await waitUntil(() => there.find(place, "a") !== undefined);
  await there.put(place, "a", 2);
  await waitUntil(() => here.find(place, "a")?.value === 2);
  await here.put(place, "b", 1);
  await here.delete(place, "a");
  await waitUntil(() => there.find(place, "a") === undefined);
  const later = await Records.open(other.log);
  expect(later.list(place).map(({ id }) => id)).toEqual(["b"]);
  await Promise.all([here, there, later].map((records) => records.close()));
});
