// Which partition a stream belongs to; that the store computes the same is tested with the store.
import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketCount, partitionOf } from "../../schemas/partition.ts";

test("a partition is within the count, and depends on customer and prefix0 alone", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.integer({ min: 1, max: 64 }),
      (customer, prefix0, count) => {
        const partition = partitionOf(customer, prefix0, count);
        expect(Number.isInteger(partition)).toBe(true);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(count);
        expect(partitionOf(customer, prefix0, count)).toBe(partition);
      },
    ),
  );
});

test("with a multiple of the buckets as its count, a partition lies in one bucket", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.integer({ min: 1, max: 16 }),
      (customer, prefix0, times) => {
        const partition = partitionOf(customer, prefix0, bucketCount * times);
        expect(partition % bucketCount).toBe(partitionOf(customer, prefix0, bucketCount));
      },
    ),
  );
});

test("hosts spread over all partitions", () => {
  const used = new Set(
    Array.from({ length: 64 }, (_, host) => partitionOf("acme", `web-${host}`, bucketCount)),
  );
  expect(used.size).toBe(bucketCount);
});

test("customer and prefix0 do not run together", () => {
  const counts = 2 ** 32;
  expect(partitionOf("ab", "c", counts)).not.toBe(partitionOf("a", "bc", counts));
});
