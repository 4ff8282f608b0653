// Which cell of the counts an event falls into: the same arithmetic in SQL and here.
import { cellCount, type SearchRequest } from "./request.ts";

/** The numbers that were captured; undefined on an axis without splits. */
export interface CapturedNumbers {
  readonly x?: number | undefined;
  readonly y?: number | undefined;
}

/** The cell `(t * X + ix) * Y + iy` of an event. */
export function cellOf(request: SearchRequest, time: bigint, { x, y }: CapturedNumbers): number {
  const bin = Number(
    ((time - request.begin) * BigInt(request.timeBins)) / (request.end - request.begin),
  );
  if (request.type !== "EXACT_XY_HISTOGRAM_BINNED") return bin;
  const ix = bucketOf(request.xSplits, x);
  const iy = bucketOf(request.ySplits, y);
  return (bin * (request.xSplits.length + 1) + ix) * (request.ySplits.length + 1) + iy;
}

/** The SQL of the cell, from a column `time` and expressions for the captured numbers. */
export function cellSql(request: SearchRequest, x: string, y: string): string {
  if (cellCount(request) === 1) return "0";
  const bin = binSql(request);
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
