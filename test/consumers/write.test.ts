// From the log into a real store: exactly once in effect, and what the store refuses is set aside.
import { describe, expect, test } from "vitest";
import { consumeEvents, storeGroup } from "../../consumers/consume.ts";
import { readLetters } from "../../consumers/dead-letters.ts";
import type { EmbeddedLog } from "../../ingest/log/embedded.ts";
import { readConfig } from "../../schemas/config.ts";
import { decodeContainer } from "../../schemas/event-codec.ts";
import { createInstruments } from "../../schemas/instruments.ts";
import { useLogAndStore } from "./log-and-store.ts";
import {
  encodeEvents,
  eventAt,
  hourNs,
  select,
  silentLogger,
  waitUntil,
} from "./store/store-fixture.ts";

const config = readConfig({ LOGBOOM_BATCH_AGE_MS: "20" });
const base = 500_000n * hourNs;

const given = useLogAndStore();
const { append } = given;

const consume = () =>
  consumeEvents({
    config,
    log: given.temp.log,
    shards: [given.store.writer],
    instruments: createInstruments(false),
    logger: silentLogger,
  });

/** Consumes until nothing is left. */
async function consumeAll(): Promise<void> {
  const consumption = await consume();
  await waitUntil("the log is consumed", async () =>
    (await given.temp.log.lag(storeGroup)).every(({ records }) => records === 0),
  );
  await consumption.close();
}

async function stored(): Promise<{ messages: string[]; statistics: number }> {
  const rows = await select<{ message: string }>(
    given.store.writer,
    "SELECT message FROM events ORDER BY message",
  );
  const [sums] = await select<{ rows: string }>(
    given.store.writer,
    "SELECT toString(sum(rows)) AS rows FROM streams",
  );
  return { messages: rows.map(({ message }) => message), statistics: Number(sums?.rows ?? 0) };
}

const eventsNamed = (...names: string[]) =>
  encodeEvents(names.map((message, index) => eventAt(base + BigInt(index), { message })));

describe("a batch", () => {
  test("is stored once when its consumer ends between announcing and committing it", async () => {
    const { log } = given.temp;
    await append(eventsNamed("a", "b"));
    await append(eventsNamed("c"));
    // The first owner announces both records, stores them, and is gone before it commits.
    const first = await log.consume(storeGroup, async (assignment) => {
      if (assignment.partition !== 1) return;
      await assignment.commit({ offset: 0, metadata: JSON.stringify({ insertingUpTo: 1 }) });
    });
    await first.close();
    await consumeAll();
    const second = await log.consume(storeGroup, async (assignment) => {
      if (assignment.partition === 1)
        expect(assignment.committed).toEqual({ offset: 2, metadata: "" });
    });
    await second.close();
    expect(await stored()).toEqual({ messages: ["a", "b", "c"], statistics: 3 });
  });

  test("is not stored again when its range is repeated under its token", async () => {
    const { log } = given.temp;
    await append(eventsNamed("a", "b"));
    // The store's answer is lost: the position stays, the announcement too.
    let isFirst = true;
    const forgetful = Object.create(log, {
      id: { get: () => log.id },
      consume: {
        value: (group: string, run: Parameters<EmbeddedLog["consume"]>[1]) =>
          log.consume(group, (assignment) =>
            run({
              ...assignment,
              commit: async (position) => {
                if (position.metadata === "" && isFirst) {
                  isFirst = false;
                  throw new Error("the process ends here");
                }
                await assignment.commit(position);
              },
            }),
          ),
      },
    }) as EmbeddedLog;
    const consumption = await consumeEvents({
      config,
      log: forgetful,
      shards: [given.store.writer],
      instruments: createInstruments(false),
      logger: silentLogger,
    });
    await waitUntil("the batch is stored", async () => (await stored()).messages.length === 2);
    await waitUntil("the first consumer has ended", () => !isFirst);
    await consumption.close().catch(() => {});
    await append(eventsNamed("c"));
    await consumeAll();
    expect(await stored()).toEqual({ messages: ["a", "b", "c"], statistics: 3 });
  });
});

describe("what can never be stored", () => {
  test("is set aside as a whole record when it is no Avro, and the others are stored", async () => {
    const { log } = given.temp;
    await append(eventsNamed("before"));
    await append(Buffer.from("not an Avro container file"));
    await append(eventsNamed("after"));
    await consumeAll();
    expect((await stored()).messages).toEqual(["after", "before"]);
    expect([...(await readLetters(log)).values()]).toMatchObject([
      {
        reason: "unreadable",
        partition: 1,
        offset: 1,
        record: Buffer.from("not an Avro container file").toString("base64"),
      },
    ]);
  });

  test("is set aside as a whole record when its block is damaged, and the others are stored", async () => {
    const { log } = given.temp;
    const damaged = Buffer.from(eventsNamed("x", "y"));
    damaged.writeUInt8(0x7f, damaged.indexOf("y") - 1);
    await append(eventsNamed("before"));
    await append(damaged);
    await append(eventsNamed("after"));
    await consumeAll();
    expect((await stored()).messages).toEqual(["after", "before"]);
    expect([...(await readLetters(log)).values()]).toMatchObject([
      { reason: "unreadable", partition: 1, offset: 1, record: damaged.toString("base64") },
    ]);
  });

  test("is set aside event by event when the store refuses it, the good ones stored once", async () => {
    const { log } = given.temp;
    const good = Array.from({ length: 9 }, (_, index) => `good ${index}`);
    await given.store.writer.command({
      query: "ALTER TABLE events ADD CONSTRAINT refusal CHECK message != 'bad'",
    });
    await append(eventsNamed("first"));
    await append(eventsNamed(...good.slice(0, 4), "bad", ...good.slice(4)));
    await consumeAll();
    await given.store.writer.command({ query: "ALTER TABLE events DROP CONSTRAINT refusal" });
    expect(await stored()).toEqual({ messages: ["first", ...good], statistics: 10 });
    const [letter, ...others] = [...(await readLetters(log)).values()];
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ reason: "refused", partition: 1, offset: 1, index: 4 });
    const [event] = decodeContainer(Buffer.from(letter?.record ?? "", "base64"));
    expect(event?.message).toBe("bad");
  });
});
