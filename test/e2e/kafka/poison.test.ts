// Poison in Kafka: the good around it is stored, the bad set aside with reason and place, and replayed when it can be.
import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { encodeContainer } from "../../../schemas/event-codec.ts";
import { openKafkaLog } from "../../ingest/log/kafka/kafka-fixture.ts";
import { eventRecord } from "../../ingest/log/log-fixture.ts";
import { anEvent, encode } from "../../schemas/random-event.ts";
import { countEvents, ingest, waitForCount } from "../../support/api.ts";
import { startClickHouse } from "../../support/clickhouse.ts";
import { runCli, startService } from "../../support/service.ts";
import { renderStoreUsers } from "../../support/store-users.ts";

const partition = 2;

const now = BigInt(Date.now()) * 1_000_000n;
const recordOf = (...messages: string[]): Buffer => {
  const events = messages.map((message) => anEvent({ message, time: now, ingested: now }));
  return encodeContainer(Buffer.from(randomUUID()).subarray(0, 16), [encode(events)]);
};

/** A container as a later version may write it, with a schema that today's reader cannot resolve. */
function ofUnknownVersion(): Buffer {
  const record = recordOf("from the future");
  // Of the same length, so that all else stays valid.
  const text = record
    .toString("latin1")
    .replace('"name":"message","type":"string"', '"name":"massage","type":"string"');
  expect(text).not.toBe(record.toString("latin1"));
  return Buffer.from(text, "latin1");
}

test("no Avro, an unknown version and a bad event among good ones are set aside, and consumption goes on", async () => {
  const users = renderStoreUsers();
  const server = await startClickHouse(users.sql);
  const prefix = `test-${randomUUID()}`;
  const brokers = inject("kafkaBrokers");
  const env = {
    LOGBOOM_KAFKA_BROKERS: brokers.join(","),
    LOGBOOM_KAFKA_TOPIC_PREFIX: prefix,
    LOGBOOM_KAFKA_REPLICATION: "1",
    LOGBOOM_KAFKA_PARTITIONS: "4",
    LOGBOOM_CLICKHOUSE_URL: server.url,
    LOGBOOM_CLICKHOUSE_USER: "logboom_ingest",
    LOGBOOM_CLICKHOUSE_PASSWORD: users.ingestPassword,
  };
  try {
    await using service = await startService({ env });
    await using writer = await openKafkaLog({ brokers, prefix });
    await server.command("ALTER TABLE events ADD CONSTRAINT r CHECK message != 'bad'", "logboom");
    const records = [
      recordOf("before"),
      Buffer.from("no Avro"),
      ofUnknownVersion(),
      recordOf("good 1", "good 2", "bad", "good 3"),
      recordOf("after"),
    ];
    await writer.log.append(records.map((value) => eventRecord(partition, value)));
    await waitForCount(service, { regex: ".*" }, 5);
    await ingest(service, "later", { contentType: "text/plain" });
    await waitForCount(service, { regex: ".*" }, 6);

    const deadLetters = (...args: string[]) =>
      runCli(service.dataDir, ["dead-letters", ...args], env);
    const list = async () => JSON.parse((await deadLetters("--json")).stdout) as { id: string }[];
    const letters = await list();
    expect(letters.toSorted((a, b) => a.id.localeCompare(b.id))).toMatchObject([
      { id: `${partition}/1/record`, reason: "unreadable", partition, offset: 1 },
      { id: `${partition}/2/record`, reason: "unreadable", partition, offset: 2 },
      { id: `${partition}/3/2`, reason: "refused", partition, offset: 3, index: 2 },
    ]);

    await server.command("ALTER TABLE events DROP CONSTRAINT r", "logboom");
    const replayed = await deadLetters("replay", "--all");
    expect(replayed).toMatchObject({ code: 1, stderr: "logboom: 2 of 3 dead letters stay\n" });
    expect(replayed.stdout.split("\n").toSorted()).toEqual([
      "",
      expect.stringMatching(/^2\/1\/record {2}stays: it cannot be read: not an Avro container/),
      expect.stringMatching(/^2\/2\/record {2}stays: it cannot be read: /),
      "2/3/2  replayed",
    ]);
    await waitForCount(service, { regex: ".*" }, 7);
    // A consumer that begins anew knows it as done.
    await service.killAll();
    await service.start();
    await ingest(service, "last", { contentType: "text/plain" });
    await waitForCount(service, { regex: ".*" }, 8);
    expect(await countEvents(service, { regex: "bad" })).toBe(1);
    expect((await list()).map(({ id }) => id).toSorted()).toEqual(["2/1/record", "2/2/record"]);
  } finally {
    await server.close();
  }
});
