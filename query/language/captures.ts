// SQL expressions for what a search captures.
import { isNumeric, numberSql } from "./captured-number.ts";
import { toCaptureRegex, type CaptureRegex } from "./capture-regex.ts";
import type { Capture, CaptureName, Pattern } from "./pattern.ts";
import { raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

/** x and y: Nullable(Float64); key: Nullable(String), the full text. NULL = it took no part. */
export type CaptureSql = Readonly<Partial<Record<CaptureName, SqlFragment>>>;

/**
 * The captures of messages that match the pattern.
 * @returns undefined when ClickHouse cannot be shown to find them exactly
 */
export function compileCaptures(
  pattern: Pattern,
  message: SqlFragment,
  parameters: SqlParameters,
): CaptureSql | undefined {
  if (!pattern.hasCapture) return {};
  if (pattern.kind === "set") {
    // The message matches every operand, and captures in one owe nothing to the others.
    const parts = pattern.all.map((item) => compileCaptures(item, message, parameters));
    if (!parts.every((part) => part !== undefined)) return undefined;
    return Object.assign({}, ...parts) as CaptureSql;
  }
  const isUnion = pattern.kind === "union";
  const holders = isUnion ? pattern.items.filter(({ hasCapture }) => hasCapture) : [pattern];
  const [holder] = holders;
  if (holder === undefined || holders.length > 1 || holder.hasSet) return undefined;
  const regex = toCaptureRegex(holder);
  return regex && compileGroups(regex, isUnion, message, parameters);
}

/**
 * Whether a capture that is not NULL is one of a message that matches: then whoever asks for captures need not ask
 * for the match as well, which would run the expression twice.
 */
export function capturesDecide(pattern: Pattern): boolean {
  if (!pattern.hasCapture || pattern.kind === "set" || pattern.kind === "union") return false;
  return !mayCaptureNothing(pattern);
}

function mayCaptureNothing(pattern: Pattern): boolean {
  if (pattern.kind === "capture") return pattern.name === "key" && mayBeEmpty(pattern.item);
  return pattern.kind === "concat" && pattern.items.some(mayCaptureNothing);
}

/** @param isOptional the message may match the pattern without the part that holds the captures */
function compileGroups(
  { text, captures }: CaptureRegex,
  isOptional: boolean,
  message: SqlFragment,
  parameters: SqlParameters,
): CaptureSql | undefined {
  const regex = parameters.string(text);
  const compiled: Partial<Record<CaptureName, SqlFragment>> = {};
  for (const [index, capture] of captures.entries()) {
    // One extract is several times cheaper than extractGroups, which ClickHouse runs once for all
    // expressions that have it.
    const captured =
      captures.length === 1
        ? sql`extract(${message}, ${regex})`
        : sql`extractGroups(${message}, ${regex})[${raw(String(index + 1))}]`;
    if (capture.name !== "key") {
      compiled[capture.name] = numberSql(captured, isNumeric(capture.item));
    } else {
      const key = keySql(capture, captured, isOptional);
      if (key === undefined) return undefined;
      compiled.key = key;
    }
  }
  return compiled;
}

/** '' is an empty key, one that took no part, or of another message: only one may be possible. */
function keySql(
  { item }: Capture,
  captured: SqlFragment,
  isOptional: boolean,
): SqlFragment | undefined {
  if (!mayBeEmpty(item)) return sql`nullIf(${captured}, '')`;
  return isOptional ? undefined : sql`toNullable(${captured})`;
}

function mayBeEmpty(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case "bytes":
    case "characters":
      return false;
    case "concat":
      return pattern.items.every(mayBeEmpty);
    case "union":
      return pattern.items.some(mayBeEmpty);
    case "repeat":
      return pattern.min === 0 || mayBeEmpty(pattern.item);
    default:
      return true;
  }
}
