// A repeat is recognised by its key: while the first is under way, after it, and after a restart.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Receipt } from "../../ingest/log/log.ts";
import type { IdempotencyKey, Outcome } from "../../ingest/protocols/door.ts";
import { Repeats } from "../../ingest/repeats.ts";
import { eventRecord, openTempLog, readAllText, type TempLog } from "./log/log-fixture.ts";

let now: number;
let temp: TempLog;
let repeats: Repeats;

beforeEach(async () => {
  now = Date.now();
  temp = await openTempLog({ now: () => now });
  repeats = new Repeats(temp.log);
});

afterEach(async () => {
  await temp[Symbol.asyncDispose]();
});

const bound: IdempotencyKey = { value: "key", windowMs: 60_000, bindsBody: true };
const outcome: Outcome = { accepted: 2, invalidUtf8: 1, isDuplicate: false };

interface Request {
  readonly body?: string;
  readonly key?: IdempotencyKey | undefined;
  readonly door?: string;
  readonly tokenId?: string;
  readonly query?: string;
}

/** Sends a request whose events are its body, as the edge does: events and receipt in one append. */
function send(given: Request = {}, gate?: Promise<unknown>): Promise<Outcome> {
  const { body = "events", door = "native", tokenId = "token", query = "" } = given;
  const key = "key" in given ? given.key : bound;
  return repeats.once(
    { door, tokenId, key, query, body: Buffer.from(body) },
    async (makeReceipt) => {
      await gate;
      const receipt: Receipt | undefined = makeReceipt(outcome);
      await temp.log.append([eventRecord(0, body)], receipt === undefined ? [] : [receipt]);
      return outcome;
    },
  );
}

const duplicate = { ...outcome, isDuplicate: true };

test("a repeat stores nothing and has the first one's outcome", async () => {
  expect(await send()).toEqual(outcome);
  expect(await send()).toEqual(duplicate);
  expect(await readAllText(temp.log)).toEqual(["events"]);
});

test("a repeat after a restart stores nothing", async () => {
  await send();
  repeats = new Repeats(await temp.reopen());
  expect(await send()).toEqual(duplicate);
  expect(await readAllText(temp.log)).toEqual(["events"]);
});

test("of requests under one key at once one is stored, and the others wait for it", async () => {
  const gate = Promise.withResolvers<undefined>();
  const sent = Array.from({ length: 10 }, () => send({}, gate.promise));
  let answered = 0;
  for (const one of sent) void one.then(() => answered++);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toBe(0);
  gate.resolve(undefined);
  const outcomes = await Promise.all(sent);
  expect(outcomes.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1);
  expect(await readAllText(temp.log)).toEqual(["events"]);
});

test("when the first one fails, one of those that waited is stored", async () => {
  const gate = Promise.withResolvers<undefined>();
  const first = send({}, gate.promise);
  const others = [send(), send(), send()];
  gate.reject(new Error("the disk is gone"));
  await expect(first).rejects.toThrow("the disk is gone");
  const outcomes = await Promise.all(others);
  expect(outcomes.map(({ isDuplicate }) => isDuplicate).toSorted()).toEqual([false, true, true]);
  expect(await readAllText(temp.log)).toEqual(["events"]);
});

test("a request that failed may be sent again under its key, also with another body", async () => {
  await expect(send({}, Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await send({ body: "other" })).toEqual(outcome);
});

describe("another body under a key that binds it", () => {
  const mismatch = expect.objectContaining({
    code: "IDEMPOTENCY_MISMATCH",
    details: { field: "Idempotency-Key", value: "key" },
  }) as Error;

  test("is refused, and stored nowhere", async () => {
    await send();
    await expect(send({ body: "other" })).rejects.toThrow(mismatch);
    expect(await readAllText(temp.log)).toEqual(["events"]);
    expect(await send()).toEqual(duplicate);
  });

  test("is refused, as is another query string, in which labels stand", async () => {
    await send({ query: "prefix0=web" });
    const other = send({ query: "prefix0=db" });
    await expect(other).rejects.toThrow(/used for a request with another body or query string$/);
    await expect(other).rejects.toThrow(mismatch);
  });

  test("is refused also while the first is under way", async () => {
    const gate = Promise.withResolvers<undefined>();
    const first = send({}, gate.promise);
    const other = send({ body: "other" });
    gate.resolve(undefined);
    expect(await first).toEqual(outcome);
    await expect(other).rejects.toThrow(mismatch);
  });

  test("is refused also after a restart", async () => {
    await send();
    repeats = new Repeats(await temp.reopen());
    await expect(send({ body: "other" })).rejects.toThrow(mismatch);
  });
});

test("another body under a key that does not bind it is the same request", async () => {
  const key = { ...bound, bindsBody: false };
  await send({ key });
  expect(await send({ key, body: "other" })).toEqual(duplicate);
  expect(await readAllText(temp.log)).toEqual(["events"]);
});

test.each([
  ["another key", { key: { ...bound, value: "other" } }],
  ["another token", { tokenId: "other" }],
  ["another door", { door: "scalyr-upload-logs" }],
  ["no key", { key: undefined }],
])("the same body under %s is another request", async (_, other) => {
  await send();
  expect(await send(other)).toEqual(outcome);
  expect(await readAllText(temp.log)).toHaveLength(2);
});

test("a key is forgotten after its window, not before", async () => {
  await send();
  now += 59_000;
  expect(await send()).toEqual(duplicate);
  now += 2000;
  expect(await send({ body: "other" })).toEqual(outcome);
});

test("names do not run together: a token's id and a key have no common border", async () => {
  await send({ tokenId: "a", key: { ...bound, value: "bc" } });
  expect(await send({ tokenId: "ab", key: { ...bound, value: "c" } })).toEqual(outcome);
});
