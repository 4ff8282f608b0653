// The functions of Scalyr's numeric and timeseries queries.
import type { Field } from "./field.ts";
import { toNumber } from "./numeric-text.ts";
import {
  accept,
  expect,
  found,
  openQuery,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { scalyrField } from "./scalyr-filter.ts";

export type ScalyrFunction =
  /** Events, or events a second. */
  | { readonly kind: "count" | "rate" }
  | { readonly kind: "mean" | "min" | "max" | "sumPerSecond"; readonly field: Field }
  /** 0..100 */
  | { readonly kind: "percentile"; readonly percent: number; readonly field: Field };

/** Percentiles by the names that they have in all of Scalyr's languages. */
export const percents: Readonly<Record<string, number>> = {
  median: 50,
  p10: 10,
  p50: 50,
  p90: 90,
  p95: 95,
  p99: 99,
  p999: 99.9,
};
const named = /(mean|avg|min|max|sumPerSecond|median|p10|p50|p90|p95|p99|p999|p)\s*\(/y;
const name = /(?:\$?[\p{L}_])(?:[\p{L}\p{N}_.@/-]|\\[^])*/uy;

/**
 * Parses a function: empty is `rate`, a field alone its mean.
 * @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text
 */
export function parseScalyrFunction(text: string): ScalyrFunction {
  const cursor = openQuery(text);
  const trimmed = text.trim();
  if (trimmed === "" || trimmed === "rate" || trimmed === "rate()") return { kind: "rate" };
  if (trimmed === "count" || trimmed === "count()") return { kind: "count" };
  skipBlanks(cursor);
  const kind = take(cursor, named)?.[1];
  const field = readField(cursor);
  const parsed =
    kind === undefined ? ({ kind: "mean", field } as const) : finish(cursor, kind, field);
  skipBlanks(cursor);
  if (cursor.at === text.length) return parsed;
  throw queryError(
    cursor.at,
    `unexpected ${found(cursor)}`,
    "write rate, count, mean(field) or p95(field)",
  );
}

function finish(cursor: QueryCursor, kind: string, field: Field): ScalyrFunction {
  if (kind === "p") {
    expect(cursor, ",");
    skipBlanks(cursor);
    const begin = cursor.at;
    const percent = toNumber(take(cursor, /[0-9.]+/y)?.[0] ?? "");
    if (percent === undefined || percent > 100) {
      throw queryError(begin, "no percentile", "write a number of 0 to 100");
    }
    expect(cursor, ")");
    return { kind: "percentile", percent, field };
  }
  expect(cursor, ")");
  const percent = percents[kind];
  if (percent !== undefined) return { kind: "percentile", percent, field };
  if (kind === "min" || kind === "max" || kind === "sumPerSecond") return { kind, field };
  return { kind: "mean", field };
}

function readField(cursor: QueryCursor): Field {
  skipBlanks(cursor);
  const isQuoted = accept(cursor, "'");
  const text = take(cursor, name)?.[0];
  if (text === undefined) {
    throw queryError(cursor.at, `expected a field but found ${found(cursor)}`, "write its name");
  }
  if (isQuoted) expect(cursor, "'");
  return scalyrField(text.replaceAll(/\\([^])/g, "$1"));
}
