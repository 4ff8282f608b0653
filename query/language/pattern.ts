// The syntax tree that every query language compiles its text searches to, with its constructors.
//
// A pattern is a language over bytes. Trees are built only by the functions below, which know the
// facts every node carries and apply the identities that keep later stages simple.
import { allBytes, type ByteSet } from "./byte-set.ts";
import { mergeRanges, utf8Sequences, type CodePointRange } from "./utf8.ts";

export type CaptureName = "x" | "y" | "key";

interface Facts {
  /** Positions after repetitions are written out; what the limit on size is about. */
  readonly size: number;
  readonly hasCapture: boolean;
  /** Holds an intersection or exclusion somewhere inside. */
  readonly hasSet: boolean;
  /** Matches the empty text wherever it stands. */
  readonly isNullable: boolean;
}

/** One byte. */
interface Bytes extends Facts {
  readonly kind: "bytes";
  readonly set: ByteSet;
}

/** One character outside ASCII, as its UTF-8 bytes. */
export interface Characters extends Facts {
  readonly kind: "characters";
  readonly ranges: readonly CodePointRange[];
}

interface Concat extends Facts {
  readonly kind: "concat";
  readonly items: readonly Pattern[];
}

/** Any of the items; none of them = matches nothing. */
export interface Union extends Facts {
  readonly kind: "union";
  readonly items: readonly Pattern[];
}

/** What all of `all` match and none of `none` does. */
interface SetOperation extends Facts {
  readonly kind: "set";
  readonly all: readonly Pattern[];
  readonly none: readonly Pattern[];
}

interface Repeat extends Facts {
  readonly kind: "repeat";
  readonly item: Pattern;
  readonly min: number;
  /** Infinity = without end. */
  readonly max: number;
}

/** The event's start or end, and nowhere else. */
interface Anchor extends Facts {
  readonly kind: "start" | "end";
}

export interface Capture extends Facts {
  readonly kind: "capture";
  readonly name: CaptureName;
  readonly item: Pattern;
}

export type Pattern =
  Bytes | Characters | Concat | Union | SetOperation | Repeat | Anchor | Capture;

const plain = { size: 1, hasCapture: false, hasSet: false, isNullable: false };

function factsOf(items: readonly Pattern[]): Omit<Facts, "isNullable"> {
  return {
    size: items.reduce((sum, { size }) => sum + size, 0),
    hasCapture: items.some(({ hasCapture }) => hasCapture),
    hasSet: items.some(({ hasSet }) => hasSet),
  };
}

const empty: Pattern = { ...plain, kind: "concat", items: [], isNullable: true };
const nothing: Pattern = { ...plain, kind: "union", items: [] };
export const start: Pattern = { ...plain, kind: "start" };
export const end: Pattern = { ...plain, kind: "end" };

export function bytes(set: ByteSet): Pattern {
  return set === 0n ? nothing : { ...plain, kind: "bytes", set };
}

export const anyByte: Pattern = bytes(allBytes);
/** Every text: `.*`. */
const anything: Pattern = repeat(anyByte, 0, Infinity);

/** Characters outside ASCII only; an empty list matches nothing. */
export function characters(given: readonly CodePointRange[]): Pattern {
  const ranges = mergeRanges(given);
  const sequences = ranges.flatMap(utf8Sequences);
  if (sequences.length === 0) return nothing;
  const size = sequences.reduce((sum, { length }) => sum + length, 0);
  return { ...plain, kind: "characters", ranges, size };
}

export function isNothing(pattern: Pattern): boolean {
  return pattern.kind === "union" && pattern.items.length === 0;
}

export function isAnything(pattern: Pattern): boolean {
  return (
    pattern.kind === "repeat" &&
    pattern.min === 0 &&
    pattern.max === Infinity &&
    pattern.item.kind === "bytes" &&
    pattern.item.set === allBytes
  );
}

/** Appends to items that end with `.*`, which swallows what may be empty and spare repetitions. */
function appendAfterAnything(items: Pattern[], part: Pattern): void {
  if (part.hasCapture) items.push(part);
  else if (part.isNullable) return;
  else if (part.kind === "repeat" && part.max > part.min) {
    append(items, repeat(part.item, part.min, part.min));
  } else items.push(part);
}

