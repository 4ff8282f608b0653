// Signatures that were used, over Kafka: two edges on one log, asked at the same time.
import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { UsedSignatures } from "../../../../ingest/keys/used-signatures.ts";
import { openKafkaLog } from "../../log/kafka/kafka-fixture.ts";

const brokers = inject("kafkaBrokers");

test("of two edges that are sent the same signature, one takes it, and a third knows it", async () => {
  const prefix = `test-${randomUUID()}`;
  await using one = await openKafkaLog({ brokers, prefix });
  await using other = await openKafkaLog({ brokers, prefix });
  const open = async ({ log }: typeof one) => {
    const used = new UsedSignatures(log);
    const following = await log.follow("accounts", (record) => void used.take(record));
    return { used, following };
  };
  const edges = await Promise.all([open(one), open(other)]);
  const goodUntil = Date.now() + 60_000;
  for (let n = 0; n < 10; n++) {
    const firsts = await Promise.all(edges.map(({ used }) => used.use("key", `s${n}`, goodUntil)));
    expect(firsts.filter(Boolean), `s${n}`).toHaveLength(1);
  }
  const third = await open(one);
  for (let n = 0; n < 10; n++) expect(await third.used.use("key", `s${n}`, goodUntil)).toBe(false);
  await Promise.all([...edges, third].map(({ following }) => following.close()));
});
