// Runs one slice of a search in the store: by a statement that is exact, or by deciding candidates here.
import { setImmediate } from "node:timers/promises";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { CompiledSearch } from "../language/search.ts";
import { isInOneBin, type CellLayout } from "./cells.ts";
import { cutKey } from "./key31.ts";
import type { Slice } from "./slices.ts";
import { isCount, type Prefixes, type SearchRequest } from "./request.ts";
import {
  candidatesStatement,
  countsStatement,
  eventsStatement,
  keysStatement,
  statisticsStatement,
  type Statement,
} from "./statement.ts";
import { joinLabels, NewestEvents, RunningTally, type Finds, type FoundEvent } from "./tally.ts";

/** What one statement may send: results beyond it are refused rather than held in memory. */
const MAX_RESULT_BYTES = 256 * 1024 * 1024;

/** How long rows are looked at without a pause. */
const TURN_MS = 10;

export interface SliceJob {
  readonly store: StoreClient;
  readonly request: SearchRequest;
  readonly compiled: CompiledSearch;
  readonly prefixes: Prefixes;
  readonly slice: Slice;
  /** of counts */
  readonly layout: CellLayout;
  /** events still wanted */
  readonly limit: number;
  /** of the store, for this statement */
  readonly threads: number;
  readonly queryId: string;
  readonly signal: AbortSignal;
}

export interface SliceOutcome {
  readonly finds: Finds;
  /** bytes that the store read */
  readonly readBytes: number;
}

type Row = readonly string[];

/** @throws the store's error, or the signal's reason */
export function runSlice(job: SliceJob): Promise<SliceOutcome> {
  const { request, compiled } = job;
  if (job.slice.source === "statistics") return countByStatistics(job);
  if (!isDecidedByStore(request, compiled)) return decideCandidates(job);
  switch (request.type) {
    case "UNSORTED_RESULTS":
    case "BACKWARD_RESULTS":
      return findEvents(
        job,
        eventsStatement(request, compiled, job.prefixes, job.slice, job.limit),
        job.limit,
      );
    case "BACKWARD_RESULTS_ONE_PER_KEY31":
      // Keys that newer slices have found already may fill the list: only the whole limit is safe.
      return findEvents(
        job,
        keysStatement(request, compiled, job.prefixes, job.slice, request.limit),
        request.limit,
      );
    case "EXACT_COUNTS_BINNED":
    case "EXACT_XY_HISTOGRAM_BINNED":
      return count(job);
  }
}

/** Whether what the store finds is the answer, and not only holds it. */
export function isDecidedByStore({ type }: SearchRequest, compiled: CompiledSearch): boolean {
  const needsCapture =
    type === "EXACT_XY_HISTOGRAM_BINNED" || type === "BACKWARD_RESULTS_ONE_PER_KEY31";
  return compiled.isExact && (!needsCapture || compiled.captureIsExact);
}

async function findEvents(
  job: SliceJob,
  statement: Statement,
  limit: number,
): Promise<SliceOutcome> {
  const events: FoundEvent[] = [];
  const readBytes = await readEach(job, statement, wholeResult, (row) => {
    events.push(toEvent(row as Row));
  });
  return { finds: eventFinds(events, limit), readBytes };
}

function eventFinds(events: readonly FoundEvent[], limit: number): Finds {
  return { kind: "events", events, cutAt: events.length < limit ? undefined : limit };
}

async function count(job: SliceJob): Promise<SliceOutcome> {
  const { request, compiled, prefixes, slice, layout } = job;
  const statement = countsStatement(request, compiled, prefixes, slice, layout);
  type CountRow = [isCell: number, cell: number, ...labels: [...Prefixes], count: string];
  const tally = new RunningTally();
  const readBytes = await readEach(job, statement, wholeResult, (row) => {
    const [isCell, cell, p0, p1, p2, p3, found] = row as CountRow;
    if (isCell === 1) tally.addCell(cell, Number(found));
    else tally.addContext(joinLabels([p0, p1, p2, p3]), Number(found));
  });
  return { finds: { kind: "tally", tally: tally.finish() }, readBytes };
}

/** Of hours that are in one bin each, so that no event has to be read. */
async function countByStatistics(job: SliceJob): Promise<SliceOutcome> {
  const { request, prefixes, slice, layout } = job;
  const isOneCell = layout.name === "one";
  const statement = statisticsStatement(request, prefixes, slice, isOneCell);
  type StatisticsRow = [
    isCell: number,
    oldest: string,
    newest: string,
    ...labels: [...Prefixes],
    count: string,
  ];
  const tally = new RunningTally();
  let counted = 0;
  let isAsPlanned = true;
  await readEach(job, statement, wholeResult, (row) => {
    const [isCell, oldest, newest, p0, p1, p2, p3, found] = row as StatisticsRow;
    if (isCell !== 1) {
      tally.addContext(joinLabels([p0, p1, p2, p3]), Number(found));
      if (!isOneCell) return;
    }
    counted += Number(found);
    const [first, last] = [BigInt(oldest), BigInt(newest)];
    // Where all is one cell, a stream that came in since may be in one bin as well, and in another.
    isAsPlanned &&= isOneCell
      ? isInOneBin(request, earlier(first, slice.oldest), later(last, slice.newest))
      : isInOneBin(request, first, last);
    if (isAsPlanned) tally.addCell(layout.cellOf(first, {}), Number(found));
  });
  // Events that came in since the plan may lie in another bin, or beyond the range; and an insert
  // reaches the statistics of streams and those of hours, which the plan is made of, one after the other.
  if (!isAsPlanned || counted < slice.rows) return count(job);
  return { finds: { kind: "tally", tally: tally.finish() }, readBytes: 0 };
}

