// Searches in the logging24 dialect, compiled: what ClickHouse is asked, and what is left to decide.
import { readNumber } from "./captured-number.ts";
import { captureNamesOf } from "./capture-regex.ts";
import { capturesDecide, compileCaptures, type CaptureSql } from "./captures.ts";
import { findSpans } from "./extraction.ts";
import { requiredLiterals, type Clause } from "./literals.ts";
import { parseLogging24 } from "./logging24.ts";
import { Matcher } from "./matcher.ts";
import type { CaptureName, Pattern } from "./pattern.ts";
import { toPredicate, type Predicate } from "./predicate.ts";
import { compilePredicate } from "./sql.ts";
import { joinTerms } from "./sql-conjunction.ts";
import { raw, SqlParameters, type SqlFragment } from "./sql-fragment.ts";
import { compileLiterals } from "./sql-match.ts";

/** What an event's captures are; a name is present if the pattern has it, null = it took no part. */
export interface Captures {
  readonly x?: number | null;
  readonly y?: number | null;
  /** A view of the event's bytes, of any length. */
  readonly key?: Uint8Array | null;
}

export interface CompiledSearch {
  readonly pattern: Pattern;
  readonly predicate: Predicate;
  /** Passes every event that matches; undefined = all pass. Conditions joined by AND. */
  readonly where: SqlFragment | undefined;
  /** Whether `where` passes no others; if not, ask `check` of what it passes. */
  readonly isExact: boolean;
  /** Whether a whole event, as its UTF-8 bytes, matches. Linear in its length. */
  check(this: void, event: Uint8Array): boolean;
  /** The captures that the pattern has, in the order in which they are written. */
  readonly captureNames: readonly CaptureName[];
  /** Of events that match. Empty when `captureIsExact` is not true. */
  readonly captures: CaptureSql;
  /**
   * As `where`, for who takes only events that have a capture: where `captures` of other events are NULL it asks no more
   * than what is cheaper than they are.
   */
  readonly captureWhere: SqlFragment | undefined;
  /** Whether `captures` has every capture; if not, ask `extract` of the events. */
  readonly captureIsExact: boolean;
  /** The captures of an event, null if it does not match. Linear in its length. */
  extract(this: void, event: Uint8Array): Captures | null;
  /** Each event that matches holds at least one text of each of these. */
  readonly requiredLiterals: readonly Clause[];
  readonly matchesEverything: boolean;
}

export interface CompileOptions {
  /** Where the fragments' parameters get their names, when they are to stand in one query with others. */
  readonly parameters?: SqlParameters;
  /** The column that holds the message. */
  readonly messageColumn?: string;
  /** Whether the server has multiMatchAny. */
  readonly hasVectorscan?: boolean;
}

/**
 * Compiles a pattern of the dialect. `check` and `extract` keep what they learn of the pattern, up
 * to about 50 MB, so a search compiles once; they throw LogboomError BAD_REGEX on an event that is
 * too costly for a pattern near the limits.
 * @throws LogboomError BAD_REGEX with `details.offset` in UTF-16 code units of the pattern
 */
export function compileSearch(text: string, options: CompileOptions = {}): CompiledSearch {
  const { parameters = new SqlParameters(), messageColumn = "message" } = options;
  const message = raw(messageColumn);
  const pattern = parseLogging24(text);
  const predicate = toPredicate(pattern);
  const hasVectorscan = options.hasVectorscan ?? true;
  const target = { parameters, message, hasVectorscan };
  const { where, isExact } = compilePredicate(predicate, target);
  const captures = compileCaptures(pattern, message, parameters);
  const isDecided = captures !== undefined && capturesDecide(pattern);
  const literals = isDecided ? compileLiterals(pattern, message, target) : undefined;
  const captureNames = captureNamesOf(pattern);
  const matcher = new Matcher(pattern);
  return {
    pattern,
    predicate,
    where,
    isExact,
    check: (event) => matcher.check(event),
    captureNames,
    captures: captures ?? {},
    captureWhere: literals !== undefined && literals.terms.length > 0 ? joinTerms(literals) : where,
    captureIsExact: captures !== undefined,
    extract: (event) => extract(matcher, captureNames, event),
    requiredLiterals: requiredLiterals(pattern),
    matchesEverything: isExact && where === undefined,
  };
}

function extract(
  matcher: Matcher,
  names: readonly CaptureName[],
  event: Uint8Array,
): Captures | null {
  const spans = findSpans(matcher, names, event);
  if (spans === undefined) return null;
  const found: { x?: number | null; y?: number | null; key?: Uint8Array | null } = {};
  for (const [name, span] of spans) {
    const text = span && event.subarray(span.begin, span.end);
    if (name === "key") found.key = text;
    else found[name] = text && readNumber(Buffer.from(text).toString("latin1"));
  }
  return found;
}
