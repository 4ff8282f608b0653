// Which cell of the counts an event falls into: the same arithmetic in SQL and here.
import { cellCount, type SearchRequest } from "./request.ts";
import type { Slice } from "./slices.ts";

/** The numbers that were captured; undefined on an axis without splits. */
export interface CapturedNumbers {
  readonly x?: number | undefined;
  readonly y?: number | undefined;
}

/** The cell `(t * X + ix) * Y + iy` of an event. */
export function cellOf(request: SearchRequest, time: bigint, captured: CapturedNumbers): number {
  return inBucket(request, binOf(request, time), captured);
}

/** The SQL of the cell, from a column `time` and expressions for the captured numbers. */
export function cellSql(request: SearchRequest, x: string, y: string): string {
  return cellCount(request) === 1 ? "0" : inBucketSql(request, binSql(request), x, y);
}

/** What the cells of a slice's counts mean, and how they become cells of the request's. */
export interface CellLayout {
  /** Layouts of this name, of one slice, have the same cells. */
  readonly name: string;
  readonly cellOf: (time: bigint, captured: CapturedNumbers) => number;
  /** From a column `time` and expressions for the captured numbers. */
  readonly sql: (x: string, y: string) => string;
  readonly toRequested: (cell: number) => number;
}

/** Finer than most bins that people zoom to; a slice of some hours has some thousands of them. */
const LONGEST_UNIT_NS = 10_000_000_000n;
const MAX_SLICE_CELLS = 131_072n;
const HOUR_NS = 3_600_000_000_000n;

/**
 * The layout of a slice's counts: as far as it can be, one that does not depend on the request's range and
 * bins, so that other ranges and bins can be answered from the same counts.
 */
export function layoutOf(request: SearchRequest, slice: Slice): CellLayout {
  const first = slice.oldest > request.begin ? slice.oldest : request.begin;
  const last = slice.newest < request.end ? slice.newest : request.end - 1n;
  const buckets = cellCount(request) / request.timeBins;
  const bin = binOf(request, first);
  if (bin === binOf(request, last)) {
    return {
      name: "one",
      cellOf: (_, captured) => inBucket(request, 0, captured),
      sql: (x, y) => inBucketSql(request, "0", x, y),
      toRequested: (cell) => bin * buckets + cell,
    };
  }
  const unit = unitOf(request, slice, BigInt(buckets));
  if (unit === undefined) {
    const { begin, end, timeBins } = request;
    return {
      name: `bins/${begin}/${end}/${timeBins}`,
      cellOf: (time, captured) => cellOf(request, time, captured),
      sql: (x, y) => cellSql(request, x, y),
      toRequested: (cell) => cell,
    };
  }
  const base = (BigInt(slice.firstHour) * HOUR_NS) / unit;
  const gridSql = `toUInt32(intDiv(toUnixTimestamp64Nano(time), ${unit}) - ${base})`;
  return {
    name: `grid/${unit}`,
    cellOf: (time, captured) => inBucket(request, Number(time / unit - base), captured),
    sql: (x, y) => inBucketSql(request, gridSql, x, y),
    toRequested: (cell) => {
      const time = (BigInt(Math.floor(cell / buckets)) + base) * unit;
      return binOf(request, time) * buckets + (cell % buckets);
    },
  };
}

/**
 * A length that divides the bins, where these are multiples of a length since the epoch: halved until it is
 * short, it is the same for bins of twice and half the length. Undefined when there is none.
 */
function unitOf(
  { begin, end, timeBins }: SearchRequest,
  slice: Slice,
  buckets: bigint,
): bigint | undefined {
  const range = end - begin;
  const bins = BigInt(timeBins);
  if (range % bins !== 0n) return undefined;
  const bin = range / bins;
  if (begin < 0n || begin % bin !== 0n) return undefined;
  const span = BigInt(slice.lastHour - slice.firstHour + 1) * HOUR_NS;
  const cellsOf = (unit: bigint): bigint => (span / unit + 2n) * buckets;
  let unit = bin;
  while (unit > LONGEST_UNIT_NS && unit % 2n === 0n && cellsOf(unit / 2n) <= MAX_SLICE_CELLS) {
    unit /= 2n;
  }
  return cellsOf(unit) <= MAX_SLICE_CELLS ? unit : undefined;
}

/** Whether all between two times, both inclusive, is in the range and in one bin of it. */
export function isInOneBin(request: SearchRequest, oldest: bigint, newest: bigint): boolean {
  return (
    oldest >= request.begin &&
    newest < request.end &&
    binOf(request, oldest) === binOf(request, newest)
  );
}

function binOf({ begin, end, timeBins }: SearchRequest, time: bigint): number {
  return Number(((time - begin) * BigInt(timeBins)) / (end - begin));
}

function inBucket(request: SearchRequest, bin: number, { x, y }: CapturedNumbers): number {
  if (request.type !== "EXACT_XY_HISTOGRAM_BINNED") return bin;
  const ix = bucketOf(request.xSplits, x);
  const iy = bucketOf(request.ySplits, y);
  return (bin * (request.xSplits.length + 1) + ix) * (request.ySplits.length + 1) + iy;
}

function inBucketSql(request: SearchRequest, bin: string, x: string, y: string): string {
  if (request.type !== "EXACT_XY_HISTOGRAM_BINNED") return bin;
  const ix = bucketSql(request.xSplits, x);
  const iy = bucketSql(request.ySplits, y);
  return `((${bin}) * ${request.xSplits.length + 1} + ${ix}) * ${request.ySplits.length + 1} + ${iy}`;
}

/** The number of thresholds that are not above the value. */
function bucketOf(splits: readonly number[], value: number | undefined): number {
  if (value === undefined) return 0;
  const next = splits.findIndex((split) => split > value);
  return next < 0 ? splits.length : next;
}

function binSql({ timeBins, begin, end }: SearchRequest): string {
  if (timeBins === 1) return "0";
  // The product of a range of centuries and the bins does not fit 64 bits.
  const isNarrow = (end - begin) * BigInt(timeBins) < 2n ** 63n && begin >= 0n && end < 2n ** 63n;
  const wide = (value: bigint) => (isNarrow ? `${value}` : `toInt128('${value}')`);
  const nanoseconds = "toUnixTimestamp64Nano(time)";
  const since = `(${isNarrow ? nanoseconds : `toInt128(${nanoseconds})`} - ${wide(begin)})`;
  return `toUInt32(intDiv(${since} * ${timeBins}, ${wide(end - begin)}))`;
}

/** Few comparisons are vectorised better than a search in an array. */
const MAX_COMPARISONS = 32;

function bucketSql(splits: readonly number[], value: string): string {
  if (splits.length === 0) return "0";
  if (splits.length > MAX_COMPARISONS) {
    return `arrayCount(split -> split <= ${value}, [${splits.map(floatSql).join()}])`;
  }
  return `(${splits.map((split) => `(${value} >= ${floatSql(split)})`).join(" + ")})`;
}

/** A validated number as a literal that is a Float64 for the store, too. */
function floatSql(split: number): string {
  return `toFloat64('${split}')`;
}
