// Random patterns and lines: the trees of pattern-tree.ts.
import * as fc from "fast-check";
import type { Name, Tree } from "./pattern-tree.ts";

function byte(text: string, js: string, has: (byte: number) => boolean): Tree {
  return { kind: "byte", text, js, has };
}

function text(value: string, written = value): Tree {
  return { kind: "text", text: written, bytes: Buffer.from(value, "utf8") };
}

const isDigit = (b: number) => b >= 48 && b <= 57;
const isWord = (b: number) =>
  isDigit(b) || (b >= 65 && b <= 90) || (b >= 97 && b <= 122) || b === 95;
const isVertical = (b: number) => b >= 10 && b <= 13;
const isHorizontal = (b: number) => b === 9 || b === 32;

const bytes: Tree[] = [
  byte(".", "[^]", () => true),
  byte("\\d", "[0-9]", isDigit),
  byte("\\D", "[^0-9]", (b) => !isDigit(b)),
  byte("\\w", "[0-9a-zA-Z_]", isWord),
  byte("\\W", "[^0-9a-zA-Z_]", (b) => !isWord(b)),
  byte("\\s", "[\\t\\n\\v\\f\\r ]", (b) => isVertical(b) || isHorizontal(b)),
  byte("\\S", "[^\\t\\n\\v\\f\\r ]", (b) => !isVertical(b) && !isHorizontal(b)),
  byte("\\h", "[\\t ]", isHorizontal),
  byte("\\H", "[^\\t ]", (b) => !isHorizontal(b)),
  byte("\\v", "[\\n\\v\\f\\r]", isVertical),
  byte("\\V", "[^\\n\\v\\f\\r]", (b) => !isVertical(b)),
  byte("\\N", "[^\\n]", (b) => b !== 10),
  byte("[ab]", "[ab]", (b) => b === 97 || b === 98),
  byte("[^a]", "[^a]", (b) => b !== 97),
  byte("[^ =]", "[^ =]", (b) => b !== 32 && b !== 61),
  byte('[^"]', '[^"]', (b) => b !== 34),
  byte("[^\\S]", "[\\t\\n\\v\\f\\r ]", (b) => isVertical(b) || isHorizontal(b)),
  byte("[+-]", "[+-]", (b) => b === 43 || b === 45),
  byte("\\xc3", "\\xc3", (b) => b === 0xc3),
  byte("\\xa9", "\\xa9", (b) => b === 0xa9),
  byte("[\\x80-\\xff]", "[\\x80-\\xff]", (b) => b >= 0x80),
  byte("[\\x80-\\xbf]", "[\\x80-\\xbf]", (b) => b >= 0x80 && b < 0xc0),
  byte("[^\\x80-\\xbf]", "[^\\x80-\\xbf]", (b) => b < 0x80 || b >= 0xc0),
  byte("[a\\xa9-\\xff]", "[a\\xa9-\\xff]", (b) => b === 97 || b >= 0xa9),
];

const texts: Tree[] = [
  text("a"),
  text("b"),
  text("a"),
  text("b"),
  text("ab"),
  text("0"),
  text("1"),
  text(" "),
  text("="),
  text('"'),
  text("-"),
  text(".", "\\."),
  text("\n", "\\n"),
  text("\0", "\\x00"),
  text("\\", "\\\\"),
  text("{"),
  text("id="),
  text("error"),
  text("é"),
  text("日"),
  text("🙂"),
  text("a|b", "a\\|b"),
];

function sequences(written: string, characters: string): Tree {
  const items = Array.from(characters, (character) => text(character));
  return { kind: "union", items, written };
}

/** Classes with characters of several bytes, which stand for any of them. */
const classes: Tree[] = [
  sequences("[aé]", "aé"),
  sequences("[à-ê]", "àáâãäåæçèéê"),
  sequences("[日b🙂]", "日b🙂"),
];

const digits: Tree = {
  kind: "repeat",
  item: bytes[1] as Tree,
  min: 1,
  max: Infinity,
  quantifier: "+",
};
const sign: Tree = { kind: "repeat", item: bytes[17] as Tree, min: 0, max: 1, quantifier: "?" };
const numbers: Tree[] = [
  { kind: "concat", items: [sign, digits], written: "(?int)" },
  {
    kind: "concat",
    items: [sign, digits, text(".", "\\."), bytes[1] as Tree, bytes[1] as Tree],
    written: "(?num(2))",
  },
];

const anything: Tree = {
  kind: "repeat",
  item: bytes[0] as Tree,
  min: 0,
  max: Infinity,
  quantifier: "*",
};

const quantifiers: [string, number, number][] = [
  ["?", 0, 1],
  ["*", 0, Infinity],
  ["+", 1, Infinity],
  ["*?", 0, Infinity],
  ["{2}", 2, 2],
  ["{2,}", 2, Infinity],
  ["{0,2}", 0, 2],
  ["{1,3}?", 1, 3],
];

const atom: fc.Arbitrary<Tree> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...bytes) },
  { weight: 6, arbitrary: fc.constantFrom(...texts) },
  { weight: 1, arbitrary: fc.constantFrom(...classes) },
  { weight: 1, arbitrary: fc.constantFrom(...numbers) },
  { weight: 1, arbitrary: fc.constantFrom<Tree>({ kind: "start" }, { kind: "end" }) },
);

