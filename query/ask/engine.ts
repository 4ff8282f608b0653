// Asks the store the vendors' questions, slice by slice within the pool of statements, and joins the answers.
import { randomUUID } from "node:crypto";
import type { StoreClient } from "../../consumers/store/client.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { SqlFragment } from "../language/sql-fragment.ts";
import { storeAway } from "../search/attempts.ts";
import { planSearch } from "../search/plan.ts";
import { LARGEST_DECIDED_BYTES, type Slice, type SliceOptions } from "../search/slices.ts";
import type { StatementPool } from "../search/statement-pool.ts";
import { askStore, MAX_RESULT_BYTES, tookTooLong } from "./ask-store.ts";
import { within } from "../search/deadline.ts";
import { Fold, MAX_GROUPS } from "./fold.ts";
import type { Asking, FoundEvent, Group, Grouping, Page, Question } from "./question.ts";
import {
  candidatesStatement,
  eventsOf,
  eventsStatement,
  groupsStatement,
  readGroup,
  type Hours,
} from "./statement.ts";

/** What sorting may hold before it goes on on disk. */
const MAX_SORT_BYTES = 128 * 1024 * 1024;

/** How long the store may say nothing. */
export interface EngineWaits {
  /** Before a question is refused that somebody waits for; planning takes the store some ms. */
  readonly planMs: number;
  /** For the turn of a statement, and then for its end; longer than the store itself lets one run. */
  readonly statementMs: number;
}
const defaultWaits: EngineWaits = { planMs: 15_000, statementMs: 130_000 };

interface EngineOptions {
  readonly store: StoreClient;
  readonly pool: StatementPool;
  readonly waits?: EngineWaits;
}

type Row = readonly unknown[];

/** A statement's turn in the pool. */
interface Turn {
  readonly signal: AbortSignal;
  readonly threads: number;
}

/**
 * All methods throw LogboomError: TOO_LARGE for an answer beyond the bounds, UNAVAILABLE when the store does not
 * answer (in time), or the signal's reason.
 */
export class Engine {
  readonly #store: StoreClient;
  readonly #pool: StatementPool;
  readonly #waits: EngineWaits;

  constructor({ store, pool, waits = defaultWaits }: EngineOptions) {
    this.#store = store;
    this.#pool = pool;
    this.#waits = waits;
  }

