// Patterns as expressions of the exact matcher.
import { headOf, tailOf, type Expression, type ExpressionStore } from "./expression.ts";
import { spell } from "./literal.ts";
import type { CaptureName, Pattern } from "./pattern.ts";

/** The marks at the two ends of a capture. */
export const marksOf = {
  x: { open: 0, close: 1 },
  y: { open: 2, close: 3 },
  key: { open: 4, close: 5 },
} as const satisfies Record<CaptureName, { open: number; close: number }>;

/**
 * The expression of a pattern.
 * @param marks the marks that stand in it, as bits; the ends of other captures leave no trace
 */
export function lower(store: ExpressionStore, pattern: Pattern, marks: number): Expression {
  switch (pattern.kind) {
    case "bytes":
      return store.bytes(pattern.set);
    case "characters":
      return store.union(
        spell(pattern).map((sequence) =>
          chain(
            store,
            sequence.map((set) => store.bytes(set)),
          ),
        ),
      );
    case "concat":
      return chain(
        store,
        pattern.items.map((item) => lower(store, item, marks)),
      );
    case "union":
      return store.union(pattern.items.map((item) => lower(store, item, marks)));
    case "set":
      return store.and([
        ...pattern.all.map((item) => lower(store, item, marks)),
        ...pattern.none.map((item) => store.not(lower(store, item, marks))),
      ]);
    case "repeat":
      return store.repeat(lower(store, pattern.item, marks), pattern.min, pattern.max);
    case "start":
      return store.start;
    case "end":
      return store.end;
    case "capture": {
      const { open, close } = marksOf[pattern.name];
      const end = (mark: number) => ((marks & (1 << mark)) === 0 ? store.empty : store.mark(mark));
      return chain(store, [end(open), lower(store, pattern.item, marks), end(close)]);
    }
  }
}

function chain(store: ExpressionStore, items: readonly Expression[]): Expression {
  return items.reduceRight((tail, head) => store.concat(head, tail), store.empty);
}

/** Copies expressions, which share their parts, into another store of the same byte classes. */
export function transplant(
  expressions: readonly Expression[],
  store: ExpressionStore,
): Expression[] {
  const copies = new Map<Expression, Expression>();
  const copyOf = (expression: Expression) => copies.get(expression) ?? store.nothing;
  const pending = [...expressions];
  // Parts before wholes, without recursion: a concatenation is a chain as long as its pattern.
  for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
    const missing = next.items.filter((item) => !copies.has(item));
    if (missing.length > 0) {
      for (const item of missing) pending.push(item);
      continue;
    }
    pending.pop();
    if (!copies.has(next)) copies.set(next, rebuild(store, next, copyOf));
  }
  return expressions.map(copyOf);
}

function rebuild(
  store: ExpressionStore,
  expression: Expression,
  copyOf: (expression: Expression) => Expression,
): Expression {
  switch (expression.kind) {
    case "bytes":
      return store.bytes(expression.set);
    case "mark":
      return store.mark(expression.min);
    case "concat":
      return store.concat(copyOf(headOf(expression)), copyOf(tailOf(expression)));
    case "union":
      return store.union(expression.items.map(copyOf));
    case "and":
      return store.and(expression.items.map(copyOf));
    case "not":
      return store.not(copyOf(headOf(expression)));
    case "repeat":
      return store.repeat(copyOf(headOf(expression)), expression.min, expression.max);
    case "start":
      return store.start;
    case "end":
      return store.end;
  }
}
