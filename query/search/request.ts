// A search as its form says it, validated; the same search always has the same hash.
import { createHash } from "node:crypto";
import { LogboomError } from "../../schemas/errors.ts";
import { parseTimestamp, timestampForms } from "../../schemas/time.ts";

export const searchTypes = [
  "UNSORTED_RESULTS",
  "BACKWARD_RESULTS",
  "EXACT_COUNTS_BINNED",
  "EXACT_XY_HISTOGRAM_BINNED",
  "BACKWARD_RESULTS_ONE_PER_KEY31",
] as const;
export type SearchType = (typeof searchTypes)[number];

/** Whether the answer is numbers, and not events. */
export function isCount({ type }: { readonly type: SearchType }): boolean {
  return type === "EXACT_COUNTS_BINNED" || type === "EXACT_XY_HISTOGRAM_BINNED";
}

export type Prefixes = readonly [string, string, string, string];

/** A validated search; times in ns since the epoch, end exclusive. */
export interface SearchRequest {
  readonly customer: string;
  readonly prefixes: Prefixes;
  readonly type: SearchType;
  readonly limit: number;
  readonly begin: bigint;
  readonly end: bigint;
  readonly timeBins: number;
  readonly regex: string;
  readonly xSplits: readonly number[];
  readonly ySplits: readonly number[];
  /** 64 upper-case hex digits over the canonical parameters */
  readonly fullHash: string;
}

const MAX_LIMIT = 10_000;
const MAX_TIME_BINS = 4_096;
const MAX_SPLITS = 1_024;
const MAX_CELLS = 4_194_304;
const MAX_REGEX_CHARACTERS = 100_000;
const MAX_WAIT_MS = 10_000;

const defaults = {
  beginTime: "1970-01-01 01:00:00",
  endTime: "2254-07-22 01:34:33",
} as const;

/** @throws LogboomError BAD_REQUEST naming the parameter, its value and what is allowed. */
export function readSearchRequest(form: URLSearchParams): SearchRequest {
  const text = (name: string, fallback?: string): string => {
    const [value, second] = form.getAll(name);
    if (second !== undefined) throw refuse(name, second, "one value, not several");
    if (value !== undefined) return value;
    if (fallback === undefined) throw refuse(name, undefined, "a value: it is required");
    return fallback;
  };
  const whole = (name: string, fallback: number, maximum: number): number => {
    const value = text(name, String(fallback));
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= 1 && number <= maximum)) throw refuse(name, value, `1 to ${maximum}`);
    return number;
  };
  const time = (name: keyof typeof defaults): bigint => {
    const value = text(name, defaults[name]);
    const parsed = parseTimestamp(value);
    if (parsed === undefined) throw refuse(name, value, timestampForms);
    return parsed;
  };

  const customer = text("customer");
  if (customer === "") throw refuse("customer", customer, "the id of a customer: it is required");
  const type = text("type", "UNSORTED_RESULTS");
  if (!isSearchType(type)) throw refuse("type", type, searchTypes.join(", "));
  const regex = text("regex");
  if (regex.length > MAX_REGEX_CHARACTERS) {
    throw refuse("regex", `${regex.length} characters`, `at most ${MAX_REGEX_CHARACTERS}`);
  }
  const parameters = {
    customer,
    prefixes: [
      text("prefix0", ""),
      text("prefix1", ""),
      text("prefix2", ""),
      text("prefix3", ""),
    ] as const,
    type,
    limit: whole("limit", 100, MAX_LIMIT),
    begin: time("beginTime"),
    end: time("endTime"),
    timeBins: whole("timeBins", 1, MAX_TIME_BINS),
    regex,
    xSplits: readSplits("xSplits", text("xSplits", "")),
    ySplits: readSplits("ySplits", text("ySplits", "")),
  };
  const cells = cellCount(parameters);
  if (type === "EXACT_XY_HISTOGRAM_BINNED" && cells > MAX_CELLS) {
    throw refuse("timeBins, xSplits, ySplits", `${cells} cells`, `at most ${MAX_CELLS} cells`);
  }
  return { ...parameters, fullHash: hashOf(parameters) };
}

/** What is asked of one poll and does not belong to the search, so does not enter its hash. */
export interface PollOptions {
  /** How long to wait for what was acknowledged before the poll. */
  readonly waitMs: number;
  /** Whether only the plan is wanted. */
  readonly isDryRun: boolean;
}

/** @throws LogboomError BAD_REQUEST naming the parameter, its value and what is allowed. */
export function readPollOptions(form: URLSearchParams): PollOptions {
  const wait = form.get("wait") ?? "0";
  const waitMs = /^\d{1,9}$/.test(wait) ? Number(wait) : Number.NaN;
  if (!(waitMs <= MAX_WAIT_MS)) throw refuse("wait", wait, `0 to ${MAX_WAIT_MS} ms`);
  const dryRun = form.get("dryRun") ?? "false";
  if (dryRun !== "true" && dryRun !== "false") throw refuse("dryRun", dryRun, "true or false");
  return { waitMs, isDryRun: dryRun === "true" };
}

/** Cells of the counts of a search: time bins times buckets. */
export function cellCount(
  request: Pick<SearchRequest, "type" | "timeBins" | "xSplits" | "ySplits">,
): number {
  if (request.type !== "EXACT_XY_HISTOGRAM_BINNED") return request.timeBins;
  return request.timeBins * (request.xSplits.length + 1) * (request.ySplits.length + 1);
}

export function isSearchType(type: string): type is SearchType {
  return (searchTypes as readonly string[]).includes(type);
}

function readSplits(name: string, text: string): number[] {
  if (text.trim() === "") return [];
  const splits = text.split(",").map((part) => {
    const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(part)
      ? Number(part)
      : Number.NaN;
    if (!Number.isFinite(value)) throw refuse(name, part, "numbers separated by commas");
    return value;
  });
  if (splits.length > MAX_SPLITS)
    throw refuse(name, `${splits.length} numbers`, `at most ${MAX_SPLITS}`);
  splits.forEach((split, index) => {
    const former = splits[index - 1];
    if (former !== undefined && split <= former) {
      throw refuse(name, `${split} after ${former}`, "strictly ascending numbers");
    }
  });
  return splits;
}

function hashOf(parameters: Omit<SearchRequest, "fullHash">): string {
  const { prefixes, begin, end, ...rest } = parameters;
  const canonical = {
    ...rest,
    prefix0: prefixes[0],
    prefix1: prefixes[1],
    prefix2: prefixes[2],
    prefix3: prefixes[3],
    beginTime: String(begin),
    endTime: String(end),
  };
  const sorted = Object.entries(canonical).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").toUpperCase();
}

function refuse(field: string, value: string | undefined, expected: string): LogboomError {
  const shown = value === undefined ? "nothing" : JSON.stringify(value.slice(0, 100));
  return new LogboomError(
    "BAD_REQUEST",
    `unexpected ${shown} in "${field}"; expected ${expected}`,
    {
      details: { field, value: shown },
    },
  );
}
