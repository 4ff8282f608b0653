// What a search has found so far, across its slices, and the parts of the search API's reply that say it.
import { LogboomError } from "../../schemas/errors.ts";
import { CellCounts } from "./cell-counts.ts";
import type { CellLayout } from "./cells.ts";
import { cellCount, isCount, type SearchRequest } from "./request.ts";
import { joinLabels, splitLabels, type Finds, type FoundEvent, type Tally } from "./tally.ts";

/** What one search may hold, and reply. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;
/** Many small events are written as one piece. */
const PIECE_CHARACTERS = 64 * 1024;
/** What a context costs beside its text. */
const CONTEXT_BYTES = 200;

/** A context's JSON without its count, which stands last. */
interface Context {
  readonly index: number;
  readonly json: string;
  count: number;
}

/**
 * Collects the finds of slices; says when the answer is certain. What is found is kept as the JSON of the
 * reply, in pieces that polls share: a poll costs little, however much there is to show.
 */
export class Answer {
  readonly #request: SearchRequest;
  readonly #cells = new CellCounts();
  /** by joined labels */
  readonly #contexts = new Map<string, Context>();
  readonly #keys = new Set<string>();
  /** Finds of slices that newer ones, still unknown, keep from being shown. */
  readonly #early = new Map<number, readonly FoundEvent[]>();
  /** The JSON of the events that are certain. */
  readonly #events: Buffer[] = [];
  #eventCount = 0;
  #nextSlice = 0;
  #heldBytes = 0;
  #rendered: readonly Buffer[] | undefined;

  constructor(request: SearchRequest) {
    this.#request = request;
  }

  get heldBytes(): number {
    return this.#heldBytes + this.#cells.heldBytes;
  }

  /** Events that are still wanted beside those that are certain. */
  get wanted(): number {
    return this.#request.limit - this.#eventCount;
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
   * @throws LogboomError TOO_LARGE when what was found exceeds what one search may hold
   */
  add(index: number, finds: Finds | undefined, layout?: Pick<CellLayout, "toRequested">): void {
    this.#rendered = undefined;
    if (finds?.kind === "tally") this.#count(finds.tally, layout?.toRequested);
    else this.#take(index, finds?.events ?? []);
    if (this.heldBytes > MAX_HELD_BYTES) throw tooLarge(this.#request.limit);
  }

  /** JSON of the keys events, contexts and counts, without the braces around them. */
  render(): readonly Buffer[] {
    return (this.#rendered ??= [
      Buffer.from('"events":['),
      ...this.#events,
      Buffer.from(`],"contexts":[${this.#renderContexts()}],"counts":[`),
      ...(this.#isForEvents ? [] : this.#cells.render(cellCount(this.#request))),
      Buffer.from("]"),
    ]);
  }

  get #isForEvents(): boolean {
    return !isCount(this.#request);
  }

  #count({ cells, contexts }: Tally, toRequested = (cell: number) => cell): void {
    for (const [cell, count] of cells) this.#cells.add(toRequested(cell), count);
    for (const [labels, count] of contexts) this.#context(labels).count += count;
  }

  #take(index: number, events: readonly FoundEvent[]): void {
    if (this.#request.type === "UNSORTED_RESULTS") {
      this.#append(events);
      return;
    }
    // Newest first: only what no unknown slice can precede is shown, so that nothing shown ever moves.
    this.#early.set(index, events);
    this.#heldBytes += messageBytes(events);
    for (;;) {
      const next = this.#early.get(this.#nextSlice);
      if (next === undefined) return;
      this.#early.delete(this.#nextSlice++);
      this.#heldBytes -= messageBytes(next);
      this.#append(next);
    }
  }

  #append(events: readonly FoundEvent[]): void {
    const isForKeys = this.#request.type === "BACKWARD_RESULTS_ONE_PER_KEY31";
    let json = "";
    const keep = (): void => {
      const piece = Buffer.from(json);
      this.#events.push(piece);
      this.#heldBytes += piece.length;
      json = "";
    };
    for (const { time, labels, message, key } of events) {
      if (this.isCertain) break;
      if (isForKeys) {
        if (this.#keys.has(key ?? "")) continue;
        this.#keys.add(key ?? "");
      }
      const { index } = this.#context(joinLabels(labels));
      const shown = { time: String(time), context: index, message, ...(isForKeys && { key }) };
      json += (this.#eventCount++ === 0 ? "" : ",") + JSON.stringify(shown);
      if (json.length >= PIECE_CHARACTERS) keep();
    }
    if (json !== "") keep();
  }

  #context(labels: string): Context {
    return this.#contexts.getOrInsertComputed(labels, () => {
      const [prefix0, prefix1, prefix2, prefix3] = splitLabels(labels);
      const { customer } = this.#request;
      const json = JSON.stringify({ customer, prefix0, prefix1, prefix2, prefix3 }).slice(0, -1);
      this.#heldBytes += CONTEXT_BYTES + labels.length + json.length;
      return { index: this.#contexts.size, json, count: 0 };
    });
  }

  #renderContexts(): string {
    const isForEvents = this.#isForEvents;
    return [...this.#contexts.values()]
      .map(({ json, count }) => (isForEvents ? `${json}}` : `${json},"count":${count}}`))
      .join();
  }
}

function messageBytes(events: readonly FoundEvent[]): number {
  return events.reduce((sum, { message }) => sum + message.length, 0);
}

function tooLarge(limit: number): LogboomError {
  return new LogboomError(
    "TOO_LARGE",
    `what was found exceeds the limit of ${MAX_HELD_BYTES} bytes; lower "limit" or narrow the search`,
    { details: { field: "limit", value: limit, limit: MAX_HELD_BYTES } },
  );
}
