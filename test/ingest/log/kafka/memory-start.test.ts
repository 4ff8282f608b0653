// A minute before a record, whatever its age: with records of random times, and with the ages that matter.
import fc from "fast-check";
import { expect, test } from "vitest";
import { findMemoryStart } from "../../../../ingest/log/kafka/memory-start.ts";

const MINUTE_MS = 60_000;
const NOW = Date.UTC(2026, 10, 21);

/** Of records that were appended at these times, in order. */
const startOf = (times: readonly number[], offset: number): Promise<number> =>
  findMemoryStart(offset, NOW, async (time) => {
    const found = times.findIndex((one) => one >= time);
    return found < 0 ? times.length : found;
  });

const ages = fc.array(fc.integer({ min: 0, max: 30 * 24 * 60 * MINUTE_MS }), { maxLength: 60 });

test("nothing of the minute before a record is left out", async () => {
  await fc.assert(
    fc.asyncProperty(ages, fc.nat(60), async (given, at) => {
      const times = given.toSorted((a, b) => b - a).map((age) => NOW - age);
      const offset = Math.min(at, times.length);
      const start = await startOf(times, offset);
      const position = times[offset] ?? NOW;
      const needed = times.findIndex((time) => time >= position - MINUTE_MS);
      expect(start).toBeLessThanOrEqual(Math.min(offset, needed < 0 ? offset : needed));
    }),
    { numRuns: 2000 },
  );
});

test.for([
  ["a moment", 1],
  ["two minutes", 120],
  ["a week", 7 * 24 * 3600],
])("what has waited for %s is not read from the log's beginning", async ([, seconds]) => {
  const hour = 3600;
  const age = Number(seconds);
  // A record a second, from an hour more than twice the age on.
  const count = Math.min(2 * age + hour, 700_000);
  const times = Array.from({ length: count }, (_, index) => NOW - (count - index) * 1000);
  const offset = Math.max(0, count - age);
  const start = await startOf(times, offset);
  expect(offset - start).toBeGreaterThanOrEqual(Math.min(60, offset));
  expect(offset - start).toBeLessThanOrEqual(150 + age / 3);
});
