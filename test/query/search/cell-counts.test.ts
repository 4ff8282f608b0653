// Counts of cells: what was added is there, packed as well as in JSON, whatever was shown before.
import fc from "fast-check";
import { expect, test } from "vitest";
import { CellCounts } from "../../../query/search/cell-counts.ts";

/** Around the ends of pages and of chunks, and anywhere. */
const cell = fc.oneof(
  fc.nat(50_000),
  fc.tuple(fc.constantFrom(0, 1_024, 16_384, 32_768), fc.nat(2)).map(([base, more]) => base + more),
  fc.constantFrom(1_023, 16_383, 32_767),
);

test("the JSON has a number for each cell after every addition", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.tuple(cell, fc.integer({ min: 1, max: 9 })), { maxLength: 4 }), {
        maxLength: 4,
      }),
      fc.oneof(
        fc.constantFrom(1, 1_024, 16_384, 16_385, 50_003),
        fc.integer({ min: 1, max: 50_003 }),
      ),
      (additions, size) => {
        const counts = new CellCounts();
        const expected = Array.from({ length: size }, () => 0);
        for (const addition of [[], ...additions]) {
          for (const [at, count] of addition) {
            counts.add(at % size, count);
            expected[at % size] = (expected[at % size] ?? 0) + count;
          }
          const json = Buffer.concat(counts.render(size)).toString();
          expect(json === expected.join()).toBe(true);
        }
        const held = [...expected.entries()].filter(([, count]) => count > 0);
        expect([...counts.pack()]).toEqual(held);
        expect(counts.pack().sizeBytes).toBe(12 * held.length);
      },
    ),
    { numRuns: 60 },
  );
});

test("what is held grows with the cells that hold something, not with those asked for", () => {
  const counts = new CellCounts();
  counts.render(4_194_304);
  expect(counts.heldBytes).toBe(0);
  counts.add(4_000_000, 1);
  counts.render(4_194_304);
  expect(counts.heldBytes).toBeLessThan(64 * 1024);
});
