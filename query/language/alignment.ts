// Where the parts of a pattern begin and end between the characters of a UTF-8 text.
//
// Patterns are about bytes, ClickHouse's regular expressions about characters (but for \C). On valid
// UTF-8 the two agree on a part whose two edges lie between characters; this file proves that.
import { asciiBytes, isSubset } from "./byte-set.ts";
import { isAnything, type Pattern } from "./pattern.ts";

/** What holds for every text that a pattern may match inside a valid UTF-8 event. */
interface Edges {
  /** It begins between characters, wherever it stands. */
  readonly beginsAligned: boolean;
  readonly endsAligned: boolean;
  /** It ends between characters if it begins so. */
  readonly keepsForward: boolean;
  /** It begins between characters if it ends so. */
  readonly keepsBackward: boolean;
}

/** What is known of the place before or after a part. */
export interface Side {
  /** It lies between characters in every match. */
  readonly isAligned: boolean;
  /** The neighbour is `.*`, whose far edge lies between characters. */
  readonly isOpen: boolean;
}

const known = new WeakMap<Pattern, Edges>();

function edgesOf(pattern: Pattern): Edges {
  let edges = known.get(pattern);
  if (edges === undefined) {
    edges = computeEdges(pattern);
    known.set(pattern, edges);
  }
  return edges;
}

function allEdges(value: boolean): Edges {
  return {
    beginsAligned: value,
    endsAligned: value,
    keepsForward: value,
    keepsBackward: value,
  };
}

function computeEdges(pattern: Pattern): Edges {
  switch (pattern.kind) {
    case "bytes":
      return allEdges(isSubset(pattern.set, asciiBytes));
    case "characters":
    case "start":
    case "end":
      return allEdges(true);
    case "concat":
      return edgesOfConcat(pattern.items.map(edgesOf));
    case "union":
      return combine(pattern.items.map(edgesOf), (values) => values.every(Boolean));
    case "set":
      // Every text is one of each operand.
      return combine(pattern.all.map(edgesOf), (values) => values.some(Boolean));
    case "repeat": {
      const item = edgesOf(pattern.item);
      return {
        beginsAligned: pattern.min > 0 && item.beginsAligned,
        endsAligned: pattern.min > 0 && item.endsAligned,
        keepsForward: item.keepsForward,
        keepsBackward: item.keepsBackward,
      };
    }
    case "capture":
      return edgesOf(pattern.item);
  }
}

function combine(all: readonly Edges[], decide: (values: readonly boolean[]) => boolean): Edges {
  return {
    beginsAligned: decide(all.map(({ beginsAligned }) => beginsAligned)),
    endsAligned: decide(all.map(({ endsAligned }) => endsAligned)),
    keepsForward: decide(all.map(({ keepsForward }) => keepsForward)),
    keepsBackward: decide(all.map(({ keepsBackward }) => keepsBackward)),
  };
}

function edgesOfConcat(all: readonly Edges[]): Edges {
  // An aligned place reaches an edge when all that stands between keeps it.
  const firstBroken = all.findIndex(({ keepsBackward }) => !keepsBackward);
  const lastBroken = all.findLastIndex(({ keepsForward }) => !keepsForward);
  const beginsAligned = all.some(
    (edges, index) => edges.beginsAligned && (firstBroken < 0 || index <= firstBroken),
  );
  const endsAligned = all.some((edges, index) => edges.endsAligned && index >= lastBroken);
  return {
    beginsAligned,
    endsAligned,
    keepsForward: endsAligned || lastBroken < 0,
    keepsBackward: beginsAligned || firstBroken < 0,
  };
}

/** The sides of each item of a concatenation that has these sides itself. */
export function sidesWithin(
  items: readonly Pattern[],
  left: Side,
  right: Side,
): { left: Side; right: Side }[] {
  const all = items.map(edgesOf);
  const { length } = items;
  const aligned = Array.from({ length: length + 1 }, (_, place) => {
    if (place === 0 && left.isAligned) return true;
    if (place === length && right.isAligned) return true;
    return all[place]?.beginsAligned === true || all[place - 1]?.endsAligned === true;
  });
  for (let place = 0; place < length; place += 1) {
    if (aligned[place] === true && all[place]?.keepsForward === true) aligned[place + 1] = true;
  }
  for (let place = length; place > 0; place -= 1) {
    if (aligned[place] === true && all[place - 1]?.keepsBackward === true)
      aligned[place - 1] = true;
  }
  const isAnythingAt = (index: number) => {
    const item = items[index];
    return item !== undefined && isAnything(item);
  };
  return items.map((_, index) => ({
    left: {
      isAligned: aligned[index] === true,
      isOpen: index === 0 ? left.isOpen : isAnythingAt(index - 1) && aligned[index - 1] === true,
    },
    right: {
      isAligned: aligned[index + 1] === true,
      isOpen:
        index === length - 1
          ? right.isOpen
          : isAnythingAt(index + 1) && aligned[index + 2] === true,
    },
  }));
}

/** The sides of the item of a repetition that has these sides itself. */
export function sidesOfRound(
  item: Pattern,
  max: number,
  left: Side,
  right: Side,
): { left: Side; right: Side } {
  if (max <= 1) return { left, right };
  const edges = edgesOf(item);
  const isBetweenAligned =
    edges.beginsAligned ||
    edges.endsAligned ||
    (edges.keepsForward && left.isAligned) ||
    (edges.keepsBackward && right.isAligned);
  return {
    left: { isAligned: left.isAligned && isBetweenAligned, isOpen: false },
    right: { isAligned: right.isAligned && isBetweenAligned, isOpen: false },
  };
}
