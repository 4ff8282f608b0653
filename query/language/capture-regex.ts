// Regular expressions that capture as the dialect does, where that can be shown.
import { sidesWithin } from "./alignment.ts";
import type { Capture, CaptureName, Pattern } from "./pattern.ts";
import { translate } from "./re2.ts";
import { sequence } from "./re2-text.ts";
import { anchored, finish, outerSides, trim } from "./regex.ts";
import { areSteady, sortByLength } from "./steady.ts";

export interface CaptureRegex {
  readonly text: string;
  /** The captures in the order of the expression's groups. */
  readonly captures: readonly Capture[];
}

/**
 * The regular expression whose groups are the captures of a pattern, on messages that match it.
 * Undefined if it would not be exact: then `extraction.ts` is asked.
 */
export function toCaptureRegex(pattern: Pattern): CaptureRegex | undefined {
  const trimmed = trim(pattern);
  const { items } = trimmed;
  const last = items.findLastIndex(({ hasCapture }) => hasCapture);
  const captures: Capture[] = [];
  for (const item of items) {
    if (item.kind === "capture") captures.push(item);
    else if (item.hasCapture) return undefined;
  }
  if (!areSteady(items.slice(0, last + 1).flatMap(contentOf))) return undefined;
  const { left, right } = outerSides(trimmed);
  const sides = sidesWithin(items, left, right);
  const parts = items.map((item, index) =>
    translate(index <= last ? ordered(item) : item, {
      engine: "re2",
      left,
      right,
      ...sides[index],
      isLazy: index < last,
      isCaptured: false,
    }),
  );
  const regex = finish("re2", anchored(sequence(parts), trimmed));
  return regex?.isExact === true ? { text: regex.text, captures } : undefined;
}

/** The names of the captures, in the order in which they are written. */
export function captureNamesOf(pattern: Pattern): CaptureName[] {
  if (!pattern.hasCapture) return [];
  switch (pattern.kind) {
    case "capture":
      return [pattern.name];
    case "concat":
    case "union":
      return pattern.items.flatMap(captureNamesOf);
    case "set":
      return pattern.all.flatMap(captureNamesOf);
    case "repeat":
      return captureNamesOf(pattern.item);
    default:
      return [];
  }
}

/** The parts that a part of the pattern is tried in. */
function contentOf(item: Pattern): readonly Pattern[] {
  const inside = item.kind === "capture" ? item.item : item;
  return inside.kind === "concat" ? inside.items : [inside];
}

/** The part with its alternatives in the order of preference: long within a capture, short before. */
function ordered(item: Pattern): Pattern {
  if (item.kind !== "capture") return sortByLength(item, "shortest first");
  const inside = item.item;
  if (inside.kind !== "concat") {
    return { ...item, item: sortByLength(inside, "longest first") };
  }
  const items = inside.items.map((part) => sortByLength(part, "longest first"));
  return { ...item, item: { ...inside, items } };
}
