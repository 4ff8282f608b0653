// Patterns as regular expressions of ClickHouse: RE2, which decides, and Vectorscan, which filters.
//
// Both work on characters, patterns on bytes. A translation is exact if it matches the same valid
// UTF-8 texts; where that cannot be shown it matches more, and says so. The cases:
// - a class of ASCII bytes, and a character outside ASCII, are the same in both;
// - any byte is \C in RE2; Vectorscan has no such thing;
// - a class with all bytes from 0x80 on, as [^"], is a class of characters where it is repeated
//   freely between aligned places, or stands beside a `.*` that takes the rest of its character;
// - alone between aligned places, a class can only be its ASCII part;
// - else it becomes \C, which is more.
import { sidesOfRound, sidesWithin, type Side } from "./alignment.ts";
import { allBytes, asciiBytes, highBytes, isSubset, type ByteSet } from "./byte-set.ts";
import { isAnything, type Pattern } from "./pattern.ts";
import {
  alternatives,
  atom,
  characterClass,
  openClass,
  quantify,
  sequence,
  unspeakable,
  type Fragment,
} from "./re2-text.ts";
import type { CodePointRange } from "./utf8.ts";

export type Engine = "re2" | "vectorscan";

/** A character no text has; Vectorscan refuses an expression that cannot match. */
function noCharacter(engine: Engine): Fragment {
  return engine === "re2" ? atom("[^\\x00-\u{10ffff}]", 1) : unspeakable;
}

/** Where a translated part stands. */
export interface Place {
  readonly engine: Engine;
  readonly left: Side;
  readonly right: Side;
  /** Its repetitions take as little as they can; for what stands left of a capture. */
  readonly isLazy: boolean;
  /** Its edges may be those of a captured text, so that they must stay where they are. */
  readonly isCaptured: boolean;
}

/** Beyond this Vectorscan's automata grow, and ClickHouse refuses them as expensive. */
const maxVectorscanRepetitions = 30;

export function translate(pattern: Pattern, place: Place): Fragment {
  switch (pattern.kind) {
    case "bytes":
      return translateByte(pattern.set, place);
    case "characters":
      return characterClass(0n, pattern.ranges);
    case "concat": {
      const sides = sidesWithin(pattern.items, place.left, place.right);
      return sequence(
        pattern.items.map((item, index) => translate(item, { ...place, ...sides[index] })),
      );
    }
    case "union":
      return translateUnion(pattern.items, place);
    case "repeat":
      return translateRepeat(pattern, place);
    case "start":
      return anchor("^", place);
    case "end":
      return anchor("$", place);
    case "capture": {
      const inside = translate(pattern.item, { ...place, isLazy: false, isCaptured: true });
      return { ...inside, text: `(${inside.text})`, form: "atom", cost: inside.cost + 2 };
    }
    case "set":
      // Supersets are taken of the whole pattern, before it is translated.
      return unspeakable;
  }
}

/** No atom, so that a quantifier goes upon a group; Vectorscan has anchors at the edges only. */
function anchor(text: string, { engine }: Place): Fragment {
  return engine === "re2" ? { ...atom(text, 1), form: "sequence" } : unspeakable;
}

function translateByte(set: ByteSet, place: Place): Fragment {
  const { engine, left, right, isCaptured } = place;
  const ascii = set & asciiBytes;
  if (set === ascii) return characterClass(set, []);
  const anyByte = engine === "re2" ? atom("\\C", 1, set === allBytes) : unspeakable;
  if (set === allBytes) return anyByte;
  if (left.isAligned && right.isAligned) {
    return ascii === 0n ? noCharacter(engine) : characterClass(ascii, []);
  }
  const isBeside =
    !isCaptured && ((left.isOpen && isFree(right)) || (right.isOpen && isFree(left)));
  return isSubset(highBytes, set) && isBeside ? openClass(ascii) : anyByte;
}

/** Whether a repeated class of characters may as well end here as one of bytes. */
function isFree({ isAligned, isOpen }: Side): boolean {
  return isAligned || isOpen;
}

/** Keeps the order of the alternatives, which captures depend on; neighbours may become a class. */
function translateUnion(items: readonly Pattern[], place: Place): Fragment {
  const parts: Fragment[] = [];
  let ascii: ByteSet = 0n;
  let ranges: CodePointRange[] = [];
  const flush = () => {
    if (ascii !== 0n || ranges.length > 0) parts.push(characterClass(ascii, ranges));
    ascii = 0n;
    ranges = [];
  };
  for (const item of items) {
    if (item.kind === "bytes" && isSubset(item.set, asciiBytes)) ascii |= item.set;
    else if (item.kind === "characters") ranges.push(...item.ranges);
    else {
      flush();
      parts.push(translate(item, place));
    }
  }
  flush();
  return parts.length === 0 ? noCharacter(place.engine) : alternatives(parts);
}

function translateRepeat(pattern: Extract<Pattern, { kind: "repeat" }>, place: Place): Fragment {
  const { item, min, max } = pattern;
  const { engine, left, right, isLazy } = place;
  if (engine === "vectorscan") {
    if (isAnything(pattern)) {
      return left.isAligned && right.isAligned ? atom(".*", 1) : unspeakable;
    }
    if (Math.max(min, max === Infinity ? 0 : max) > maxVectorscanRepetitions) return unspeakable;
  }
  if (item.kind === "bytes" && item.set !== allBytes && isSubset(highBytes, item.set)) {
    if (max > 1 && isFree(left) && isFree(right)) {
      const part = openClass(item.set & asciiBytes);
      if (min <= 1 && max === Infinity) return quantify(part, min, max, isLazy);
      // Characters have one to four bytes.
      return { ...quantify(part, Math.ceil(min / 4), max, isLazy), isExact: false };
    }
  }
  const inside = translate(item, { ...place, ...sidesOfRound(item, max, left, right), isLazy });
  return quantify(inside, min, max, isLazy);
}
