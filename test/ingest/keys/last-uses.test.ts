// When a key was last used: to the minute, in few writes, and known after a restart.
import { afterEach, beforeEach, expect, test } from "vitest";
import { LastUses } from "../../../ingest/keys/last-uses.ts";
import { TokenStore, type TokenRequest } from "../../../ingest/tokens.ts";
import { openTempLog, type TempLog } from "../log/log-fixture.ts";

const minute = 60_000;
const writer: TokenRequest = { kind: "write", customer: "acme", prefixes: ["", "", "", ""] };

let temp: TempLog;
let now: number;
let uses: LastUses;

beforeEach(async () => {
  temp = await openTempLog();
  now = 1_000_000_000;
  uses = new LastUses(temp.log, { now: () => now, flushMs: 1e9 });
});

afterEach(async () => {
  await uses.close();
  await temp[Symbol.asyncDispose]();
});

/** All records of uses ever written that the stream still gives, by their offsets. */
async function written(): Promise<[key: string | undefined, offset: number][]> {
  const found: [string | undefined, number][] = [];
  await (
    await temp.log.follow("accounts", ({ key, offset }) => void found.push([key, offset]))
  ).close();
  return found;
}

test("a thousand uses of two keys within a minute are one write of two records", async () => {
  for (let n = 0; n < 500; n++) {
    uses.note("a");
    uses.note("b");
    now += 100;
    await uses.flush();
  }
  expect(await written()).toEqual([
    ["last-use/a", 0],
    ["last-use/b", 1],
  ]);
  now += 10_000;
  uses.note("a");
  await uses.flush();
  expect(await written()).toEqual([
    ["last-use/b", 1],
    ["last-use/a", 2],
  ]);
});

test("a key that is not used is not written", async () => {
  await uses.flush();
  expect(await written()).toEqual([]);
  expect(uses.lastUse("a")).toBeUndefined();
});

test("a store knows it after a restart, and another store by following", async () => {
  const store = await TokenStore.open(temp.log, { now: () => now });
  const { record, secret } = await store.create(writer);
  expect(store.lastUse(record.id)).toBeUndefined();
  store.authenticate(secret, "write");
  expect(store.lastUse(record.id)).toBe(now);
  const usedAt = now;
  now += minute / 2;
  store.authenticate(secret, "write");
  await store.close();
  await temp.reopen();
  const next = await TokenStore.open(temp.log);
  expect(next.lastUse(record.id)).toBe(usedAt + minute / 2);
  expect(next.list()).toHaveLength(1);
  await next.close();
});

test("a refused request is no use of a key", async () => {
  const store = await TokenStore.open(temp.log);
  const { record, secret } = await store.create(writer);
  expect(() => store.authenticate(secret, "read")).toThrow("not good for this");
  expect(store.lastUse(record.id)).toBeUndefined();
  await store.close();
});

test("a use that the log does not take now is kept for later", async () => {
  uses.note("a");
  await temp.log.close();
  await uses.flush();
  expect(uses.lastUse("a")).toBe(now);
});
