// The functions of time in power queries. Times are ns since 1970; what divides them is exact.
import type { PowerExpression } from "./power-expression.ts";
import type { PowerScope } from "./power-table.ts";
import { asNumber, bind, finite, type PowerSql } from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";

type Call = Extract<PowerExpression, { kind: "call" }>;

const secondNs = 1_000_000_000n;
const dayNs = 86_400n * secondNs;
const unitSeconds: Readonly<Record<string, bigint>> = {
  second: 1n,
  sec: 1n,
  s: 1n,
  minute: 60n,
  min: 60n,
  m: 60n,
  hour: 3_600n,
  hr: 3_600n,
  h: 3_600n,
  day: 86_400n,
  d: 86_400n,
  week: 604_800n,
  w: 604_800n,
};
/** 1970-01-05, a Monday. */
const mondayNs = 4n * dayNs;
const form = /^\s*(\d{1,6})?\s*([a-z]+?)s?\s*$/i;

type Bucket = { readonly stepNs: bigint } | { readonly calendar: "month" | "year" };

/** @throws LogboomError BAD_REQUEST when the text is no length of time */
function readBucket(text: string, offset: number): Bucket {
  const [, amount = "1", unit = ""] = /^\s*s\s*$/i.test(text)
    ? ["", "1", "s"]
    : (form.exec(text) ?? []);
  const word = unit.toLowerCase() || (/\ds\s*$/i.test(text) ? "s" : "");
  const seconds = Object.hasOwn(unitSeconds, word) ? unitSeconds[word] : undefined;
  if (seconds !== undefined && BigInt(amount) > 0n) {
    return { stepNs: BigInt(amount) * seconds * secondNs };
  }
  if (amount === "1" && (word === "month" || word === "mo")) return { calendar: "month" };
  if (amount === "1" && (word === "year" || word === "y")) return { calendar: "year" };
  throw queryError(
    offset,
    `no length of time: ${JSON.stringify(text.slice(0, 100))}`,
    'write "10 minutes", "1h", "day", "week", "month" or "year"',
  );
}

/** A length of time in ns, of fixed length. @throws LogboomError BAD_REQUEST when the text is none */
export function readLength(text: string, offset: number): bigint {
  const bucket = readBucket(text, offset);
  if ("stepNs" in bucket) return bucket.stepNs;
  throw queryError(offset, "months and years differ in length", 'write "days"');
}

/** Steps that people read easily, of which the shortest is taken that makes at most so many buckets. */
const readableSeconds = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];
const mostBuckets = 100n;
const mostParts = 500;

function bucketOfSpan({ begin, end }: PowerScope, parts = mostBuckets): Bucket {
  const steps = readableSeconds.map((seconds) => BigInt(seconds) * secondNs);
  const stepNs = steps.find((step) => (end - begin) / step <= parts) ?? 7n * dayNs;
  return { stepNs };
}

/**
 * `timebucket("1h")`, `timebucket(time, "1h")` or `timebucket()`: when the bucket began that a time is in; UTC, weeks
 * begin on Mondays.
 * @param time of the row, unless another is given; undefined when the row has none
 */
export function timeBucket(
  call: Call,
  time: SqlFragment | undefined,
  scope: PowerScope,
  compile: (expression: PowerExpression) => PowerSql,
): PowerSql {
  const { operands, offset } = call;
  const last = operands.at(-1);
  const given = operands.length === 2 ? operands[0] : undefined;
  if (operands.length > 2) {
    throw queryError(offset, "timebucket of something else", 'write timebucket("1 hour")');
  }
  const bucket = bucketOf(last, offset, scope);
  const at = given === undefined ? time : wholeOf(compile(given));
  if (at === undefined) {
    throw queryError(offset, "there is no timestamp here", 'write timebucket(column, "1 hour")');
  }
  const begun = bind([at], (t = raw("t")) =>
    "stepNs" in bucket ? stepOf(t, bucket.stepNs) : dateOf(t, bucket.calendar),
  );
  return { type: "number", fragment: finite(begun) };
}

function bucketOf(given: PowerExpression | undefined, offset: number, scope: PowerScope): Bucket {
  if (given === undefined || (given.kind === "text" && given.text === "auto"))
    return bucketOfSpan(scope);
  if (given.kind === "text") return readBucket(given.text, offset);
  if (given.kind === "number" && given.value >= 1 && given.value <= mostParts) {
    return bucketOfSpan(scope, BigInt(Math.floor(given.value)));
  }
  throw queryError(offset, "timebucket of something else", 'write timebucket("1 hour")');
}

function stepOf(time: SqlFragment, stepNs: bigint): SqlFragment {
  const origin = stepNs % (7n * dayNs) === 0n ? mondayNs : 0n;
  return sql`${time} - positiveModulo(${time} - ${raw(String(origin))}, ${raw(String(stepNs))})`;
}

function dateOf(time: SqlFragment, unit: "month" | "year"): SqlFragment {
  const date = sql`toDate32(fromUnixTimestamp64Nano(assumeNotNull(${time}), 'UTC'))`;
  const since = raw(unit === "month" ? "toDayOfMonth" : "toDayOfYear");
  const begun = sql`(toInt64(${date}) - ${since}(${date}) + 1) * ${raw(String(dayNs))}`;
  return sql`if(isNull(${time}), NULL, ${begun})`;
}

/** Nullable(Int64) of a number; NULL where it is out of range. */
function wholeOf(value: PowerSql): SqlFragment {
  return bind(
    [asNumber(value)],
    (n = raw("n")) => sql`if(abs(${n}) < 9.2e18, toInt64(${n}), NULL)`,
  );
}

/**
 * `querystart()`, `queryend()`, `queryspan()` in ns, or in the unit that they are given; undefined for other names.
 * @throws LogboomError BAD_REQUEST for a unit that is none
 */
export function queryTime(
  { name, operands, offset }: Call,
  { begin, end, parameters }: PowerScope,
): PowerSql | undefined {
  const values: Readonly<Record<string, bigint>> = {
    querystart: begin,
    queryend: end,
    queryspan: end - begin,
  };
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined || operands.length > 1) return undefined;
  const [unit] = operands;
  const unitNs =
    unit === undefined ? 1n : readLength(unit.kind === "text" ? unit.text : "", offset);
  const inUnit = Number(value) / Number(unitNs);
  return { type: "number", fragment: sql`toNullable(${parameters.float(inUnit)})` };
}
