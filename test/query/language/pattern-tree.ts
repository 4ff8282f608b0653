// Patterns as trees of the tests' own, which owe nothing to the parser, and how they are written.

export type Name = "x" | "y" | "key";

export type Tree =
  /** One byte: how a pattern writes it, how JavaScript does, and which bytes it is. */
  | { kind: "byte"; text: string; js: string; has: (byte: number) => boolean }
  /** A text, of which every byte stands for itself. */
  | { kind: "text"; text: string; bytes: Buffer }
  | { kind: "concat"; items: Tree[]; written?: string }
  | { kind: "union"; items: Tree[]; written?: string }
  | { kind: "set"; first: Tree; rest: { operator: "&" | "~"; item: Tree }[] }
  | { kind: "repeat"; item: Tree; min: number; max: number; quantifier: string }
  | { kind: "start" | "end" }
  | { kind: "capture"; name: Name; item: Tree };

/** The pattern as it is written in the dialect. */
export function write(node: Tree): string {
  if ((node.kind === "concat" || node.kind === "union") && node.written !== undefined) {
    return node.written;
  }
  switch (node.kind) {
    case "byte":
    case "text":
      return node.text;
    case "concat":
      return node.items
        .map((item) => (isLoose(item) ? `(?:${write(item)})` : write(item)))
        .join("");
    case "union":
      return node.items
        .map((item) => (item.kind === "union" ? `(${write(item)})` : write(item)))
        .join("|");
    case "set":
      return [node.first, ...node.rest.map(({ item }) => item)]
        .map((item, index) => (node.rest[index - 1]?.operator ?? "") + `(${write(item)})`)
        .join("");
    case "repeat": {
      const isAtom =
        node.item.kind === "byte" || node.item.kind === "start" || node.item.kind === "end";
      return (isAtom ? write(node.item) : `(?:${write(node.item)})`) + node.quantifier;
    }
    case "start":
      return "^";
    case "end":
      return "$";
    case "capture":
      return `(?<${node.name}>${write(node.item)})`;
  }
}

function isLoose(node: Tree): boolean {
  return (
    node.kind === "union" || node.kind === "set" || (node.kind === "text" && node.text.length > 2)
  );
}

/** The pattern for JavaScript, over latin1; undefined where it cannot say it. */
export function toJavaScript(node: Tree): string | undefined {
  switch (node.kind) {
    case "byte":
      return node.js;
    case "text":
      return node.bytes
        .toString("latin1")
        .replaceAll(/[^a-z0-9]/gis, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
    case "concat":
    case "union": {
      const items = node.items.map(toJavaScript);
      if (items.includes(undefined)) return undefined;
      return `(?:${items.join(node.kind === "union" ? "|" : "")})`;
    }
    case "repeat": {
      const item = toJavaScript(node.item);
      // JavaScript leaves a loop whose round was empty, and takes long over loops in loops.
      return item === undefined || node.item.kind !== "byte" ? undefined : item + node.quantifier;
    }
    case "start":
      return "^";
    case "end":
      return "$";
    default:
      return undefined;
  }
}
