// What an event is asked: the tree that every query language becomes before it is translated to SQL.
import type { Field } from "./field.ts";
import type { Network } from "./network.ts";
import { isAnything, isNothing, union, type Pattern } from "./pattern.ts";
import type { Re2 } from "./re2-regex.ts";

export type Comparison = "<" | "<=" | "=" | ">=" | ">";

/** What is asked of one value of a field. */
export type Test =
  | { readonly kind: "always" }
  | { readonly kind: "and"; readonly operands: readonly Test[] }
  | { readonly kind: "or"; readonly operands: readonly Test[] }
  | { readonly kind: "not"; readonly operand: Test }
  /** The whole value matches the pattern. */
  | { readonly kind: "match"; readonly pattern: Pattern }
  /** The expression matches somewhere in the value. */
  | { readonly kind: "regex"; readonly regex: Re2 }
  /** The value is a number, and compares so. */
  | { readonly kind: "number"; readonly comparison: Comparison; readonly value: number }
  | { readonly kind: "isNumber" }
  /** The value compares so byte by byte. */
  | { readonly kind: "order"; readonly comparison: Comparison; readonly text: string }
  /** The value is an address of the network. */
  | { readonly kind: "network"; readonly network: Network };

export type Predicate =
  | { readonly kind: "always" }
  | { readonly kind: "never" }
  | { readonly kind: "and"; readonly operands: readonly Predicate[] }
  | { readonly kind: "or"; readonly operands: readonly Predicate[] }
  | { readonly kind: "not"; readonly operand: Predicate }
  /** The whole message matches the pattern. */
  | { readonly kind: "match"; readonly pattern: Pattern }
  /** Some value of the field passes the test. */
  | { readonly kind: "field"; readonly field: Field; readonly test: Test }
  /**
   * Some value of the left field and one of the right compare so as numbers; for `=` also those that are the same text.
   */
  | {
      readonly kind: "compare";
      readonly left: Field;
      readonly comparison: Comparison;
      readonly right: Field;
    }
  /** The message is a JSON object. */
  | { readonly kind: "isObject" }
  /** The event's time, ns since 1970, compares so. */
  | { readonly kind: "time"; readonly comparison: Comparison; readonly time: bigint };

/** Both hold. */
export function and(...operands: readonly Predicate[]): Predicate {
  const [only] = operands;
  return operands.length === 1 && only !== undefined ? only : { kind: "and", operands };
}

/** At least one holds. */
export function or(...operands: readonly Predicate[]): Predicate {
  const [only] = operands;
  return operands.length === 1 && only !== undefined ? only : { kind: "or", operands };
}

export function not(operand: Predicate): Predicate {
  return { kind: "not", operand };
}

export function ask(field: Field, test: Test): Predicate {
  return { kind: "field", field, test };
}

export function exists(field: Field): Predicate {
  return { kind: "field", field, test: { kind: "always" } };
}

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