const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** For patterns that the store can only narrow down: each candidate is decided by the automaton. */
async function decideCandidates(job: SliceJob): Promise<SliceOutcome> {
  const { request, compiled } = job;
  const statement = candidatesStatement(request, compiled, job.prefixes, job.slice);
  const isForKeys = request.type === "BACKWARD_RESULTS_ONE_PER_KEY31";
  const limit = isForKeys ? request.limit : job.limit;
  const newest = new NewestEvents(limit, isForKeys);
  const tally = new RunningTally();
  const isTally = isCount(request);
  await readEach(job, statement, {}, (row) => {
    const event = toEvent(row as Row);
    const decided = decide(event, job);
    if (decided === undefined) return;
    if (isTally) tally.countOne(decided.cell, joinLabels(event.labels));
    else newest.add(decided.key === undefined ? event : { ...event, key: decided.key });
  });
  const finds: Finds = isTally
    ? { kind: "tally", tally: tally.finish() }
    : eventFinds(newest.newest(), limit);
  // How much was read is known to the store only at the end, after the headers.
  return { finds, readBytes: job.slice.bytes };
}

/** Whether an event belongs to the answer, and with which cell and key. */
function decide(
  { time, message }: FoundEvent,
  { request, compiled, layout }: SliceJob,
): { cell: number; key?: string } | undefined {
  const bytes = Buffer.from(message, "utf8");
  if (request.type === "EXACT_XY_HISTOGRAM_BINNED") {
    const captured = compiled.extract(bytes);
    if (captured === null) return undefined;
    const x = request.xSplits.length > 0 ? captured.x : 0;
    const y = request.ySplits.length > 0 ? captured.y : 0;
    if (typeof x !== "number" || typeof y !== "number") return undefined;
    return { cell: layout.cellOf(time, { x, y }) };
  }
  if (request.type === "BACKWARD_RESULTS_ONE_PER_KEY31") {
    const key = compiled.extract(bytes)?.key;
    return key === undefined || key === null
      ? undefined
      : { cell: 0, key: cutKey(Buffer.from(key)) };
  }
  if (!compiled.check(bytes)) return undefined;
  return { cell: request.type === "EXACT_COUNTS_BINNED" ? layout.cellOf(time, {}) : 0 };
}

/** Until the end is known nothing is sent, so a failure is a failure and not a cut answer. */
const wholeResult = {
  wait_end_of_query: 1,
  max_result_bytes: String(MAX_RESULT_BYTES),
  result_overflow_mode: "throw",
} as const;

/** @returns the bytes that the store says to have read, 0 when it says nothing */
async function readEach(
  job: SliceJob,
  statement: Statement,
  settings: Record<string, string | number>,
  onRow: (row: readonly unknown[]) => void,
): Promise<number> {
  const result = await ask(job, statement, settings);
  let turnBegan = performance.now();
  for await (const rows of result.stream<readonly unknown[]>()) {
    for (const row of rows) {
      onRow(row.json());
      if (performance.now() - turnBegan < TURN_MS) continue;
      // Deciding many events takes seconds, in which everybody else is served, and the search may be stopped.
      await setImmediate();
      job.signal.throwIfAborted();
      turnBegan = performance.now();
    }
  }
  return readBytesOf(result.response_headers);
}

function ask(
  job: SliceJob,
  { query, params }: Statement,
  settings: Record<string, string | number>,
) {
  return job.store.query({
    query,
    query_params: params,
    format: "JSONCompactEachRow",
    query_id: job.queryId,
    abort_signal: job.signal,
    clickhouse_settings: { ...settings, max_threads: job.threads },
  });
}

function toEvent(row: Row): FoundEvent {
  const [time, ingested, p0, p1, p2, p3, message, key] = row;
  if (
    time === undefined ||
    ingested === undefined ||
    p0 === undefined ||
    p1 === undefined ||
    p2 === undefined ||
    p3 === undefined ||
    message === undefined
  ) {
    throw new LogboomError("INTERNAL", `the store sent a row of ${row.length} columns`);
  }
  return {
    time: BigInt(time),
    ingested: BigInt(ingested),
    labels: [p0, p1, p2, p3],
    message,
    ...(key !== undefined && { key }),
  };
}

function readBytesOf(headers: Record<string, string | string[] | undefined>): number {
  const summary = headers["x-clickhouse-summary"];
  if (typeof summary !== "string") return 0;
  return Number((JSON.parse(summary) as { read_bytes?: string }).read_bytes ?? 0);
}
