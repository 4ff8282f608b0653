// The exact matcher of patterns: a byte automaton whose states are computed when an event needs them.
//
// Time is linear in the event's length. It decides what ClickHouse cannot, and is the oracle of the
// translation to SQL. States are kept from event to event and thrown away when they grow too many.
import { byteClassesOf, type ByteClasses } from "./byte-classes.ts";
import { derive, positionAt, type Position } from "./derivative.ts";
import { ExpressionStore, type Expression } from "./expression.ts";
import { lower, transplant } from "./lowering.ts";
import type { Pattern } from "./pattern.ts";

/** Expressions, operands and cached derivatives that a matcher keeps: about 50 MB at most. */
const defaultMaxWeight = 500_000;
/** Steps of computing states that an event may cost: a moment, and so much more per byte; nothing else runs then. */
const maxSteps = 1_000_000;
const maxStepsPerByte = 4;

export class Matcher {
  readonly pattern: Pattern;
  readonly classes: ByteClasses;
  readonly #maxWeight: number;
  #store: ExpressionStore;
  readonly #roots = new Map<number, Expression>();

  constructor(pattern: Pattern, maxWeight = defaultMaxWeight) {
    this.pattern = pattern;
    this.#maxWeight = maxWeight;
    this.classes = byteClassesOf(pattern);
    this.#store = new ExpressionStore(this.classes);
  }

  /** The expression that no text matches; it changes when the states are renewed. */
  get nothing(): Expression {
    return this.#store.nothing;
  }

  /** The expression that every text matches; it changes when the states are renewed. */
  get anything(): Expression {
    return this.#store.anything;
  }

  /** Starts on an event of so many bytes: what it costs is counted from here. */
  begin(lengthBytes: number): void {
    this.#store.budget = maxSteps + maxStepsPerByte * lengthBytes;
  }

  /** The pattern's expression with these marks, as bits. */
  root(marks: number): Expression {
    let root = this.#roots.get(marks);
    if (root === undefined) {
      root = lower(this.#store, this.pattern, marks);
      this.#roots.set(marks, root);
    }
    return root;
  }

  /**
   * What is left of an expression after a symbol.
   * @throws LogboomError BAD_REGEX when the event costs more than may be spent on one
   */
  step(from: Expression, symbol: number, position: Position): Expression {
    return derive(this.#store, from, symbol, position);
  }

  /** Whether the states should be renewed before they take too much memory. */
  get isFull(): boolean {
    return this.#store.weight > this.#maxWeight;
  }

  /** Forgets all states but these, and gives their equals; other expressions become invalid. */
  renew(kept: readonly Expression[]): Expression[] {
    const store = new ExpressionStore(this.classes);
    store.budget = this.#store.budget;
    const copies = transplant(kept, store);
    // A state too large to be kept is of a pattern near the limit of positions: it lives on alone.
    store.weight = 0;
    this.#store = store;
    this.#roots.clear();
    return copies;
  }

  /** Whether the whole event matches. */
  check(event: Uint8Array): boolean {
    const { length } = event;
    this.begin(length);
    const { ofByte } = this.classes;
    let state = this.root(0);
    for (let offset = 0; offset < length; offset += 1) {
      const symbol = ofByte[event[offset] ?? 0] ?? 0;
      const known = offset === 0 ? undefined : state.next?.[symbol];
      if (known !== undefined) state = known;
      else {
        state = this.step(state, symbol, positionAt(offset, length));
        if (this.isFull) state = this.renew([state])[0] ?? state;
      }
      if (state === this.#store.nothing) return false;
      if (state === this.#store.anything) return true;
    }
    return (state.nullable & positionAt(length, length)) !== 0;
  }
}
