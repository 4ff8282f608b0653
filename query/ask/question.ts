// What a vendor's request asks of the events, and what it is answered.
import type { QueryEvent } from "../language/event-reader.ts";
import type { Field } from "../language/field.ts";
import type { Predicate } from "../language/predicate.ts";
import { compilePredicateSearch, type PredicateSearch } from "../language/predicate-search.ts";
import { SqlParameters } from "../language/sql-fragment.ts";
import type { Prefixes } from "../search/request.ts";

/** Which events of a customer; times in ns since the epoch, end exclusive. */
export interface Question {
  readonly customer: string;
  /** What labels start with; undefined when the key and the request exclude each other. */
  readonly prefixes: Prefixes | undefined;
  readonly begin: bigint;
  readonly end: bigint;
  readonly search: PredicateSearch;
  /** Names of parameters that are still free beside those of the search. */
  readonly parameters: SqlParameters;
}

/**
 * Compiles a question once; it may be asked several times.
 * @param parameters of the other questions that share a statement with this one
 */
export function makeQuestion(
  {
    predicate,
    ...scope
  }: Pick<Question, "customer" | "prefixes" | "begin" | "end"> & { readonly predicate: Predicate },
  parameters = new SqlParameters(),
): Question {
  return { ...scope, parameters, search: compilePredicateSearch(predicate, { parameters }) };
}

export type Order = "newest" | "oldest";

/** Where an event stands in the order of all: by time, then arrival, then content. */
export interface Place {
  readonly time: bigint;
  readonly ingested: bigint;
  /** A hash of labels and message, for events of equal times. */
  readonly tie: bigint;
}

export interface FoundEvent extends Place, Omit<QueryEvent, "message"> {
  readonly message: string;
}

export interface Page {
  readonly order: Order;
  readonly limit: number;
  /** Only events that come later in the order than this one. */
  readonly after?: Place | undefined;
}

/** What a group is made of: a field, and whether each of its values is a group or only the first. */
export interface GroupKey {
  /** "names": the names of the event's fields themselves, `json.a.b` of its JSON, and its attributes'. */
  readonly field: Field | "names";
  readonly isMulti?: boolean;
  /** Whether events without the field are a group of their own. */
  readonly keepsMissing?: boolean;
}

/** A field whose values are measured; what costs more than counters only when it is asked for. */
export interface Measure {
  readonly field: Field;
  /** 0..1 */
  readonly quantiles?: readonly number[];
  readonly deviation?: boolean;
  readonly unique?: boolean;
}

export interface Grouping {
  /** Equal parts of the time asked for; absent: one. */
  readonly bins?: number;
  /** What the bins divide, in ns from the beginning, where the last bin reaches beyond the time asked for. */
  readonly span?: bigint;
  readonly keys?: readonly GroupKey[];
  readonly measures?: readonly Measure[];
}

/** Of the values of a field in a group. */
export interface Measured {
  /** Events that have the field. */
  readonly present: number;
  /** Events whose first value of the field is a number; the others say nothing of min, max and so on. */
  readonly numbers: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  /** Of the whole population; null when not asked for, or there are no numbers. */
  readonly deviation: number | null;
  /** Different values as texts; 0 when not asked for. */
  readonly unique: number;
  /** Interpolated between neighbours, in the order asked; null without numbers. */
  readonly quantiles: readonly (number | null)[];
}

export interface Group {
  readonly bin: number;
  /** Null for a missing field. */
  readonly keys: readonly (string | null)[];
  /** Events. */
  readonly count: number;
  /** Of their messages. */
  readonly bytes: number;
  readonly measures: readonly Measured[];
}

/** How far the asking has come. */
export interface Progress {
  readonly doneBlocks: number;
  readonly blocks: number;
}

export interface Asking {
  readonly signal: AbortSignal;
  /** Whether nobody waits for the answer itself, but asks again and again how far it has come. */
  readonly isPolled?: boolean;
  readonly onProgress?: (progress: Progress) => void;
  /** Told how long each statement took in the store, its waiting not included. */
  readonly onStatement?: (tookMs: number) => void;
}
