// What a search has found so far, across its slices, in the shape of the search API's reply.
import { LogboomError } from "../../schemas/errors.ts";
import type { CellLayout } from "./cells.ts";
import { cellCount, type Prefixes, type SearchRequest } from "./request.ts";
import { firstByKey, RunningTally, splitLabels, type Finds, type FoundEvent } from "./tally.ts";
import { joinLabels } from "./tally.ts";

/** Messages that one search may hold. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;

export interface AnswerContext {
  readonly customer: string;
  readonly prefix0: string;
  readonly prefix1: string;
  readonly prefix2: string;
  readonly prefix3: string;
  /** only of the two count types */
  readonly count?: number;
}

/** The reply's parts that hold results. */
export interface AnswerBody {
  readonly events: readonly {
    readonly time: string;
    readonly context: number;
    readonly message: string;
    readonly key?: string;
  }[];
  readonly contexts: readonly AnswerContext[];
  readonly counts: readonly number[];
}

/** Collects the finds of slices; says when the answer is certain. */
export class Answer {
  readonly #request: SearchRequest;
  readonly #tally = new RunningTally();
  /** Finds of slices that newer ones, still unknown, keep from being shown. */
  readonly #early = new Map<number, readonly FoundEvent[]>();
  #events: FoundEvent[] = [];
  #nextSlice = 0;
  #heldBytes = 0;

  constructor(request: SearchRequest) {
    this.#request = request;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Events that are still wanted beside those that are certain. */
  get wanted(): number {
    return this.#request.limit - this.#events.length;
  }

  /** Whether nothing that older slices hold can change it. */
  get isCertain(): boolean {
    return this.#isForEvents && this.wanted <= 0;
  }

  /**
   * Takes a slice's finds; slices may come in any order.
   *
   * @param index of the slice in the plan, newest first
   * @param finds undefined for a slice that failed
   * @param layout of its counts
   * @throws LogboomError TOO_LARGE when the messages found exceed what one search may hold
   */
  add(index: number, finds: Finds | undefined, layout?: Pick<CellLayout, "toRequested">): void {
    if (finds?.kind === "tally") {
      this.#tally.add(finds.tally, layout?.toRequested);
      return;
    }
    const events = finds?.events ?? [];
    this.#hold(events);
    if (this.#request.type === "UNSORTED_RESULTS") {
      this.#append(events);
      return;
    }
    // Newest first: only what no unknown slice can precede is shown, so that nothing shown ever moves.
    this.#early.set(index, events);
    for (;;) {
      const next = this.#early.get(this.#nextSlice);
      if (next === undefined) return;
      this.#early.delete(this.#nextSlice++);
      this.#append(next);
    }
  }

  render(): AnswerBody {
    return this.#isForEvents ? this.#renderEvents() : this.#renderCounts();
  }

  get #isForEvents(): boolean {
    const { type } = this.#request;
    return type !== "EXACT_COUNTS_BINNED" && type !== "EXACT_XY_HISTOGRAM_BINNED";
  }

  #append(events: readonly FoundEvent[]): void {
    const all = [...this.#events, ...events];
    const isForKeys = this.#request.type === "BACKWARD_RESULTS_ONE_PER_KEY31";
    this.#events = (isForKeys ? firstByKey(all) : all).slice(0, this.#request.limit);
  }

  #hold(events: readonly FoundEvent[]): void {
    for (const { message } of events) this.#heldBytes += message.length;
    if (this.#heldBytes > MAX_HELD_BYTES) {
      throw new LogboomError(
        "TOO_LARGE",
        `the messages found exceed the limit of ${MAX_HELD_BYTES} bytes; lower "limit" or narrow the search`,
        { details: { field: "limit", value: this.#request.limit, limit: MAX_HELD_BYTES } },
      );
    }
  }

  #renderEvents(): AnswerBody {
    const indexes = new Map<string, number>();
    const events = this.#events.map(({ time, labels, message, key }) => {
      const context = joinLabels(labels);
      const index = indexes.get(context) ?? indexes.size;
      indexes.set(context, index);
      return { time: String(time), context: index, message, ...(key !== undefined && { key }) };
    });
    const contexts = [...indexes.keys()].map((context) => this.#context(splitLabels(context)));
    return { events, contexts, counts: [] };
  }

  #renderCounts(): AnswerBody {
    const counts = Array.from({ length: cellCount(this.#request) }, () => 0);
    for (const [cell, count] of this.#tally.cells) counts[cell] = count;
    const contexts = [...this.#tally.contexts].map(([context, count]) => ({
      ...this.#context(splitLabels(context)),
      count,
    }));
    return { events: [], contexts, counts };
  }

  #context([prefix0, prefix1, prefix2, prefix3]: Prefixes): AnswerContext {
    return { customer: this.#request.customer, prefix0, prefix1, prefix2, prefix3 };
  }
}