  /** The first events of a page in its order, at most as many as its limit. */
  async find(question: Question, page: Page, asking: Asking): Promise<FoundEvent[]> {
    const narrowed = narrow(question, page);
    const { slices, blocks } = await this.#plan(narrowed, asking);
    // Slices are planned newest first.
    const ordered = page.order === "newest" ? slices : slices.toReversed();
    const stop = new AbortController();
    const signal = AbortSignal.any([asking.signal, stop.signal]);
    const running = { ...asking, signal };
    const name = randomUUID();
    const found: FoundEvent[] = [];
    const waiting: Promise<FoundEvent[]>[] = [];
    let doneBlocks = 0;
    try {
      for (const [index, slice] of ordered.entries()) {
        // Most pages are full with the first slice.
        const ahead = index === 0 ? 1 : this.#pool.width;
        while (waiting.length < ordered.length && waiting.length < index + ahead) {
          const next = ordered[waiting.length] as Slice;
          const task = this.#run(question, name, next.bytes, running, (turn) =>
            this.#findIn(narrowed, next, page, turn),
          );
          // Whoever awaits it gets the failure; nobody awaits what is not needed any more.
          task.catch(() => undefined);
          waiting.push(task);
        }
        const events = (await waiting[index]) ?? [];
        for (const event of events) {
          if (found.length < page.limit) found.push(event);
        }
        doneBlocks += slice.blocks;
        asking.onProgress?.({ doneBlocks, blocks });
        if (found.length >= page.limit) break;
      }
    } finally {
      stop.abort(new Error("enough events were found"));
    }
    return found;
  }

  /** Every group with an event in it, in no order; without keys and bins none or one. */
  async group(question: Question, grouping: Grouping, asking: Asking): Promise<Group[]> {
    const { slices, blocks } = await this.#plan(
      question,
      asking,
      question.search.isExact ? { largestBytes: LARGEST_DECIDED_BYTES } : {},
    );
    const fold = new Fold(grouping);
    // Some figures of parts do not make the figure of the whole: those are of one statement.
    const isWhole = question.search.isExact && grouping.measures?.some(needsAll) === true;
    const parts = isWhole && slices.length > 1 ? [join(slices)] : slices;
    const name = randomUUID();
    const stop = new AbortController();
    const signal = AbortSignal.any([asking.signal, stop.signal]);
    const running = { ...asking, signal };
    let doneBlocks = 0;
    let next = 0;
    const work = async (): Promise<void> => {
      for (let slice = parts[next++]; slice !== undefined; slice = parts[next++]) {
        const part = slice;
        await this.#run(question, name, part.bytes, running, (turn) =>
          question.search.isExact
            ? this.#groupIn(question, part, grouping, fold, turn)
            : this.#decideIn(question, part, grouping, fold, turn),
        );
        doneBlocks += part.blocks;
        asking.onProgress?.({ doneBlocks, blocks });
      }
    };
    try {
      await Promise.all(Array.from({ length: this.#pool.width }, work));
    } finally {
      // Where one part fails, the others are for nothing.
      stop.abort(new Error("a part of the answer failed"));
    }
    return fold.groups();
  }

  /** Events, and bytes of their messages. */
  async count(question: Question, asking: Asking): Promise<{ count: number; bytes: number }> {
    const [all] = await this.group(question, {}, asking);
    return { count: all?.count ?? 0, bytes: all?.bytes ?? 0 };
  }

  /**
   * The rows of one statement over the events of several questions, which have customer, labels, time and the names of
   * parameters in common.
   * @param compile makes it out of the events of each, as `events PREWHERE …`
   * @throws LogboomError BAD_REQUEST also where a question is more than one statement can decide
   */
  async table(
    questions: readonly [Question, ...Question[]],
    compile: (events: readonly SqlFragment[]) => SqlFragment,
    asking: Asking,
  ): Promise<Row[]> {
    const [first] = questions;
    if (questions.some(({ search }) => !search.isExact)) {
      throw new LogboomError(
        "BAD_REQUEST",
        "a filter is too large for a table; write a smaller one",
      );
    }
    const { slices, blocks } = await this.#plan(first, asking);
    const hours = slices.length === 0 ? undefined : join(slices);
    const statement = compile(questions.map((question) => eventsOf(question, hours)));
    const bytes = (hours?.bytes ?? 0) * questions.length;
    // On one thread equal rows keep their order, and sums of fractions their last digit.
    const rows = await this.#run(first, randomUUID(), bytes, asking, ({ signal }) =>
      this.#readAll(statement, { signal, threads: 1 }),
    );
    asking.onProgress?.({ doneBlocks: blocks, blocks });
    return rows;
  }

  async #plan(
    { customer, begin, end, prefixes }: Question,
    { signal, onProgress, isPolled }: Asking,
    options: SliceOptions = {},
  ): Promise<{ slices: readonly Slice[]; blocks: number }> {
    const request = { customer, begin, end };
    const { planMs, statementMs } = this.#waits;
    // Who polls is told of the progress meanwhile, and the store may come back.
    const { slices } = await within(isPolled === true ? statementMs : planMs, signal, {
      task: (stopped) =>
        askStore(stopped, () => planSearch(this.#store, request, prefixes, stopped, options)),
      orElse: () => storeAway(undefined),
    });
    const blocks = slices.reduce((sum, slice) => sum + slice.blocks, 0);
    onProgress?.({ doneBlocks: 0, blocks });
    return { slices, blocks };
  }

  #run<Result>(
    { customer }: Question,
    name: string,
    bytes: number,
    { signal, onStatement }: Asking,
    task: (turn: Turn) => Promise<Result>,
  ): Promise<Result> {
    const { statementMs } = this.#waits;
    return askStore(signal, async () => {
      const turn = Promise.withResolvers<void>();
      const isLate = new AbortController();
      const result = this.#pool.run(customer, name, bytes, async (threads) => {
        signal.throwIfAborted();
        isLate.signal.throwIfAborted();
        turn.resolve();
        const startedAt = performance.now();
        try {
          return await within(statementMs, signal, {
            task: (stopped) => task({ signal: stopped, threads }),
            orElse: tookTooLong,
          });
        } finally {
          onStatement?.(performance.now() - startedAt);
        }
      });
      try {
        const begun = () => Promise.race([turn.promise, result]);
        await within(statementMs, signal, { task: begun, orElse: tookTooLong });
      } catch (error) {
        // It stays in the queue, and does nothing when its turn comes.
        isLate.abort(error);
        result.catch(() => undefined);
        throw error;
      }
      return result;
    });
  }

  async #findIn(question: Question, hours: Hours, page: Page, turn: Turn): Promise<FoundEvent[]> {
    const statement = eventsStatement(question, hours, page);
    const { isExact, check } = question.search;
    if (isExact) return (await this.#readAll(statement, turn)).map(toEvent);
    const found: FoundEvent[] = [];
    await this.#readEach(statement, turn, (row) => {
      const event = toEvent(row);
      if (check({ ...event, message: Buffer.from(event.message) })) found.push(event);
      return found.length < page.limit;
    });
    return found;
  }

  async #groupIn(
    question: Question,
    hours: Hours,
    grouping: Grouping,
    fold: Fold,
    turn: Turn,
  ): Promise<void> {
    const rows = await this.#readAll(groupsStatement(question, hours, grouping), turn);
    for (const row of rows) fold.addGroup(readGroup(row, grouping));
  }

  /** For what the store can only narrow down: each candidate is decided here. */
  async #decideIn(
    question: Question,
    hours: Hours,
    grouping: Grouping,
    fold: Fold,
    turn: Turn,
  ): Promise<void> {
    const keys = grouping.keys ?? [];
    const measures = grouping.measures ?? [];
    const { check } = question.search;
    // A slice that fails is read again: only a whole one counts.
    const part = new Fold(grouping);
    await this.#readEach(candidatesStatement(question, hours, grouping), turn, (row) => {
      const event = toEvent(row);
      const message = Buffer.from(event.message);
      if (!check({ ...event, message })) return true;
      const bin = Number(row[9]);
      const values = keys.map(({ keepsMissing }, index) => {
        const texts = row[10 + index] as string[];
        return texts.length === 0 && keepsMissing === true ? [null] : texts;
      });
      const measured = measures.map((_, index) => {
        const at = 10 + keys.length + 2 * index;
        return { text: row[at] as string | null, number: row[at + 1] as number | null };
      });
      for (const combination of combine(values)) {
        part.addEvent(bin, combination, message.length, measured);
      }
      return true;
    });
    fold.absorb(part);
  }

  async #readAll(statement: SqlFragment, turn: Turn): Promise<Row[]> {
    const result = await this.#ask(statement, turn, {
      // Until the end is known nothing is sent, so a failure is a failure and not a cut answer.
      wait_end_of_query: 1,
      max_result_bytes: String(MAX_RESULT_BYTES),
      result_overflow_mode: "throw",
    });
    return result.json<Row>();
  }

  /** @param onRow says whether it wants more */
  async #readEach(statement: SqlFragment, turn: Turn, onRow: (row: Row) => boolean): Promise<void> {
    const result = await this.#ask(statement, turn, {});
    try {
      for await (const rows of result.stream<Row>()) {
        for (const row of rows) {
          if (!onRow(row.json())) return;
        }
      }
    } finally {
      // Closing the connection ends the statement in the store.
      result.close();
    }
  }

  #ask(
    { text, params }: SqlFragment,
    { signal, threads }: Turn,
    settings: Record<string, string | number>,
  ) {
    return this.#store.query({
      query: text,
      query_params: params,
      format: "JSONCompactEachRow",
      abort_signal: signal,
      // An address has no room for a table that is looked up; a form has.
      use_multipart_params_auto: true,
      clickhouse_settings: {
        ...settings,
        max_threads: threads,
        max_rows_to_group_by: String(MAX_GROUPS),
        group_by_overflow_mode: "throw",
        max_bytes_before_external_sort: String(MAX_SORT_BYTES),
        // A message that names a field twice has the field.
        type_json_skip_duplicated_paths: 1,
      },
    });
  }
}

