// Hash-consed expressions: the states of the exact matcher, of which equal ones are one object.
//
// An expression is what is left of a pattern after some bytes of an event. Brzozowski derivatives
// (derivative.ts) lead from one to the next; this file builds them in a normal form that keeps
// their number small. Captures appear as marks: symbols beside the bytes that take no room.
import { LogboomError } from "../../schemas/errors.ts";
import { allBytes, type ByteSet } from "./byte-set.ts";
import type { ByteClasses } from "./byte-classes.ts";

export type ExpressionKind =
  "bytes" | "mark" | "concat" | "union" | "and" | "not" | "repeat" | "start" | "end";

export interface Expression {
  readonly id: number;
  readonly kind: ExpressionKind;
  /** Concat: head and tail; the others: their operands. */
  readonly items: readonly Expression[];
  /** Bytes: whether a class of bytes is in the set. */
  readonly members: Uint8Array;
  readonly set: ByteSet;
  /** Repeat: how often; a mark: its number as min. */
  readonly min: number;
  readonly max: number;
  /** Whether it matches the empty text, by position: bit 0 inside, 1 at start, 2 at end, 3 at both. */
  readonly nullable: number;
  /** The marks inside, as bits. */
  readonly marks: number;
  /** Derivatives by symbol, inside an event; filled as they are needed. */
  next: (Expression | undefined)[] | undefined;
  /** Scratch of the thread lists of extraction. */
  stamp: number;
}

const atStart = 0b1010;
const atEnd = 0b1100;
const everywhere = 0b1111;
const noMembers = new Uint8Array(0);

/** Ids stay below this, so that a pair of them is an exact number. */
const idBase = 2 ** 26;

/** The expressions in use; its memory grows with what it builds, until it is replaced. */
export class ExpressionStore {
  readonly classes: ByteClasses;
  /** How much was built since the start: expressions, their operands and cached derivatives. */
  weight = 0;
  /** Steps that may yet be spent on the event at hand. */
  budget = Infinity;
  /** Derivatives by symbol at the start of an event, where anchors make them differ. */
  readonly nextAtStart = new Map<Expression, (Expression | undefined)[]>();
  readonly #bytes = new Map<ByteSet, Expression>();
  readonly #marks = new Map<number, Expression>();
  readonly #concats = new Map<number, Expression>();
  readonly #others = new Map<string, Expression>();
  #nextId = 0;

  readonly nothing: Expression;
  readonly empty: Expression;
  readonly start: Expression;
  readonly end: Expression;
  /** Every text. */
  readonly anything: Expression;

  constructor(classes: ByteClasses) {
    this.classes = classes;
    this.nothing = this.#create("union", [], 0, {});
    this.empty = this.#create("repeat", [this.nothing], everywhere, {});
    this.start = this.#create("start", [], atStart, {});
    this.end = this.#create("end", [], atEnd, {});
    this.anything = this.#create("not", [this.nothing], everywhere, {});
  }

