// Who tries keys has to wait, and nobody else.
import { describe, expect, test } from "vitest";
import { Guesses } from "../../../ingest/keys/guesses.ts";
import type { LogboomError } from "../../../schemas/errors.ts";

function guesses(limits: { maxAddresses?: number; maxGoodKeys?: number } = {}) {
  let now = 1_000_000;
  const table = new Guesses({ ...limits, salt: Buffer.alloc(16), now: () => now });
  const refusal = (address: string, key: string): LogboomError | undefined => {
    try {
      table.admit(address, key);
      return undefined;
    } catch (error) {
      return error as LogboomError;
    }
  };
  return {
    table,
    refusal,
    isAdmitted: (address: string, key: string) => refusal(address, key) === undefined,
    wait: (ms: number) => void (now += ms),
    fail: (address: string, times = 1) => {
      for (let n = 0; n < times; n++) table.failed(address);
    },
  };
}

test("an address may fail a hundred times; then it waits a second for each key it tries", () => {
  const { isAdmitted, refusal, fail, wait } = guesses();
  fail("a", 99);
  expect(isAdmitted("a", "k")).toBe(true);
  fail("a");
  const error = refusal("a", "k");
  expect(error).toMatchObject({
    code: "RATE_LIMITED",
    retryAfterSeconds: 1,
    details: { reason: "too-many-failures" },
  });
  wait(999);
  expect(isAdmitted("a", "k")).toBe(false);
  wait(1);
  expect(isAdmitted("a", "k")).toBe(true);
  fail("a");
  expect(isAdmitted("a", "k")).toBe(false);
});

test("the wait grows with the failures, up to eight seconds", () => {
  const { refusal, fail } = guesses();
  const waits = [1, 2, 4, 8, 8].map(() => {
    fail("a", 100);
    return refusal("a", "k")?.retryAfterSeconds;
  });
  expect(waits).toEqual([1, 2, 4, 8, 8]);
});

test("however fast somebody tries, a key that asks once a second is tried within 64 seconds", () => {
  const { table, isAdmitted, fail, wait } = guesses();
  fail("a", 200);
  let tried = 0;
  for (const key of ["one", "two", "three"]) {
    let asked = 0;
    while (!isAdmitted("a", key)) {
      asked++;
      for (let n = 0; n < 100; n++) {
        if (!isAdmitted("a", `guess ${asked} ${n}`)) continue;
        tried++;
        table.failed("a");
      }
      // The attacker takes what is left of each second.
      fail("a");
      wait(1000);
    }
    expect(asked).toBeLessThan(64);
  }
  // Of 100 guesses a second, few were looked at.
  expect(tried).toBeLessThan(64 * 3 * 10);
});

test("after ten quiet minutes an address is as good as new", () => {
  const { isAdmitted, fail, wait } = guesses();
  fail("a", 500);
  wait(10 * 60_000);
  fail("a", 99);
  expect(isAdmitted("a", "k")).toBe(true);
});

test("a key that was good from there goes on being served, and only there", () => {
  const { table, isAdmitted, fail } = guesses();
  table.succeeded("a", "good");
  fail("a", 1000);
  fail("b", 1000);
  expect(isAdmitted("a", "good")).toBe(true);
  expect(isAdmitted("a", "other")).toBe(false);
  expect(isAdmitted("b", "good")).toBe(false);
  expect(isAdmitted("c", "other")).toBe(true);
});

test("a request whose key is not known yet is not read where no key was good and the wait is not over", () => {
  const { table, fail, wait } = guesses();
  const isRead = (address: string): boolean => {
    try {
      table.admitUnnamed(address);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: 1 });
      return false;
    }
  };
  expect([isRead("a"), table.isProven("a")]).toEqual([true, false]);
  fail("a", 100);
  expect([isRead("a"), isRead("b")]).toEqual([false, true]);
  wait(1000);
  expect(isRead("a")).toBe(true);
  fail("a");
  table.succeeded("a", "k");
  expect([isRead("a"), table.isProven("a"), table.isProven("b")]).toEqual([true, true, false]);
});

test("an address is proven as long as one of its keys is remembered", () => {
  const { table } = guesses({ maxGoodKeys: 2 });
  table.succeeded("a", "one");
  table.succeeded("a", "two");
  table.succeeded("a", "two");
  table.succeeded("b", "three");
  expect([table.isProven("a"), table.isProven("b")]).toEqual([true, true]);
  table.succeeded("b", "four");
  expect([table.isProven("a"), table.isProven("b")]).toEqual([false, true]);
});

describe("addresses", () => {
  test.each([
    ["::ffff:192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true],
    ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
    ["2001:db8::1", "2001:db8:0:0:5::1", true],
    ["::1", "0:0:0:0:0:0:0:2", true],
    ["fe80::1%eth0", "fe80::2%eth1", true],
  ])("%s and %s are of one source: %s", (one, other, isSame) => {
    const { isAdmitted, fail } = guesses();
    fail(one, 100);
    expect(isAdmitted(one, "k")).toBe(false);
    expect(isAdmitted(other, "k")).toBe(!isSame);
  });
});

test("the tables are bounded; the oldest entries go first", () => {
  const { table, isAdmitted, fail } = guesses({ maxAddresses: 10, maxGoodKeys: 10 });
  fail("first", 100);
  for (let n = 0; n < 9; n++) fail(`a${n}`);
  expect(isAdmitted("first", "k")).toBe(false);
  fail("one more");
  expect(isAdmitted("first", "k")).toBe(true);
  for (let n = 0; n < 1000; n++) {
    fail(`b${n}`);
    table.succeeded(`b${n}`, `k${n}`);
  }
  expect(table.size).toEqual({ addresses: 10, goodKeys: 10 });
});