/** The time that is left behind the place where the page begins. */
function narrow(question: Question, { order, after }: Page): Question {
  if (after === undefined) return question;
  return order === "newest"
    ? { ...question, end: after.time + 1n < question.end ? after.time + 1n : question.end }
    : { ...question, begin: after.time > question.begin ? after.time : question.begin };
}

function needsAll({
  quantiles = [],
  deviation,
  unique,
}: NonNullable<Grouping["measures"]>[number]) {
  return quantiles.length > 0 || deviation === true || unique === true;
}

function join(
  slices: readonly Slice[],
): Hours & { readonly blocks: number; readonly bytes: number } {
  return {
    firstHour: Math.min(...slices.map(({ firstHour }) => firstHour)),
    lastHour: Math.max(...slices.map(({ lastHour }) => lastHour)),
    blocks: slices.reduce((sum, { blocks }) => sum + blocks, 0),
    bytes: slices.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** One of each list, in all ways. */
function combine<Value>(lists: readonly (readonly Value[])[]): Value[][] {
  return lists.reduce<Value[][]>(
    (all, list) => all.flatMap((begun) => list.map((value) => [...begun, value])),
    [[]],
  );
}

function toEvent(row: Row): FoundEvent {
  const [time, ingested, tie, p0, p1, p2, p3, message, attributes] = row as readonly string[];
  return {
    time: BigInt(time ?? ""),
    ingested: BigInt(ingested ?? ""),
    tie: BigInt(tie ?? ""),
    prefixes: [p0 ?? "", p1 ?? "", p2 ?? "", p3 ?? ""],
    message: message ?? "",
    attributes: attributes as unknown as Record<string, string>,
  };
}
