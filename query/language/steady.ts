// Parts of a pattern on which the first match of a backtracking engine is the shortest or longest one.
//
// The dialect wants a capture to begin at the smallest offset possible and to be as long as possible.
// RE2 wants the first match in the order of its choices: what comes first decides first. The two
// agree on a sequence of steady parts, lazy left of the capture and greedy within. A part is steady
// if, of two ways through the event, the one that RE2 prefers cannot be overtaken inside it without
// being able to go where the other goes:
// - parts of fixed length are never overtaken in;
// - in a repeated class, the one behind can stop, or go on to, where the other one does;
// - in alternatives of fixed texts, tried by length, if no text stands inside another with something
//   before it and something after it.
// So the first way is also the one that ends first (or last), at every steady part in turn.
import { asciiBytes, isSubset, type ByteSet } from "./byte-set.ts";
import { spell } from "./literal.ts";
import type { Pattern, Union } from "./pattern.ts";

const maxWords = 32;
const maxWordBytes = 64;

/** Whether all of these are steady, one after another. */
export function areSteady(items: readonly Pattern[]): boolean {
  return items.every(
    (item) =>
      lengthOf(item) !== undefined ||
      (item.kind === "repeat" && isCharacterClass(item.item)) ||
      (item.kind === "union" && hasSteadyWords(item)),
  );
}

/** The alternatives of a steady part in the order in which RE2 is to try them. */
export function sortByLength(item: Pattern, order: "shortest first" | "longest first"): Pattern {
  if (item.kind !== "union") return item;
  const sign = order === "shortest first" ? 1 : -1;
  const items = item.items.toSorted((a, b) => sign * ((lengthOf(a) ?? 0) - (lengthOf(b) ?? 0)));
  return { ...item, items };
}

/** The bytes of every text that a pattern matches; undefined if texts differ in length. */
function lengthOf(pattern: Pattern): number | undefined {
  switch (pattern.kind) {
    case "bytes":
      return 1;
    case "characters":
      return common(spell(pattern).map(({ length }) => length));
    case "start":
    case "end":
      return 0;
    case "concat":
      return pattern.items.reduce<number | undefined>((sum, item) => {
        const length = lengthOf(item);
        return sum === undefined || length === undefined ? undefined : sum + length;
      }, 0);
    case "union":
      return common(pattern.items.map(lengthOf));
    case "repeat": {
      const length = lengthOf(pattern.item);
      if (length === 0) return 0;
      return length === undefined || pattern.min !== pattern.max ? undefined : length * pattern.min;
    }
    default:
      return undefined;
  }
}

function common(lengths: readonly (number | undefined)[]): number | undefined {
  const [first] = lengths;
  return lengths.every((length) => length === first) ? first : undefined;
}

function isCharacterClass(pattern: Pattern): boolean {
  if (pattern.kind === "union") return pattern.items.every(isCharacter);
  return pattern.kind === "bytes" || pattern.kind === "characters";
}

/** Whether it matches whole characters only, which never overlap. */
function isCharacter(pattern: Pattern): boolean {
  if (pattern.kind === "bytes") return isSubset(pattern.set, asciiBytes);
  return pattern.kind === "characters";
}

function hasSteadyWords({ items }: Union): boolean {
  if (items.length > maxWords) return false;
  // An anchor is a way through no bytes, which stands only where nothing can be before, or after.
  const words = items.filter(({ kind }) => kind !== "start" && kind !== "end").map(wordOf);
  return words.every(
    (outer) =>
      outer !== undefined &&
      words.every((inner) => inner !== undefined && !standsInside(inner, outer)),
  );
}

/** Whether a text of `inner` may stand within one of `outer`, at neither of its ends. */
function standsInside(inner: readonly ByteSet[], outer: readonly ByteSet[]): boolean {
  for (let offset = 1; offset + inner.length < outer.length; offset += 1) {
    if (inner.every((set, index) => (set & (outer[offset + index] ?? 0n)) !== 0n)) return true;
  }
  return false;
}

/** The byte sets of a text of fixed length, in order; undefined if it has another form. */
function wordOf(pattern: Pattern): ByteSet[] | undefined {
  const length = lengthOf(pattern);
  if (length === undefined || length > maxWordBytes) return undefined;
  switch (pattern.kind) {
    case "bytes":
      return [pattern.set];
    case "characters": {
      const [only, ...others] = spell(pattern);
      return others.length === 0 ? only : undefined;
    }
    case "concat": {
      const words = pattern.items.map(wordOf);
      return words.every((word) => word !== undefined) ? words.flat() : undefined;
    }
    case "repeat": {
      const word = wordOf(pattern.item);
      return word && Array.from({ length: pattern.min }, () => word).flat();
    }
    default:
      return undefined;
  }
}
