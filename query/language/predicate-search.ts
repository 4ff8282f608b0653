// Searches by a predicate, compiled: what ClickHouse is asked, and what is left to decide.
import type { QueryEvent } from "./event-reader.ts";
import { compileHolds } from "./holds.ts";
import type { Predicate } from "./predicate.ts";
import { compilePredicate } from "./sql.ts";
import { raw, SqlParameters, type SqlFragment } from "./sql-fragment.ts";

export interface PredicateSearch {
  readonly predicate: Predicate;
  /**
   * Passes every event that the predicate holds for; undefined = all pass. Conditions joined by AND,
   * on the columns prefix0..3, attributes, time and the message's.
   */
  readonly where: SqlFragment | undefined;
  /** Whether `where` passes no others; if not, ask `check` of what it passes. */
  readonly isExact: boolean;
  readonly matchesEverything: boolean;
  /** Whether the predicate holds for an event. Linear in its length. */
  check(this: void, event: QueryEvent): boolean;
}

export interface PredicateSearchOptions {
  /** Where the fragments' parameters get their names, when they are to stand in one query with others. */
  readonly parameters?: SqlParameters;
  /** The column that holds the message. */
  readonly messageColumn?: string;
  /** Whether the server has multiMatchAny. */
  readonly hasVectorscan?: boolean;
  /**
   * All values of prefix0..3 in what is searched. Tests of labels are then decided here, so that a
   * term that may also stand in a label leaves a condition that the message's index knows.
   */
  readonly labels?: readonly (readonly string[])[];
}

/** Compiles a predicate. `check` keeps what it learns, up to about 50 MB, so a search compiles once. */
export function compilePredicateSearch(
  predicate: Predicate,
  options: PredicateSearchOptions = {},
): PredicateSearch {
  const { parameters = new SqlParameters(), messageColumn = "message" } = options;
  const target = {
    parameters,
    message: raw(messageColumn),
    hasVectorscan: options.hasVectorscan ?? true,
    labels: options.labels,
  };
  const { where, isExact } = compilePredicate(predicate, target);
  let check: ((event: QueryEvent) => boolean) | undefined;
  return {
    predicate,
    where,
    isExact,
    matchesEverything: isExact && where === undefined,
    check(event) {
      check ??= compileHolds(predicate);
      return check(event);
    },
  };
}
