// What the dialect's definitions say, tried out literally: the oracle of the exact matcher.
import type { Name, Tree } from "./pattern-tree.ts";

/** A capture's place as far as it is decided; null = it takes no part. */
type Decided = ReadonlyMap<Name, { begin: number; end?: number } | null>;

const bitOf: Readonly<Record<Name, number>> = { x: 1, y: 2, key: 4 };

/** The ways to match from an offset: where they end, times 8, plus the captures that took part. */
type Ways = ReadonlySet<number>;

class Attempt {
  readonly #event: Buffer;
  readonly #decided: Decided;
  readonly #known = new Map<Tree, Ways[]>();

  constructor(event: Buffer, decided: Decided) {
    this.#event = event;
    this.#decided = decided;
  }

  from(node: Tree, begin: number): Ways {
    let known = this.#known.get(node);
    if (known === undefined) {
      known = [];
      this.#known.set(node, known);
    }
    return (known[begin] ??= this.#try(node, begin));
  }

  #try(node: Tree, begin: number): Ways {
    const event = this.#event;
    switch (node.kind) {
      case "byte":
        return new Set(
          begin < event.length && node.has(event[begin] ?? 0) ? [(begin + 1) * 8] : [],
        );
      case "text": {
        const end = begin + node.bytes.length;
        return new Set(event.subarray(begin, end).equals(node.bytes) ? [end * 8] : []);
      }
      case "start":
        return new Set(begin === 0 ? [0] : []);
      case "end":
        return new Set(begin === event.length ? [begin * 8] : []);
      case "concat":
        return node.items.reduce<Ways>(
          (ways, item) => this.#then(ways, item),
          new Set([begin * 8]),
        );
      case "union":
        return new Set(node.items.flatMap((item) => [...this.from(item, begin)]));
      case "set":
        return node.rest.reduce<Ways>(
          (ways, { operator, item }) => {
            const others = [...this.from(item, begin)];
            const same = (way: number) => others.filter((other) => other >> 3 === way >> 3);
            if (operator === "~") return new Set([...ways].filter((way) => same(way).length === 0));
            return new Set([...ways].flatMap((way) => same(way).map((other) => way | other)));
          },
          this.from(node.first, begin),
        );
      case "repeat":
        return this.#repeat(node, begin);
      case "capture":
        return this.#capture(node, begin);
    }
  }

  #then(ways: Ways, item: Tree): Ways {
    const all = new Set<number>();
    for (const way of ways) {
      for (const next of this.from(item, way >> 3)) all.add(next | (way & 7));
    }
    return all;
  }

  #repeat({ item, min, max }: Tree & { kind: "repeat" }, begin: number): Ways {
    let round: Ways = new Set([begin * 8]);
    const all = new Set(min === 0 ? round : []);
    const limit = Math.min(max, min + this.#event.length + 1);
    for (let count = 1; count <= limit; count += 1) {
      round = this.#then(round, item);
      if (count >= min) for (const way of round) all.add(way);
    }
    return all;
  }

  #capture({ name, item }: Tree & { kind: "capture" }, begin: number): Ways {
    const decided = this.#decided.get(name);
    if (decided === undefined) return this.from(item, begin);
    if (decided === null || decided.begin !== begin) return new Set();
    const ways = [...this.from(item, begin)].map((way) => way | bitOf[name]);
    return new Set(ways.filter((way) => decided.end === undefined || way >> 3 === decided.end));
  }
}

function isPossible(tree: Tree, event: Buffer, decided: Decided): boolean {
  let wanted = 0;
  for (const [name, place] of decided) if (place !== null) wanted |= bitOf[name];
  return new Attempt(event, decided).from(tree, 0).has(event.length * 8 + wanted);
}

export function isMatch(tree: Tree, event: Buffer): boolean {
  return isPossible(tree, event, new Map());
}

function namesOf(tree: Tree): Name[] {
  switch (tree.kind) {
    case "capture":
      return [tree.name];
    case "concat":
    case "union":
      return tree.items.flatMap(namesOf);
    case "set":
      return namesOf(tree.first);
    case "repeat":
      return namesOf(tree.item);
    default:
      return [];
  }
}

/** The captured texts by name, null = took no part; undefined = no match. */
export function captureAll(tree: Tree, event: Buffer): Record<string, Buffer | null> | undefined {
  if (!isMatch(tree, event)) return undefined;
  const decided = new Map<Name, { begin: number; end?: number } | null>();
  const offsets = Array.from({ length: event.length + 1 }, (_, offset) => offset);
  const found: Record<string, Buffer | null> = {};
  for (const name of namesOf(tree)) {
    const begin = offsets.find((offset) =>
      isPossible(tree, event, new Map([...decided, [name, { begin: offset }]])),
    );
    if (begin === undefined) {
      decided.set(name, null);
      found[name] = null;
      continue;
    }
    const end = offsets.findLast((offset) =>
      isPossible(tree, event, new Map([...decided, [name, { begin, end: offset }]])),
    );
    decided.set(name, { begin, end: end ?? begin });
    found[name] = event.subarray(begin, end);
  }
  return found;
}
