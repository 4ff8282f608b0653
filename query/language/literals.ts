// Texts that a message must hold for a pattern to match: cheap filters, and what an index knows.
import { onlyByteOf } from "./byte-set.ts";
import type { Pattern } from "./pattern.ts";

/** Alternatives, of which at least one occurs in every message that matches; none is empty. */
export type Clause = readonly string[];

/** Longer literals add nothing to a filter, but to the size of a query. */
const maxLength = 128;
const maxAlternatives = 100;
const maxClauses = 8;
const minBytes = 2;

interface Found {
  /** The only text that the pattern matches, as far as it is short. */
  readonly whole: string | undefined;
  readonly clauses: readonly Clause[];
}

/** What every message that matches must hold, the most selective first; at most eight. */
export function requiredLiterals(pattern: Pattern): Clause[] {
  const distinct = new Map<string, Clause>();
  for (const clause of findClosed(pattern).clauses) distinct.set(clause.join("\0"), clause);
  return [...distinct.values()]
    .toSorted((a, b) => selectivity(b) - selectivity(a))
    .slice(0, maxClauses);
}

/** The only text that the pattern matches; undefined when there are others, or it is long. */
export function literalTextOf(pattern: Pattern): string | undefined {
  return find(pattern).whole;
}

/** The shortest alternative decides how much a clause filters. */
function selectivity(clause: Clause): number {
  return clause.reduce((least, { length }) => Math.min(least, length), Infinity);
}

function find(pattern: Pattern): Found {
  switch (pattern.kind) {
    case "bytes": {
      const byte = onlyByteOf(pattern.set);
      const isAscii = byte !== undefined && byte < 0x80;
      return { whole: isAscii ? String.fromCharCode(byte) : undefined, clauses: [] };
    }
    case "characters": {
      const [only] = pattern.ranges;
      const isOne = pattern.ranges.length === 1 && only !== undefined && only[0] === only[1];
      return { whole: isOne ? String.fromCodePoint(only[0]) : undefined, clauses: [] };
    }
    case "start":
    case "end":
      return { whole: undefined, clauses: [] };
    case "concat":
      return findInSequence(pattern.items.map(find));
    case "union":
      return { whole: undefined, clauses: findInAll(pattern.items.map(findClosed)) };
    case "set":
      return { whole: undefined, clauses: pattern.all.flatMap((item) => findClosed(item).clauses) };
    case "repeat": {
      const item = find(pattern.item);
      const { min, max } = pattern;
      if (min === 0) return { whole: undefined, clauses: [] };
      const times = item.whole === undefined ? 1 : Math.min(min, maxLength);
      const rounds = findInSequence(Array.from({ length: times }, () => item));
      return min === max && min === times ? rounds : { ...rounds, whole: undefined };
    }
    case "capture":
      return find(pattern.item);
  }
}

/** What is found in a pattern by itself: its whole text counts as a clause. */
function findClosed(pattern: Pattern): Found {
  return findInSequence([find(pattern)]);
}

function findInSequence(items: readonly Found[]): Found {
  const clauses: Clause[] = [];
  let run = "";
  const flush = () => {
    const text = cut(run);
    if (Buffer.byteLength(text) >= minBytes) clauses.push([text]);
    run = "";
  };
  for (const item of items) {
    if (item.whole !== undefined) run += item.whole;
    else {
      flush();
      clauses.push(...item.clauses);
    }
  }
  const isWhole = items.every(({ whole }) => whole !== undefined) && run.length <= maxLength;
  const whole = isWhole ? run : undefined;
  flush();
  return { whole, clauses };
}

function cut(text: string): string {
  if (text.length <= maxLength) return text;
  const isSplit = (text.charCodeAt(maxLength - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isSplit ? maxLength - 1 : maxLength);
}

/** One clause of alternatives: the most selective of each item, if every item has one. */
function findInAll(items: readonly Found[]): Clause[] {
  const alternatives = new Set<string>();
  for (const { clauses } of items) {
    const [best] = clauses.toSorted((a, b) => selectivity(b) - selectivity(a));
    if (best === undefined) return [];
    for (const text of best) alternatives.add(text);
    if (alternatives.size > maxAlternatives) return [];
  }
  return alternatives.size === 0 ? [] : [[...alternatives]];
}
