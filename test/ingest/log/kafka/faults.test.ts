// Brokers that die, hang and are all away: what was acknowledged is there, once after doubles are dropped.
//
// LOGBOOM_TEST_KAFKA_ROUNDS repeats kill and freeze, LOGBOOM_TEST_KAFKA_FREEZE_MS is how long a broker hangs.
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Log, NewRecord } from "../../../../ingest/log/log.ts";
import { anEvent, encode } from "../../../schemas/random-event.ts";
import { decodeContainer, encodeContainer } from "../../../../schemas/event-codec.ts";
import { KafkaCluster, withAdmin } from "../../../support/kafka.ts";
import { eventRecord, readFrom } from "../log-fixture.ts";
import { openKafkaLog } from "./kafka-fixture.ts";

const rounds = Number(process.env["LOGBOOM_TEST_KAFKA_ROUNDS"] ?? 1);
const freezeMs = Number(process.env["LOGBOOM_TEST_KAFKA_FREEZE_MS"] ?? 9_000);
const SENDERS = 16;

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await KafkaCluster.start(3);
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

interface Sending {
  readonly acknowledged: ReadonlySet<string>;
  /** Appends that failed and were repeated. */
  readonly failures: number;
  stop(): Promise<void>;
}

/** Concurrent senders, each over several partitions, that repeat an append until it is acknowledged. */
function startSending(log: Log): Sending {
  const acknowledged = new Set<string>();
  let failures = 0;
  let isStopped = false;
  const send = async (sender: number): Promise<void> => {
    for (let number = 0; !isStopped; number++) {
      const partitions = number % 3 === 0 ? [0, 1, 2, 3] : [(sender + number) % 4];
      const names = partitions.map((partition) => `${sender}/${number}/${partition}`);
      const records: NewRecord[] = partitions.map((partition, index) => {
        const message = (names[index] ?? "").padEnd(100 + ((number * 7919) % 20_000), ".");
        const value = encodeContainer(randomBytes(16), [encode([anEvent({ message })])]);
        return eventRecord(partition, value);
      });
      for (;;) {
        try {
          await log.append(records);
          break;
        } catch {
          failures++;
          await sleep(50);
        }
      }
      for (const name of names) acknowledged.add(name);
    }
  };
  const sending = Promise.all(Array.from({ length: SENDERS }, (_, sender) => send(sender)));
  return {
    acknowledged,
    get failures() {
      return failures;
    },
    stop: async () => {
      isStopped = true;
      await sending;
    },
  };
}

