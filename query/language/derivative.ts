// Brzozowski derivatives: what is left of an expression after one byte of the event, or one mark.
//
// Symbols are the classes of bytes, followed by the marks. A part of a conjunction that does not
// hold a mark lets it pass: captures stand in one operand, and the others do not see them.
import { headOf, tailOf, type Expression, type ExpressionStore } from "./expression.ts";

const inside = 0b0001;
const atStart = 0b0010;
const atEnd = 0b0100;
const atBoth = 0b1000;

/** Where in the event something is read, as a bit of `Expression.nullable`. */
export type Position = typeof inside | typeof atStart | typeof atEnd | typeof atBoth;

/** The position at an offset of an event. */
export function positionAt(offset: number, length: number): Position {
  if (offset === 0) return length === 0 ? atBoth : atStart;
  return offset === length ? atEnd : inside;
}

/**
 * What is left of the expression after a symbol read at a position. A byte that is read at the end
 * of an event does not exist: position is start or inside for bytes, any for marks.
 */
export function derive(
  store: ExpressionStore,
  from: Expression,
  symbol: number,
  position: Position,
): Expression {
  if (position === inside) return deriveInside(store, from, symbol);
  // Anchors make the start and the end differ. Each is met once an event, so that it is enough to
  // remember the start of whole expressions; their parts are computed every time.
  if (position !== atStart) return compute(store, from, symbol, position);
  let known = store.nextAtStart.get(from);
  if (known === undefined) {
    known = [];
    store.nextAtStart.set(from, known);
  }
  const next = known[symbol] ?? compute(store, from, symbol, position);
  known[symbol] = next;
  return next;
}

function deriveInside(store: ExpressionStore, from: Expression, symbol: number): Expression {
  from.next ??= [];
  let next = from.next[symbol];
  if (next === undefined) {
    next = compute(store, from, symbol, inside);
    from.next[symbol] = next;
    store.weight += 1;
  }
  return next;
}

function derivePart(
  store: ExpressionStore,
  from: Expression,
  symbol: number,
  position: Position,
): Expression {
  if (position === inside) return deriveInside(store, from, symbol);
  return compute(store, from, symbol, position);
}

function compute(
  store: ExpressionStore,
  from: Expression,
  symbol: number,
  position: Position,
): Expression {
  const mark = symbol - store.classes.count;
  if (mark >= 0 && (from.marks & (1 << mark)) === 0) return store.nothing;
  store.spend(1);
  switch (from.kind) {
    case "start":
    case "end":
      return store.nothing;
    case "bytes":
      return from.members[symbol] === 1 ? store.empty : store.nothing;
    case "mark":
      return store.empty;
    case "concat":
      return deriveConcat(store, from, symbol, position);
    case "union":
      return store.union(from.items.map((item) => derivePart(store, item, symbol, position)));
    case "and":
      return store.and(
        from.items.map((item) =>
          mark < 0 || (item.marks & (1 << mark)) !== 0
            ? derivePart(store, item, symbol, position)
            : item,
        ),
      );
    case "not":
      return store.not(derivePart(store, headOf(from), symbol, position));
    case "repeat": {
      const item = headOf(from);
      // Where the item may be empty (at an anchor, say), the other rounds may come before this one.
      const isFree = (item.nullable & position) !== 0;
      const rest = store.repeat(item, isFree ? 0 : Math.max(0, from.min - 1), from.max - 1);
      return store.concat(derivePart(store, item, symbol, position), rest);
    }
  }
}

/** Walks the chain of a concatenation without recursion, since chains are as long as patterns. */
function deriveConcat(
  store: ExpressionStore,
  from: Expression,
  symbol: number,
  position: Position,
): Expression {
  const alternatives: Expression[] = [];
  let rest = from;
  while (rest.kind === "concat") {
    const head = headOf(rest);
    store.spend(1);
    alternatives.push(store.concat(derivePart(store, head, symbol, position), tailOf(rest)));
    if ((head.nullable & position) === 0) return store.union(alternatives);
    rest = tailOf(rest);
  }
  alternatives.push(derivePart(store, rest, symbol, position));
  return store.union(alternatives);
}
