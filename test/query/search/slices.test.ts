// Slices cover every hour once, are aligned, and stay within their size.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Hour } from "../../../query/search/plan.ts";
import { formSlices, type Slice } from "../../../query/search/slices.ts";

const MIB = 1024 * 1024;
const even = { firstBytes: 128 * MIB, largestBytes: 128 * MIB };

function hourOf(hour: number, mebibytes = 1): Hour {
  return {
    hour,
    rows: 10,
    bytes: mebibytes * MIB,
    blocks: 1,
    oldest: BigInt(hour) * 3_600_000_000_000n,
    newest: BigInt(hour + 1) * 3_600_000_000_000n - 1n,
    signature: `s${hour}`,
    isSettled: true,
  };
}

/** Newest first. */
const hours = fc
  .uniqueArray(fc.tuple(fc.integer({ min: -50, max: 600 }), fc.integer({ min: 0, max: 80 })), {
    selector: ([hour]) => hour,
    maxLength: 80,
  })
  .map((pairs) => pairs.toSorted(([a], [b]) => b - a).map(([hour, size]) => hourOf(hour, size)));

const spans = (slices: readonly Slice[]) =>
  slices.map(({ firstHour, lastHour }) => [firstHour, lastHour]);

describe("slices", () => {
  test("hold every hour once, newest first, with all that it has", () => {
    fc.assert(
      fc.property(hours, fc.boolean(), fc.func(fc.boolean()), (given, isEven, isCounted) => {
        const slices = formSlices(given, {
          ...(isEven && even),
          isCounted: ({ hour }) => isCounted(hour),
        });
        const covered = given.map(({ hour }) =>
          slices.findIndex(({ firstHour, lastHour }) => firstHour <= hour && hour <= lastHour),
        );
        expect(covered).toEqual(covered.toSorted((a, b) => a - b));
        expect(covered).not.toContain(-1);
        slices.forEach((slice, index) => {
          const own = given.filter((_, at) => covered[at] === index);
          expect(slice.rows).toBe(own.length * 10);
          expect(slice.bytes).toBe(own.reduce((sum, { bytes }) => sum + bytes, 0));
          expect(slice.source).toBe(isCounted(slice.lastHour) ? "statistics" : "events");
          expect(own.every(({ hour }) => isCounted(hour) === isCounted(slice.lastHour))).toBe(true);
          expect(slice.firstHour).toBeGreaterThan(slices[index + 1]?.lastHour ?? -Infinity);
        });
      }),
    );
  });

  test("are within their size, or of one hour", () => {
    fc.assert(
      fc.property(hours, (given) => {
        for (const slice of formSlices(given, even)) {
          if (slice.firstHour !== slice.lastHour)
            expect(slice.bytes).toBeLessThanOrEqual(128 * MIB);
        }
      }),
    );
  });

  test("begin small and grow, for searches that may end early", () => {
    const given = Array.from({ length: 512 }, (_, index) => hourOf(511 - index));
    const sizes = formSlices(given, { firstBytes: 16 * MIB }).map(({ bytes }) => bytes / MIB);
    expect(sizes).toEqual([8, 24, 96, 96, 96, 96, 96]);
  });

  test("of a range that is shifted or cut are mostly the same", () => {
    const all = Array.from({ length: 300 }, (_, index) => hourOf(1000 - index, 8));
    const whole = spans(formSlices(all, even));
    const shifted = spans(formSlices(all.slice(5), even));
    const zoomed = spans(formSlices(all.slice(40, 200), even));
    const shared = (some: readonly number[][]) =>
      some.filter((span) => whole.some((other) => String(other) === String(span))).length;
    expect(shared(shifted)).toBeGreaterThan(shifted.length * 0.85);
    expect(shared(zoomed)).toBeGreaterThan(zoomed.length * 0.8);
  });
});