/** What consumers would store of the whole log, by name, and how many records they would drop. */
async function audit(log: Log): Promise<{ counts: Map<string, number>; dropped: number }> {
  const counts = new Map<string, number>();
  let dropped = 0;
  for (let partition = 0; partition < log.partitionCount; partition++) {
    for (const { value, isRepeat } of await readFrom(log, partition)) {
      if (isRepeat) {
        dropped++;
        continue;
      }
      const name = decodeContainer(value)[0]?.message.replace(/\.*$/, "") ?? "";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return { counts, dropped };
}

async function waitForProgress({ acknowledged }: Sending): Promise<void> {
  const begin = acknowledged.size;
  for (let tries = 0; acknowledged.size < begin + 200; tries++) {
    if (tries > 3000) throw new Error("nothing is acknowledged any more");
    await sleep(20);
  }
}

/** It asks the brokers every few seconds. */
async function waitUntilUp(log: Log): Promise<void> {
  for (let tries = 0; !log.health().isUp && tries < 2000; tries++) await sleep(20);
  expect(log.health()).toEqual({ isUp: true });
}

test(
  `in ${rounds} rounds of a broker killed and one frozen, what was acknowledged is there exactly once`,
  { timeout: 600_000 },
  async () => {
    await using temp = await openKafkaLog({ brokers: cluster.brokers, replication: 3 });
    const sending = startSending(temp.log);
    await waitForProgress(sending);
    for (let round = 0; round < rounds; round++) {
      const [killed, frozen] = [1 + (round % 3), 1 + ((round + 1) % 3)];
      await cluster.kill(killed);
      await waitForProgress(sending);
      await cluster.restart(killed);
      await waitForProgress(sending);
      await cluster.waitUntilInSync();
      cluster.freeze(frozen);
      await sleep(freezeMs);
      cluster.thaw(frozen);
      await waitForProgress(sending);
      await cluster.waitUntilInSync();
    }
    await sending.stop();
    await waitUntilUp(temp.log);

    const { counts, dropped } = await audit(temp.log);
    const { acknowledged, failures } = sending;
    console.log(`${acknowledged.size} acknowledged, ${failures} repeated, ${dropped} dropped`);
    expect([...acknowledged].filter((name) => !counts.has(name))).toEqual([]);
    expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
  },
);

test(
  "while a broker hangs, every partition goes on by the others, appends and consumers",
  { timeout: 180_000 },
  async () => {
    await using temp = await openKafkaLog({ brokers: cluster.brokers, replication: 3 });
    const { log } = temp;
    const consumed = new Set<string>();
    const consumption = await log.consume(
      "through",
      async ({ committed, signal, read, commit }) => {
        try {
          for (let next = committed.offset; !signal.aborted;) {
            for (const { offset, value } of await read(next, 1e6, 200)) {
              consumed.add(value.toString());
              next = offset + 1;
              await commit({ offset: next, metadata: "" });
            }
          }
        } catch (error) {
          if (!signal.aborted) throw error;
        }
      },
    );
    const goThrough = async (name: string): Promise<void> => {
      const texts = [0, 1, 2, 3].map((partition) => `${name}: ${partition}`);
      await Promise.all(texts.map((text, partition) => log.append([eventRecord(partition, text)])));
      for (let tries = 0; !texts.every((text) => consumed.has(text)) && tries < 2000; tries++) {
        await sleep(20);
      }
      expect(texts.filter((text) => !consumed.has(text))).toEqual([]);
    };
    await goThrough("before");
    // Each in turn: one of them leads the group.
    for (const id of [1, 2, 3]) {
      cluster.freeze(id);
      try {
        await goThrough(`without ${id}`);
      } finally {
        cluster.thaw(id);
      }
      await goThrough(`with ${id} again`);
      await waitUntilUp(log);
      await cluster.waitUntilInSync();
    }
    await consumption.close();
  },
);

test("brokers that are restarted one by one end no consumer's membership", async () => {
  const prefix = `test-${randomUUID()}`;
  await using temp = await openKafkaLog({ brokers: cluster.brokers, prefix, replication: 3 });
  const consumption = await temp.log.consume("through", async ({ committed, signal, read }) => {
    while (!signal.aborted) await read(committed.offset, 1e6, 200);
  });
  await withAdmin(cluster.brokers, async (admin) => {
    const memberIds = async (): Promise<string[]> => {
      const { groups } = await admin.describeGroups([`${prefix}.events.through`]);
      return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
    };
    let before: string[] = [];
    for (let tries = 0; before.length === 0 && tries < 1000; tries++) before = await memberIds();
    for (const id of [1, 2, 3]) {
      await cluster.kill(id, "SIGTERM");
      await cluster.restart(id);
      await cluster.waitUntilInSync();
    }
    expect(before).toHaveLength(1);
    expect(await memberIds()).toEqual(before);
  });
  await consumption.close();
});

test("without its majority the log says so in bounded time, and takes records again by itself", async () => {
  const prefix = `test-${randomUUID()}`;
  await using temp = await openKafkaLog({
    brokers: cluster.brokers,
    prefix,
    replication: 3,
    maxPendingBytes: 1_000_000,
  });
  const { log } = temp;
  // Groups and followers that were there before.
  await using other = await openKafkaLog({ brokers: cluster.brokers, prefix, replication: 3 });
  const consumed: string[] = [];
  const consumption = await log.consume("through", async ({ partition, ...assignment }) => {
    const { committed, signal, read, commit } = assignment;
    try {
      for (let next = committed.offset; partition === 0 && !signal.aborted;) {
        for (const { offset, value } of await read(next, 1e6, 200)) {
          consumed.push(value.toString("utf8", 0, 6));
          next = offset + 1;
          await commit({ offset: next, metadata: "" });
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
  await log.append([eventRecord(0, "before")]);
  await Promise.all([cluster.kill(1), cluster.kill(2)]);

  const large = Buffer.alloc(400_000, "x");
  const waiting = [0, 1].map((partition) => log.append([eventRecord(partition, large)]));
  await expect(log.append([eventRecord(2, large)])).rejects.toMatchObject({ code: "OVERLOADED" });
  const results = await Promise.allSettled(waiting);
  for (const result of results) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } });
  }
  expect(log.health().isUp).toBe(false);

  await Promise.all([cluster.restart(1), cluster.restart(2)]);
  // Nobody sends meanwhile: a front that asks /ready would keep senders away for ever.
  await waitUntilUp(log);
  await log.append([eventRecord(0, "after")]);
  const texts = (await readFrom(log, 0)).map(({ value }) => value.toString("utf8", 0, 6));
  expect(texts[0]).toBe("before");
  expect(texts).toContain("after");

  await log.append([], [{ key: "k", value: "v", expiresAt: Date.now() + 60_000 }]);
  const isThrough = () => consumed.includes("after") && other.log.findReceipt("k") === "v";
  for (let tries = 0; !isThrough() && tries < 3000; tries++) await sleep(20);
  expect(consumed).toContain("after");
  expect(other.log.findReceipt("k")).toBe("v");
  await consumption.close();
});
