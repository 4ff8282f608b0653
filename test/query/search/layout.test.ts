// Cells of a slice's counts become the request's cells, whatever layout the slice has.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellOf, layoutsOf } from "../../../query/search/cells.ts";
import { readSearchRequest, type SearchRequest } from "../../../query/search/request.ts";
import { formatTimestamp } from "../../../schemas/time.ts";
import { sliceOf } from "./slice-fixture.ts";

const HOUR_NS = 3_600_000_000_000n;

function requestOf(begin: bigint, end: bigint, timeBins: number, splits = ""): SearchRequest {
  return readSearchRequest(
    new URLSearchParams({
      customer: "acme",
      regex: ".*(?<y>(?int)).*",
      type: splits === "" ? "EXACT_COUNTS_BINNED" : "EXACT_XY_HISTOGRAM_BINNED",
      beginTime: formatTimestamp(begin),
      endTime: formatTimestamp(end),
      timeBins: String(timeBins),
      ySplits: splits,
    }),
  );
}

/** Ranges that are aligned in the ways of people and programs, and some that are not at all. */
const range = fc.oneof(
  fc
    .tuple(
      fc.bigInt(1n, 40_000n),
      fc.constantFrom(1n, 60n, 900n, 1350n, 3600n, 86_400n),
      fc.integer({ min: 1, max: 300 }),
    )
    .map(([index, seconds, bins]) => {
      const bin = seconds * 1_000_000_000n;
      return { begin: index * bin, end: index * bin + bin * BigInt(bins), bins };
    }),
  fc
    .tuple(
      fc.bigInt(0n, 1_000n * HOUR_NS),
      fc.bigInt(1n, 100n * HOUR_NS),
      fc.integer({ min: 1, max: 300 }),
    )
    .map(([begin, length, bins]) => ({ begin, end: begin + length, bins })),
);

describe("a layout", () => {
  test("leads every event to the cell that the definition says", () => {
    fc.assert(
      fc.property(
        range,
        fc.constantFrom("", "1,2,5", "-1.5"),
        fc.nat({ max: 30 }),
        fc.array(
          fc.tuple(
            fc.double({ min: 0, max: 0.999999, noNaN: true }),
            fc.integer({ min: -3, max: 9 }),
          ),
          {
            minLength: 1,
            maxLength: 20,
          },
        ),
        ({ begin, end, bins }, splits, hours, events) => {
          const request = requestOf(begin, end, bins, splits);
          const firstHour = Number(begin / HOUR_NS);
          const slice = sliceOf({ firstHour, lastHour: firstHour + hours });
          const last = slice.newest < end - 1n ? slice.newest : end - 1n;
          for (const layout of layoutsOf(request, slice)) {
            for (const [share, y] of events) {
              const time = begin + (BigInt(Math.floor(share * 1e6)) * (last - begin)) / 1_000_000n;
              const cell = layout.cellOf(time, { y });
              expect(layout.toRequested(cell)).toBe(cellOf(request, time, { y }));
            }
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("does not depend on range and bins where a slice is within one bin", () => {
    const slice = sliceOf({ firstHour: 100, lastHour: 107 });
    const one = layoutsOf(requestOf(0n, 1000n * HOUR_NS, 1), slice)[0];
    const other = layoutsOf(requestOf(96n * HOUR_NS, 144n * HOUR_NS, 4), slice)[0];
    expect(one.name).toBe(other.name);
  });

  test.each([
    ["half as long", requestOf(96n * HOUR_NS, 108n * HOUR_NS, 64)],
    ["a third as long", requestOf(96n * HOUR_NS, 120n * HOUR_NS, 192)],
    ["twice as long", requestOf(48n * HOUR_NS, 96n * HOUR_NS, 64)],
    ["of a range an hour later", requestOf(97n * HOUR_NS, 121n * HOUR_NS, 64)],
  ])("serves bins %s", (_, other) => {
    const slice = sliceOf({ firstHour: 96, lastHour: 99 });
    const [counted] = layoutsOf(requestOf(96n * HOUR_NS, 120n * HOUR_NS, 64), slice);
    expect(counted.name).toMatch(/^grid/);
    expect(layoutsOf(other, slice).map(({ name }) => name)).toContain(counted.name);
  });
});