function repeated(item: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> {
  return fc.tuple(item, fc.constantFrom(...quantifiers)).map(([inner, [quantifier, min, max]]) => ({
    kind: "repeat",
    item: inner,
    quantifier,
    min,
    max,
  }));
}

function tree(depth: number, hasSets: boolean): fc.Arbitrary<Tree> {
  if (depth === 0)
    return fc.oneof({ weight: 3, arbitrary: atom }, { weight: 1, arbitrary: repeated(atom) });
  const inner = tree(depth - 1, hasSets);
  const concat = fc
    .array(
      fc.oneof({ weight: 3, arbitrary: inner }, { weight: 1, arbitrary: fc.constant(anything) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((items): Tree => ({ kind: "concat", items }));
  const union = fc
    .array(fc.oneof(inner, fc.constant<Tree>({ kind: "concat", items: [] })), {
      minLength: 2,
      maxLength: 3,
    })
    .map((items): Tree => ({ kind: "union", items }));
  const set = fc
    .tuple(
      inner,
      fc.array(fc.record({ operator: fc.constantFrom("&" as const, "~" as const), item: inner }), {
        minLength: 1,
        maxLength: 2,
      }),
    )
    .map(([first, rest]): Tree => ({ kind: "set", first, rest }));
  return fc.oneof(
    { weight: 6, arbitrary: concat },
    { weight: 2, arbitrary: union },
    { weight: 2, arbitrary: repeated(inner) },
    ...(hasSets ? [{ weight: 2, arbitrary: set }] : []),
    { weight: 1, arbitrary: inner },
  );
}

/** A pattern without captures: often between `.*`, since few texts match wholly by chance. */
export function randomTree(hasSets: boolean): fc.Arbitrary<Tree> {
  return fc
    .tuple(fc.oneof(tree(1, hasSets), tree(2, hasSets), tree(3, hasSets)), fc.nat(3))
    .map(([item, edges]) => ({
      kind: "concat",
      items: [
        ...((edges & 1) === 1 ? [anything] : []),
        item,
        ...((edges & 2) === 2 ? [anything] : []),
      ],
    }));
}

function captured(name: Name): fc.Arbitrary<Tree> {
  const content = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...numbers, anything, digits) },
    { weight: 2, arbitrary: repeated(fc.constantFrom(...bytes)) },
    { weight: 1, arbitrary: tree(1, false) },
  );
  return content.map((item): Tree => ({ kind: "capture", name, item }));
}

/** A pattern with captures, mostly of the form that logs are searched with. */
export function randomCapturing(hasSets: boolean): fc.Arbitrary<Tree> {
  const between = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Tree>(anything, { kind: "concat", items: [] }) },
    {
      weight: 3,
      arbitrary: fc
        .array(fc.oneof(fc.constant(anything), tree(0, false)), { minLength: 1, maxLength: 3 })
        .map((items): Tree => ({ kind: "concat", items })),
    },
    { weight: 2, arbitrary: tree(1, hasSets) },
  );
  const sequence = fc
    .tuple(
      fc.shuffledSubarray<Name>(["x", "y", "key"], { minLength: 1 }),
      fc.array(between, { minLength: 4, maxLength: 4 }),
    )
    .chain(([names, gaps]) =>
      fc.tuple(...names.map(captured)).map((parts): Tree => ({
        kind: "concat",
        items: [...parts.flatMap((part, index) => [gaps[index] as Tree, part]), gaps[3] as Tree],
      })),
    );
  const edged = fc.tuple(sequence, fc.nat(3)).map(([item, edges]): Tree => ({
    kind: "concat",
    items: [
      ...((edges & 1) === 1 ? [anything] : []),
      item,
      ...((edges & 2) === 2 ? [anything] : []),
    ],
  }));
  const combined = fc
    .tuple(
      edged,
      randomTree(hasSets),
      fc.constantFrom("&" as const, "~" as const, "|" as const, "?" as const),
    )
    .map(([item, other, operator]): Tree => {
      if (operator === "?") {
        return {
          kind: "concat",
          items: [{ kind: "repeat", item, min: 0, max: 1, quantifier: "?" }, other],
        };
      }
      if (operator === "|") return { kind: "union", items: [item, other] };
      return { kind: "set", first: item, rest: [{ operator, item: other }] };
    });
  return fc.oneof({ weight: 3, arbitrary: edged }, { weight: 1, arbitrary: combined });
}

const pieces = [
  "a",
  "b",
  "0",
  "1",
  "7",
  " ",
  "=",
  '"',
  "-",
  "+",
  ".",
  "\n",
  "\t",
  "é",
  "ê",
  "日",
  "🙂",
  "\0",
  "\\",
  "{",
  "id=",
  "error",
  "12",
  "-3.25",
  "ab",
  "a|b",
  "éa",
];

/** Texts of the pieces that the patterns are made of. */
export const randomLine: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...pieces), { maxLength: 8 })
  .map((parts) => parts.join(""));
