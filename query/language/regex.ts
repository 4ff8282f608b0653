// Whole patterns as regular expressions that search a message: what `match` and `extract` are given.
//
// A pattern matches whole messages, ClickHouse searches within them, and faster if it may: `.*` at
// an edge is left out, and an edge without it is anchored.
import { anyByte, concat, isAnything, repeat, union, type Pattern } from "./pattern.ts";
import { translate, type Engine } from "./re2.ts";
import { alternatives, atom, sequence, type Fragment } from "./re2-text.ts";
import type { Side } from "./alignment.ts";

export interface Regex {
  readonly text: string;
  /** Whether it finds the messages of valid UTF-8 that match the pattern; if not, it finds more. */
  readonly isExact: boolean;
}

/** RE2 gets slow, and at last refuses, beyond tens of thousands of instructions. */
const maxCost: Readonly<Record<Engine, number>> = { re2: 12_000, vectorscan: 500 };
/** Parameters travel in the address of a request, three characters for a byte. */
const maxTextBytes = 32_768;

/** A pattern without the `.*` at its edges. */
export interface Trimmed {
  readonly items: readonly Pattern[];
  readonly isOpenLeft: boolean;
  readonly isOpenRight: boolean;
}

/** What is left of an item at an edge when `.*` is taken from it; undefined = nothing was there. */
function withoutAnything(item: Pattern | undefined): Pattern[] | undefined {
  if (item === undefined) return undefined;
  if (isAnything(item)) return [];
  const isEndless = item.kind === "repeat" && item.max === Infinity && item.item === anyByte;
  return isEndless ? [repeat(anyByte, item.min, item.min)] : undefined;
}

export function trim(pattern: Pattern): Trimmed {
  let items: readonly Pattern[] = pattern.kind === "concat" ? pattern.items : [pattern];
  const left = withoutAnything(items[0]);
  if (left !== undefined) items = [...left, ...items.slice(1)];
  const right = withoutAnything(items.at(-1));
  if (right !== undefined) items = [...items.slice(0, -1), ...right];
  return { items, isOpenLeft: left !== undefined, isOpenRight: right !== undefined };
}

/** What stands beside the body. */
export function outerSides({ isOpenLeft, isOpenRight }: Trimmed): { left: Side; right: Side } {
  return {
    left: { isAligned: !isOpenLeft, isOpen: isOpenLeft },
    right: { isAligned: !isOpenRight, isOpen: isOpenRight },
  };
}

/** A translated body with the anchors that its pattern needs. */
export function anchored(body: Fragment, { isOpenLeft, isOpenRight }: Trimmed): Fragment {
  return sequence([
    ...(isOpenLeft ? [] : [atom("^", 1)]),
    body,
    ...(isOpenRight ? [] : [atom("$", 1)]),
  ]);
}

/** The regular expression, unless it is larger than the engine may be given. */
export function finish(engine: Engine, { text, isExact, cost }: Fragment): Regex | undefined {
  if (cost > maxCost[engine] || Buffer.byteLength(text) > maxTextBytes) return undefined;
  return { text, isExact };
}

/** The regular expression of a pattern without set operations; undefined if it grows too large. */
export function toRegex(pattern: Pattern, engine: Engine): Regex | undefined {
  const branches = pattern.kind === "union" ? pattern.items : [pattern];
  // Branches with the same edges are one expression, which engines factor better than several.
  const groups = new Map<string, { edges: Trimmed; bodies: Pattern[] }>();
  for (const branch of branches) {
    const edges = trim(branch);
    const key = `${String(edges.isOpenLeft)} ${String(edges.isOpenRight)}`;
    const found = groups.get(key) ?? { edges, bodies: [] };
    groups.set(key, found);
    found.bodies.push(concat(edges.items));
  }
  const parts = [...groups.values()].map(({ edges, bodies }) =>
    anchored(
      translate(union(bodies), {
        engine,
        ...outerSides(edges),
        isLazy: false,
        isCaptured: false,
      }),
      edges,
    ),
  );
  return finish(engine, alternatives(parts));
}