/** Appends `.*`, which swallows what stands before it in the same way. */
function appendAnything(items: Pattern[]): void {
  const trimmed: Pattern[] = [];
  for (let last = items.pop(); last !== undefined; last = items.pop()) {
    if (last.hasCapture) trimmed.push(last);
    else if (last.isNullable) continue;
    else if (last.kind === "repeat" && last.max > last.min) {
      append(items, repeat(last.item, last.min, last.min));
      continue;
    } else trimmed.push(last);
    break;
  }
  items.push(...trimmed, anything);
}

function append(items: Pattern[], part: Pattern): void {
  const last = items.at(-1);
  if (part.kind === "concat") {
    for (const item of part.items) append(items, item);
  } else if (last !== undefined && isAnything(last)) appendAfterAnything(items, part);
  else if (isAnything(part)) appendAnything(items);
  else items.push(part);
}

/** Whether a conjunction of these matches nothing and holds no capture, which must stay known. */
function isLost(parts: readonly Pattern[]): boolean {
  return parts.some(isNothing) && !parts.some(({ hasCapture }) => hasCapture);
}

/** The items one after another. */
export function concat(parts: readonly Pattern[]): Pattern {
  if (isLost(parts)) return nothing;
  const items: Pattern[] = [];
  for (const part of parts) append(items, part);
  const [only] = items;
  if (only === undefined) return empty;
  if (items.length === 1) return only;
  const isNullable = items.every((item) => item.isNullable);
  return { kind: "concat", items, ...factsOf(items), isNullable };
}

/** Any of the items. */
export function union(parts: readonly Pattern[]): Pattern {
  const items: Pattern[] = [];
  let single: ByteSet = 0n;
  for (const part of parts) {
    for (const item of part.kind === "union" ? part.items : [part]) {
      if (item.kind === "bytes") single |= item.set;
      else items.push(item);
    }
  }
  if (single !== 0n) items.unshift(bytes(single));
  const [only] = items;
  if (only === undefined) return nothing;
  if (items.length === 1) return only;
  if (items.some(isAnything) && !items.some(({ hasCapture }) => hasCapture)) return anything;
  const isNullable = items.some((item) => item.isNullable);
  return { kind: "union", items, ...factsOf(items), isNullable };
}

/** What all of `all` (at least one) match and none of `none` does. */
export function setOperation(all: readonly Pattern[], none: readonly Pattern[]): Pattern {
  if (isLost(all) || (none.some(isAnything) && isLost([...all, nothing]))) return nothing;
  const positive = all.length > 1 ? all.filter((item) => !isAnything(item)) : all;
  const negative = none.filter((item) => !isNothing(item));
  const [only] = positive;
  if (only === undefined) return setOperation([anything], negative);
  if (positive.length === 1 && negative.length === 0) return only;
  return {
    kind: "set",
    all: positive,
    none: negative,
    ...factsOf([...positive, ...negative]),
    hasSet: true,
    // An exclusion may take the empty text away at an anchor only, so it is not looked into.
    isNullable: negative.length === 0 && positive.every((item) => item.isNullable),
  };
}

/** `min` to `max` times the item, one after another. */
export function repeat(item: Pattern, min: number, max: number): Pattern {
  if (max === 0 || item === empty) return empty;
  if (isNothing(item)) return min === 0 ? empty : nothing;
  if (min === 1 && max === 1) return item;
  if (item.kind === "repeat" && item.max === Infinity && item.min <= 1 && max === Infinity) {
    return repeat(item.item, item.min * min, Infinity);
  }
  const times = max === Infinity ? min + 1 : max;
  return {
    kind: "repeat",
    item,
    min,
    max,
    size: item.size * times,
    hasCapture: item.hasCapture,
    hasSet: item.hasSet,
    isNullable: min === 0 || item.isNullable,
  };
}

export function capture(name: CaptureName, item: Pattern): Pattern {
  const { hasSet, isNullable, size } = item;
  return { kind: "capture", name, item, hasCapture: true, hasSet, isNullable, size };
}