  #create(
    kind: ExpressionKind,
    items: readonly Expression[],
    nullable: number,
    more: { set?: ByteSet; members?: Uint8Array; min?: number; max?: number; marks?: number },
  ): Expression {
    let marks = more.marks ?? 0;
    for (const item of items) marks |= item.marks;
    this.weight += 1 + items.length;
    this.#nextId += 1;
    return {
      id: this.#nextId,
      kind,
      items,
      members: more.members ?? noMembers,
      set: more.set ?? 0n,
      min: more.min ?? 0,
      max: more.max ?? 0,
      nullable,
      marks,
      next: undefined,
      stamp: -1,
    };
  }

  /** @throws LogboomError BAD_REGEX when an event costs more than its budget */
  spend(steps: number): void {
    this.budget -= steps;
    if (this.budget >= 0) return;
    const what = "the pattern is too complex: an event takes more steps than may be spent on it";
    throw new LogboomError("BAD_REGEX", `${what}; write smaller or fewer repetitions`);
  }

  bytes(set: ByteSet): Expression {
    if (set === 0n) return this.nothing;
    let found = this.#bytes.get(set);
    if (found === undefined) {
      found = this.#create("bytes", [], 0, { set, members: this.classes.membersOf(set) });
      this.#bytes.set(set, found);
    }
    return found;
  }

  mark(mark: number): Expression {
    let found = this.#marks.get(mark);
    if (found === undefined) {
      found = this.#create("mark", [], 0, { min: mark, marks: 1 << mark });
      this.#marks.set(mark, found);
    }
    return found;
  }

  concat(head: Expression, tail: Expression): Expression {
    if (head === this.nothing || tail === this.nothing) return this.nothing;
    if (head === this.empty) return tail;
    if (tail === this.empty) return head;
    if (head.kind === "concat") {
      // Chains are kept on the right, where a derivative only looks at the first of them.
      const heads: Expression[] = [];
      let rest = head;
      while (rest.kind === "concat") {
        heads.push(headOf(rest));
        rest = tailOf(rest);
      }
      return heads.reduceRight((chain, item) => this.concat(item, chain), this.concat(rest, tail));
    }
    if (head === this.anything) {
      if (tail.nullable === everywhere && tail.marks === 0) return this.anything;
      if (tail.kind === "concat" && headOf(tail) === this.anything) return tail;
    }
    const key = head.id * idBase + tail.id;
    let found = this.#concats.get(key);
    if (found === undefined) {
      found = this.#create("concat", [head, tail], head.nullable & tail.nullable, {});
      this.#concats.set(key, found);
    }
    return found;
  }

  union(items: readonly Expression[]): Expression {
    const operands = this.#flatten("union", items);
    let set: ByteSet = 0n;
    let singles = 0;
    for (const item of operands) {
      if (item.kind !== "bytes") continue;
      set |= item.set;
      singles += 1;
    }
    if (singles > 1) {
      for (const item of operands) if (item.kind === "bytes") operands.delete(item);
      operands.add(this.bytes(set));
    }
    if (operands.has(this.anything)) {
      for (const item of operands) {
        if (item !== this.anything && item.marks === 0) operands.delete(item);
      }
    }
    if (operands.has(this.empty)) {
      for (const item of operands) {
        if (item === this.empty || item.nullable !== everywhere || item.marks !== 0) continue;
        operands.delete(this.empty);
        break;
      }
    }
    return this.#intern("union", operands, this.nothing);
  }

  and(items: readonly Expression[]): Expression {
    const operands = this.#flatten("and", items);
    if (operands.has(this.nothing)) return this.nothing;
    operands.delete(this.anything);
    return this.#intern("and", operands, this.anything);
  }

  not(item: Expression): Expression {
    if (item.kind === "not") return headOf(item);
    if (item === this.nothing) return this.anything;
    return this.#find("not", [item], everywhere & ~item.nullable, 0, 0);
  }

  repeat(item: Expression, min: number, max: number): Expression {
    if (max === 0 || item === this.empty) return this.empty;
    if (item === this.nothing) return min === 0 ? this.empty : this.nothing;
    if (min === 1 && max === 1) return item;
    if (min === 0 && max === Infinity && item.kind === "bytes" && item.set === allBytes) {
      return this.anything;
    }
    return this.#find("repeat", [item], min === 0 ? everywhere : item.nullable, min, max);
  }

  #flatten(kind: "union" | "and", items: readonly Expression[]): Set<Expression> {
    const operands = new Set<Expression>();
    for (const item of items) {
      // Those of a union within a union are looked at, too, and there may be thousands.
      this.spend(1 + (item.kind === kind ? item.items.length : 0));
      if (item.kind === kind) for (const operand of item.items) operands.add(operand);
      else operands.add(item);
    }
    return operands;
  }

  #intern(kind: "union" | "and", operands: Set<Expression>, none: Expression): Expression {
    const items = [...operands];
    const [only] = items;
    if (only === undefined) return none;
    if (items.length === 1) return only;
    items.sort((a, b) => a.id - b.id);
    let nullable = kind === "union" ? 0 : everywhere;
    for (const item of items) {
      nullable = kind === "union" ? nullable | item.nullable : nullable & item.nullable;
    }
    return this.#find(kind, items, nullable, 0, 0);
  }

  #find(
    kind: ExpressionKind,
    items: readonly Expression[],
    nullable: number,
    min: number,
    max: number,
  ): Expression {
    let key = `${kind} ${String(min)} ${String(max)}`;
    for (const { id } of items) key += ` ${String(id)}`;
    let found = this.#others.get(key);
    if (found === undefined) {
      found = this.#create(kind, items, nullable, { min, max });
      this.#others.set(key, found);
    }
    return found;
  }
}

export function headOf(expression: Expression): Expression {
  return expression.items[0] as Expression;
}

export function tailOf(expression: Expression): Expression {
  return expression.items[1] as Expression;
}
