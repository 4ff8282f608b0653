// What an event is asked: the tree that every query language becomes before it is translated to SQL.
import { isAnything, isNothing, union, type Pattern } from "./pattern.ts";

/** Later languages add kinds for attributes and fields; each stage switches over `kind`. */
export type Predicate =
  | { readonly kind: "always" }
  | { readonly kind: "never" }
  | { readonly kind: "and"; readonly operands: readonly Predicate[] }
  | { readonly kind: "or"; readonly operands: readonly Predicate[] }
  | { readonly kind: "not"; readonly operand: Predicate }
  /** The whole message matches the pattern. */
  | { readonly kind: "match"; readonly pattern: Pattern };

/** The question whether a whole message matches; `&`, `~` and `|` at the root become operands. */
export function toPredicate(pattern: Pattern): Predicate {
  if (isAnything(pattern)) return { kind: "always" };
  if (isNothing(pattern)) return { kind: "never" };
  if (pattern.kind === "set") {
    const { all, none } = pattern;
    const excluded = none.map((item): Predicate => ({ kind: "not", operand: toPredicate(item) }));
    return { kind: "and", operands: [...all.map(toPredicate), ...excluded] };
  }
  if (pattern.kind !== "union" || !pattern.hasSet) return { kind: "match", pattern };
  // One regular expression for all that one can say, and an operand for each of the others.
  const simple = union(pattern.items.filter((item) => !item.hasSet));
  const others = pattern.items.filter((item) => item.hasSet);
  return { kind: "or", operands: [simple, ...others].map(toPredicate) };
}
