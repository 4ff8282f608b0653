// Patterns without the parts that a regular expression cannot say, or need not.
import { concat, repeat, setOperation, union, type Pattern } from "./pattern.ts";

/** The same pattern without its captures: what it matches stays. */
export function withoutCaptures(pattern: Pattern): Pattern {
  if (!pattern.hasCapture) return pattern;
  switch (pattern.kind) {
    case "capture":
      return pattern.item;
    case "concat":
      return concat(pattern.items.map(withoutCaptures));
    case "union":
      return union(pattern.items.map(withoutCaptures));
    case "set":
      return setOperation(pattern.all.map(withoutCaptures), pattern.none);
    case "repeat":
      return repeat(withoutCaptures(pattern.item), pattern.min, pattern.max);
    default:
      return pattern;
  }
}

/** More would hardly filter better, and each is another pass over the messages. */
const maxSupersets = 4;

/**
 * Patterns without set operations, of which each matches whatever the given one does: `P(A&B)S`
 * gives `PAS` and `PBS`, `P(A~B)S` gives `PAS`.
 */
export function supersetsOf(pattern: Pattern): Pattern[] {
  const count = Math.min(maxSupersets, mostOperands(pattern));
  return Array.from({ length: count }, (_, index) => withOperand(pattern, index));
}

function mostOperands(pattern: Pattern): number {
  if (!pattern.hasSet) return 1;
  switch (pattern.kind) {
    case "set":
      return pattern.all.reduce(
        (most, item) => Math.max(most, mostOperands(item)),
        pattern.all.length,
      );
    case "concat":
    case "union":
      return pattern.items.reduce((most, item) => Math.max(most, mostOperands(item)), 1);
    case "repeat":
    case "capture":
      return mostOperands(pattern.item);
    default:
      return 1;
  }
}

/** The pattern with the operand of this index, or the last one, in place of each intersection. */
function withOperand(pattern: Pattern, index: number): Pattern {
  if (!pattern.hasSet) return pattern;
  switch (pattern.kind) {
    case "set": {
      const operand = pattern.all[Math.min(index, pattern.all.length - 1)];
      return operand === undefined ? pattern : withOperand(operand, index);
    }
    case "concat":
      return concat(pattern.items.map((item) => withOperand(item, index)));
    case "union":
      return union(pattern.items.map((item) => withOperand(item, index)));
    case "repeat":
      return repeat(withOperand(pattern.item, index), pattern.min, pattern.max);
    default:
      return pattern;
  }
}
