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

const HOUR_NS = 3_600_000_000_000n;
const MAX_SLICE_CELLS = 131_072n;
/** Each is a row that the store sends: more only where the request's bins need them. */
const WANTED_SLICE_CELLS = 8_192n;

/** Lengths of a cell: one of them divides the bins that people and programs ask for. */
const UNITS_NS = (
  "86400 43200 21600 10800 3600 1800 900 600 300 120 60 30 15 10 5 2 1 " +
  "0.5 0.25 0.125 0.1 0.05 0.025 0.01 0.005 0.002 0.001"
)
  .split(" ")
  .map((seconds) => BigInt(Number(seconds) * 1e9));

/**
 * The layouts that a slice's counts may have: first the one to count by, then those of counts that would do as
 * well. As far as it can be, they do not depend on the request's range and bins, so that a range that is
 * zoomed or shifted is answered from the same counts.
 */
export function layoutsOf(
  request: SearchRequest,
  slice: Slice,
): readonly [CellLayout, ...CellLayout[]] {
  const first = slice.oldest > request.begin ? slice.oldest : request.begin;
  const last = slice.newest < request.end ? slice.newest : request.end - 1n;
  const bin = binOf(request, first);
  if (bin === binOf(request, last)) return [layoutOfOneBin(request, bin)];
  const units = unitsOf(request, slice);
  const [unit, ...others] = units.map((each) => layoutOfUnit(request, slice, each));
  return unit === undefined ? [layoutOfRequest(request)] : [unit, ...others];
}

function layoutOfOneBin(request: SearchRequest, bin: number): CellLayout {
  const buckets = cellCount(request) / request.timeBins;
  return {
    name: "one",
    cellOf: (_, captured) => inBucket(request, 0, captured),
    sql: (x, y) => inBucketSql(request, "0", x, y),
    toRequested: (cell) => bin * buckets + cell,
  };
}

function layoutOfRequest(request: SearchRequest): CellLayout {
  const { begin, end, timeBins } = request;
  return {
    name: `bins/${begin}/${end}/${timeBins}`,
    cellOf: (time, captured) => cellOf(request, time, captured),
    sql: (x, y) => cellSql(request, x, y),
    toRequested: (cell) => cell,
  };
}

function layoutOfUnit(request: SearchRequest, slice: Slice, unit: bigint): CellLayout {
  const buckets = cellCount(request) / request.timeBins;
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

/** The units that divide the bins; first the one to count by: if it can be, one that divides their halves, too. */
function unitsOf(request: SearchRequest, slice: Slice): readonly bigint[] {
  const { begin, end, timeBins } = request;
  const range = end - begin;
  const bins = BigInt(timeBins);
  if (begin < 0n || range % bins !== 0n) return [];
  const bin = range / bins;
  const span = BigInt(slice.lastHour - slice.firstHour + 1) * HOUR_NS;
  const buckets = BigInt(cellCount(request)) / bins;
  const cellsOf = (unit: bigint): bigint => (span / unit + 2n) * buckets;
  const grain = greatestDivisor(bin, begin);
  const units = [...new Set([grain, ...UNITS_NS])].filter(
    (unit) => grain % unit === 0n && cellsOf(unit) <= MAX_SLICE_CELLS,
  );
  const wanted =
    units.find((unit) => (bin / unit) % 2n === 0n && cellsOf(unit) <= WANTED_SLICE_CELLS) ??
    units.find((unit) => unit !== grain);
  return wanted === undefined ? units : [wanted, ...units.filter((unit) => unit !== wanted)];
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestDivisor(b, a % b);
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
