// The spelling of characters, classes and repetitions for ClickHouse's regular expressions.
import { asciiBytes, onlyByteOf, rangesOf, type ByteSet } from "./byte-set.ts";
import type { CodePointRange } from "./utf8.ts";

/** A part of a regular expression. */
export interface Fragment {
  readonly text: string;
  /** How tightly it binds: an atom takes a quantifier, a sequence stands in another. */
  readonly form: "atom" | "sequence" | "alternatives";
  /** Whether it matches what the pattern does; if not, it matches more. */
  readonly isExact: boolean;
  /** Instructions that RE2 compiles it to, roughly; Infinity = it cannot be said. */
  readonly cost: number;
  /** The largest product of counted repetitions inside, which RE2 limits. */
  readonly repetitions: number;
}

/** RE2 refuses a repetition above this, and nested ones whose product is above it. */
const maxRepetitions = 1000;

export function atom(text: string, cost: number, isExact = true): Fragment {
  return { text, form: "atom", isExact, cost, repetitions: 1 };
}

/** A fragment that takes the place of what cannot be said. */
export const unspeakable: Fragment = atom("", Infinity, false);

/** A text as a regular expression that matches it and nothing else. */
export function quote(text: string): string {
  // ClickHouse looks for literals in an expression and misreads \x00 outside a class.
  return text.replaceAll(/[\\|()[{}^$*+?.]/g, "\\$&").replaceAll("\0", "[\\x00]");
}

function classMember(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  if (codePoint >= 0x80 || /[0-9A-Za-z]/.test(character)) return character;
  return `\\x${codePoint.toString(16).padStart(2, "0")}`;
}

function classMembers(ranges: readonly CodePointRange[]): string {
  return ranges
    .map(([first, last]) =>
      first === last ? classMember(first) : `${classMember(first)}-${classMember(last)}`,
    )
    .join("");
}

/** A character that is an ASCII byte of the set, or in the ranges outside ASCII; not none at all. */
export function characterClass(ascii: ByteSet, ranges: readonly CodePointRange[]): Fragment {
  const byte = onlyByteOf(ascii);
  if (ranges.length === 0 && byte !== undefined) return atom(quote(String.fromCharCode(byte)), 1);
  const [only] = ranges;
  if (ascii === 0n && ranges.length === 1 && only?.[0] === only?.[1]) {
    // No atom: of é? ClickHouse takes the last byte for optional only, when it looks for literals.
    return { ...atom(String.fromCodePoint(only?.[0] ?? 0), 4), form: "sequence" };
  }
  const members = [...rangesOf(ascii), ...ranges];
  return atom(`[${classMembers(members)}]`, rangesOf(ascii).length + 8 * ranges.length);
}

/** Any character but the ASCII bytes outside the set. */
export function openClass(ascii: ByteSet): Fragment {
  const excluded = rangesOf(asciiBytes & ~ascii);
  return atom(`[^${classMembers(excluded)}]`, 16 + excluded.length);
}

export function sequence(parts: readonly Fragment[]): Fragment {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return {
    text: parts.map((part) => (part.form === "alternatives" ? group(part) : part.text)).join(""),
    form: "sequence",
    ...measure(parts),
  };
}

export function alternatives(parts: readonly Fragment[]): Fragment {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return { text: parts.map(({ text }) => text).join("|"), form: "alternatives", ...measure(parts) };
}

function measure(parts: readonly Fragment[]): Pick<Fragment, "isExact" | "cost" | "repetitions"> {
  return {
    isExact: parts.every(({ isExact }) => isExact),
    cost: parts.reduce((sum, { cost }) => sum + cost, 0),
    repetitions: parts.reduce((most, { repetitions }) => Math.max(most, repetitions), 1),
  };
}

function group({ text }: Fragment): string {
  return `(?:${text})`;
}

/** `min` to `max` of a fragment, in as many counted repetitions as RE2's limit asks for. */
export function quantify(part: Fragment, min: number, max: number, isLazy: boolean): Fragment {
  const chunk = Math.floor(maxRepetitions / part.repetitions);
  const lazy = isLazy && min !== max ? "?" : "";
  const item = part.form === "atom" ? part.text : group(part);
  const pieces: string[] = [];
  let repetitions = 1;
  const append = (low: number, high: number, many: number) => {
    pieces.push(...Array.from({ length: many }, () => item + quantifier(low, high) + lazy));
    if (high > 1 && high !== Infinity) repetitions = Math.max(repetitions, high);
    if (high === Infinity && low > 1) repetitions = Math.max(repetitions, low);
  };
  const times = max === Infinity ? min + 1 : max;
  const cost = part.cost * times + (times - min) + 1;
  if (cost === Infinity) return unspeakable;
  if ((max === Infinity ? min : max) <= chunk) append(min, max, 1);
  else {
    append(chunk, chunk, Math.floor(min / chunk));
    if (min % chunk > 0) append(min % chunk, min % chunk, 1);
    const spare = max - min;
    if (spare === Infinity) append(0, Infinity, 1);
    else {
      append(0, chunk, Math.floor(spare / chunk));
      if (spare % chunk > 0) append(0, spare % chunk, 1);
    }
  }
  return {
    text: pieces.join(""),
    // RE2 takes a quantifier upon a quantifier for one of another kind, so it is no atom.
    form: "sequence",
    isExact: part.isExact,
    cost,
    repetitions: part.repetitions * repetitions,
  };
}

function quantifier(min: number, max: number): string {
  if (max === Infinity) return min === 0 ? "*" : min === 1 ? "+" : `{${String(min)},}`;
  if (min === 0 && max === 1) return "?";
  if (min === max) return min === 1 ? "" : `{${String(min)}}`;
  return `{${String(min)},${String(max)}}`;
}
