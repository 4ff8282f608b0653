// Dead letters through the log again: stored once, whatever ends in between, and gone only then.
import { expect, test } from "vitest";
import { consumeEvents, storeGroup } from "../../consumers/consume.ts";
import { readLetters, requestReplays } from "../../consumers/dead-letters.ts";
import { Replays } from "../../consumers/replays.ts";
import type { EmbeddedLog } from "../../ingest/log/embedded.ts";
import type { Log } from "../../ingest/log/log.ts";
import { readConfig } from "../../schemas/config.ts";
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
const partition = 1;

const given = useLogAndStore();
const { append } = given;

const eventsNamed = (...names: string[]) =>
  encodeEvents(names.map((message) => eventAt(500_000n * hourNs, { message })));

/** Consumes as a process does, until the condition holds. */
async function consumeUntil(
  isDone: (log: Log) => Promise<boolean> | boolean,
  log: Log = given.temp.log,
): Promise<void> {
  const context = { log, instruments: createInstruments(false), logger: silentLogger };
  const replays = await Replays.open(context);
  const shards = [given.store.writer];
  const consumption = await consumeEvents({ ...context, config, shards, replays });
  await waitUntil("what was to be consumed", () => isDone(log));
  await consumption.close();
  await replays.close();
}

const isConsumed = async (log: Log) =>
  (await log.lag(storeGroup)).every(({ records }) => records === 0);
const isReplayed = async (log: Log) =>
  (await readLetters(log, "replays")).size === 0 && (await isConsumed(log));

async function stored(): Promise<string[]> {
  const query = "SELECT message FROM events ORDER BY message";
  return (await select<{ message: string }>(given.store.writer, query)).map(
    ({ message }) => message,
  );
}

/** Sets one event of two aside, and asks for its replay when the store would take it. */
async function refuseAndAsk(): Promise<void> {
  await given.store.writer.command({
    query: "ALTER TABLE events ADD CONSTRAINT refusal CHECK message != 'bad'",
  });
  await append(eventsNamed("good", "bad"));
  await consumeUntil(isConsumed);
  await given.store.writer.command({ query: "ALTER TABLE events DROP CONSTRAINT refusal" });
  expect(await stored()).toEqual(["good"]);
  const letters = await readLetters(given.temp.log);
  expect([...letters.keys()]).toEqual([`${partition}/0/1`]);
  await requestReplays(given.temp.log, [...letters.values()]);
}

/** The log with another way to append. */
function appendingBy(log: EmbeddedLog, append: EmbeddedLog["append"]): Log {
  return {
    id: log.id,
    partitionCount: log.partitionCount,
    sizeBytes: 0,
    maxBytes: log.maxBytes,
    append,
    findReceipt: (key) => log.findReceipt(key),
    follow: (stream, onRecord) => log.follow(stream, onRecord),
    consume: (group, run) => log.consume(group, run),
    lag: (group) => log.lag(group),
    health: () => log.health(),
    close: () => log.close(),
  };
}

test("an event that the store takes by now is stored, and its letter is gone, over restarts, too", async () => {
  await refuseAndAsk();
  await consumeUntil(isReplayed);
  expect(await stored()).toEqual(["bad", "good"]);
  await given.temp.reopen();
  await consumeUntil(isReplayed);
  expect(await stored()).toEqual(["bad", "good"]);
  expect((await readLetters(given.temp.log)).size).toBe(0);
});

test("it is appended once when its consumer ends before it has taken the letter away", async () => {
  await refuseAndAsk();
  let isAppended = false;
  const { log } = given.temp;
  const dying = appendingBy(log, async (records, receipts) => {
    if (isAppended) throw new Error("the process ends here");
    await log.append(records, receipts);
    isAppended = true;
  });
  await consumeUntil(() => isAppended, dying);
  expect((await readLetters(log)).size).toBe(1);
  await given.temp.reopen();
  await consumeUntil(isReplayed);
  expect(await stored()).toEqual(["bad", "good"]);
  expect((await readLetters(given.temp.log)).size).toBe(0);
});

test("one that was asked for again after it was replayed is not stored twice", async () => {
  await refuseAndAsk();
  const letters = [...(await readLetters(given.temp.log)).values()];
  await consumeUntil(isReplayed);
  // A command that read the letters before, and was held up.
  await requestReplays(given.temp.log, letters);
  await consumeUntil(isReplayed);
  expect(await stored()).toEqual(["bad", "good"]);
});

test("one that the store refuses again is a letter again", async () => {
  await refuseAndAsk();
  await given.store.writer.command({
    query: "ALTER TABLE events ADD CONSTRAINT refusal CHECK message != 'bad'",
  });
  await consumeUntil(isReplayed);
  await given.store.writer.command({ query: "ALTER TABLE events DROP CONSTRAINT refusal" });
  expect(await stored()).toEqual(["good"]);
  expect([...(await readLetters(given.temp.log)).keys()]).toEqual([`${partition}/1/0`]);
});

test("a record that cannot be read stays a letter, and others go on", async () => {
  await append(Buffer.from("no Avro"));
  await consumeUntil(isConsumed);
  const letters = await readLetters(given.temp.log);
  await requestReplays(given.temp.log, [...letters.values()]);
  await append(eventsNamed("good"));
  await consumeUntil(isReplayed);
  expect(await readLetters(given.temp.log)).toEqual(letters);
  expect(await stored()).toEqual(["good"]);
});

test("while the log is full it waits, and is replayed when there is room", async () => {
  await refuseAndAsk();
  const { log } = given.temp;
  let refusals = 0;
  const full = appendingBy(log, async (records, receipts) => {
    if (records[0]?.stream === "events" && refusals++ === 0) throw new Error("full");
    await log.append(records, receipts);
  });
  await consumeUntil(isReplayed, full);
  expect(refusals).toBe(2);
  expect(await stored()).toEqual(["bad", "good"]);
});

test("a log that takes neither commits nor letters for a while delays its partition, and stops it not", async () => {
  await append(eventsNamed("before"));
  await append(Buffer.from("no Avro"));
  const { log } = given.temp;
  let failures = 0;
  const isFailing = () => failures < 4 && failures++ >= 0;
  const failing: Log = {
    ...appendingBy(log, async (records, receipts) => {
      if (isFailing()) throw new Error("no disk");
      await log.append(records, receipts);
    }),
    consume: (group, run) =>
      log.consume(group, (assignment) =>
        run({
          ...assignment,
          commit: async (position) => {
            if (isFailing()) throw new Error("no disk");
            await assignment.commit(position);
          },
        }),
      ),
  };
  await consumeUntil(isConsumed, failing);
  await append(eventsNamed("after"));
  await consumeUntil(isConsumed);
  expect(failures).toBe(4);
  expect(await stored()).toEqual(["after", "before"]);
  expect([...(await readLetters(log)).keys()]).toEqual([`${partition}/1/record`]);
});
