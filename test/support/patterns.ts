// Generates patterns of the search dialect, each with a JavaScript translation written by hand, so
// that the oracle owes nothing to the engine's own parser.
import { setFlagsFromString } from "node:v8";
import fc from "fast-check";

// Several `.*` in one pattern: by backtracking, an event that does not match takes minutes.
setFlagsFromString("--enable-experimental-regexp-engine-on-excessive-backtracks");

/** What a pattern captured, as bytes in a latin1 string; absent = the capture took no part. */
export interface Captures {
  readonly x?: string;
  readonly y?: string;
  readonly key?: string;
}

/** A pattern of the dialect and what it must match. `bytes` is the UTF-8 event as latin1. */
export interface Pattern {
  readonly text: string;
  /** The captures of a full match; undefined = no match. */
  readonly match: (bytes: string) => Captures | undefined;
}

/** A pattern, or part of one, that JavaScript can express: its dialect text and its translation. */
interface Piece {
  readonly text: string;
  readonly js: string;
}

/** The UTF-8 bytes of a text, one character each, as the byte-wise dialect sees it. */
export function toBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

const literalPieces: readonly Piece[] = [
  "error",
  "rror",
  "took ",
  "id=",
  "status=4",
  "user=",
  "é",
  "日本",
  "🙂",
  " ",
  "==",
  '"',
  "'",
  "{a}",
  "]",
].map((text) => ({ text, js: toBytes(text).replaceAll(/[{}\]]/g, "\\$&") }));

const singlePieces: readonly Piece[] = [
  { text: ".", js: "[^]" },
  { text: "\\d", js: "[0-9]" },
  { text: "\\D", js: "[^0-9]" },
  { text: "\\w", js: "[0-9a-zA-Z_]" },
  { text: "\\W", js: "[^0-9a-zA-Z_]" },
  { text: "\\h", js: "[\\t ]" },
  { text: "\\H", js: "[^\\t ]" },
  { text: "\\v", js: "[\\n\\r\\x0b\\x0c]" },
  { text: "\\V", js: "[^\\n\\r\\x0b\\x0c]" },
  { text: "\\s", js: "[\\t \\n\\r\\x0b\\x0c]" },
  { text: "\\S", js: "[^\\t \\n\\r\\x0b\\x0c]" },
  { text: "\\N", js: "[^\\n]" },
  { text: "[^\\N]", js: "[\\n]" },
  { text: "[Ee]", js: "[Ee]" },
  { text: "[a-f]", js: "[a-f]" },
  { text: "[^a-z\\s]", js: "[^a-z\\t \\n\\r\\x0b\\x0c]" },
  { text: "[\\d_.]", js: "[0-9_.]" },
  { text: "[&~|]", js: "[&~|]" },
  { text: "[^\\x00-\\x7f]", js: "[\\x80-\\xff]" },
  { text: "\\x3d", js: "=" },
  { text: "\\&", js: "&" },
  { text: "\\~", js: "~" },
  { text: "\\|", js: "\\|" },
  { text: "\\.", js: "\\." },
  { text: "\\\\", js: "\\\\" },
  { text: "\\t", js: "\\t" },
  { text: "\\n", js: "\\n" },
];

/** Never quantified: JavaScript takes exponential time over a repeated repetition. */
const helperPieces: readonly Piece[] = [
  { text: "(?int)", js: "[+-]?[0-9]+" },
  { text: "(?num(3))", js: "[+-]?[0-9]+\\.[0-9]{3}" },
  { text: "(?txt([a-z]+))", js: "[a-z]+" },
];

const quantifiers = ["", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "*?", "+?", "{0,2}?"];

/** A single atom with a quantifier. The lazy mark does not change what matches. */
const quantifiedPiece = fc
  .tuple(fc.constantFrom(...singlePieces), fc.constantFrom(...quantifiers))
  .map(([{ text, js }, quantifier]) => ({
    text: text + quantifier,
    js: quantifier === "" ? js : `(?:${js})${quantifier.replace(/\?$/, "") || "?"}`,
  }));

const groupPiece = fc
  .tuple(
    fc.constantFrom("(", "(?:"),
    fc.array(fc.constantFrom(...literalPieces), { minLength: 1, maxLength: 3 }),
    fc.constantFrom("", "?", "+", "{2}"),
  )
  .map(([open, options, quantifier]) => ({
    text: `${open}${options.map(({ text }) => text).join("|")})${quantifier}`,
    js: `(?:${options.map(({ js }) => js).join("|")})${quantifier}`,
  }));

const anyPiece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...literalPieces) },
  { weight: 4, arbitrary: quantifiedPiece },
  { weight: 1, arbitrary: fc.constantFrom(...helperPieces) },
  { weight: 1, arbitrary: groupPiece },
);

const anything: Piece = { text: ".*", js: "[^]*" };

/** A few pieces; most begin and end with `.*`, because the whole event must match. */
const sequence: fc.Arbitrary<Piece> = fc
  .record({
    first: fc.constantFrom(anything, anything, anything, { text: "^.*", js: "[^]*" }, undefined),
    middle: fc.oneof(
      fc.array(anyPiece, { minLength: 1, maxLength: 2 }),
      fc.array(anyPiece, { minLength: 1, maxLength: 3 }),
    ),
    between: fc.constantFrom(anything, anything, undefined),
    last: fc.constantFrom(anything, anything, anything, { text: ".*$", js: "[^]*" }, undefined),
  })
  .map(({ first, middle, between, last }) => {
    const inner = middle.flatMap((piece, index) =>
      between === undefined || index === 0 ? [piece] : [between, piece],
    );
    const pieces = [first, ...inner, last].filter((piece) => piece !== undefined);
    return {
      text: pieces.map(({ text }) => text).join(""),
      js: pieces.map(({ js }) => js).join(""),
    };
  });

function toPattern({ text, js }: Piece): Pattern {
  const regex = new RegExp(`^(?:${js})$`);
  return {
    text,
    match(bytes) {
      const match = regex.exec(bytes);
      return match === null ? undefined : { ...(match.groups as Captures | undefined) };
    },
  };
}

/** Combines patterns as `A&B`, `A~B` and `A|B`; captures come from the first that has them. */
function combine(operator: "&" | "~" | "|", left: Pattern, right: Pattern): Pattern["match"] {
  return (bytes) => {
    const a = left.match(bytes);
    if (operator === "~") return right.match(bytes) === undefined ? a : undefined;
    if (operator === "|") return a ?? right.match(bytes);
    if (a === undefined) return undefined;
    const b = right.match(bytes);
    return b === undefined ? undefined : { ...b, ...withoutAbsent(a) };
  };
}

function withoutAbsent(captures: Captures): Captures {
  return Object.fromEntries(Object.entries(captures).filter(([, value]) => value !== undefined));
}

/** `A op B op C …` without more parentheses than it needs: `|` binds least, `&` and `~` alike. */
const chain: fc.Arbitrary<Pattern> = fc
  .tuple(
    sequence,
    fc.array(fc.tuple(fc.constantFrom("&" as const, "~" as const, "|" as const), sequence), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([first, rest]) => {
    const text = first.text + rest.map(([operator, { text: t }]) => operator + t).join("");
    const unions: Pattern[] = [toPattern(first)];
    for (const [operator, piece] of rest) {
      const next = toPattern(piece);
      const last = unions.at(-1);
      if (operator === "|" || last === undefined) unions.push(next);
      else unions[unions.length - 1] = { text: "", match: combine(operator, last, next) };
    }
    const match = unions.reduce((a, b) => ({ text: "", match: combine("|", a, b) })).match;
    return { text, match };
  });

/** `(A)op(B)`, where A and B may be such patterns themselves. */
const parenthesised: fc.Arbitrary<Pattern> = fc
  .tuple(
    fc.oneof(sequence.map(toPattern), chain),
    fc.constantFrom("&" as const, "~" as const, "|" as const),
    fc.oneof(sequence.map(toPattern), chain),
  )
  .map(([a, operator, b]) => ({
    text: `(${a.text})${operator}(${b.text})`,
    match: combine(operator, a, b),
  }));

const innerPieces: readonly (readonly [Piece, "&" | "~", Piece])[] = [
  [{ text: "\\d+", js: "[0-9]+" }, "~", { text: "1\\d*", js: "1[0-9]*" }],
  [{ text: "[a-z]+", js: "[a-z]+" }, "~", { text: ".*rr.*", js: "[^]*rr[^]*" }],
  [{ text: ".*a.*", js: "[^]*a[^]*" }, "&", { text: "\\N{2,9}", js: "[^\\n]{2,9}" }],
  [{ text: "\\w*", js: "[0-9a-zA-Z_]*" }, "&", { text: ".{3}", js: "[^]{3}" }],
];

/**
 * `P(A&B)S`: an intersection or exclusion inside a concatenation. Tried at every pair of positions,
 * as its definition says.
 */
const nested: fc.Arbitrary<Pattern> = fc
  .tuple(
    fc.constantFrom<Piece>(
      { text: ".*id=", js: "[^]*id=" },
      { text: ".* ", js: "[^]* " },
      {
        text: "",
        js: "",
      },
    ),
    fc.constantFrom(...innerPieces),
    fc.constantFrom<Piece>(
      { text: " .*", js: " [^]*" },
      { text: "\\s.*", js: "[\\t \\n\\r\\x0b\\x0c][^]*" },
      { text: ".*", js: "[^]*" },
    ),
  )
  .map(([before, [left, operator, right], after]) => {
    const prefix = new RegExp(`^(?:${before.js})$`);
    const suffix = new RegExp(`^(?:${after.js})$`);
    const inner = combine(operator, toPattern(left), toPattern(right));
    return {
      text: `${before.text}(${left.text}${operator}${right.text})${after.text}`,
      match(bytes) {
        const positions = Array.from({ length: bytes.length + 1 }, (_, index) => index);
        const ends = positions.filter((end) => suffix.test(bytes.slice(end)));
        const isMatch = positions
          .filter((begin) => prefix.test(bytes.slice(0, begin)))
          .some((begin) =>
            ends.some((end) => end >= begin && inner(bytes.slice(begin, end)) !== undefined),
          );
        return isMatch ? {} : undefined;
      },
    };
  });

/** Any pattern without captures. */
export const anyPattern: fc.Arbitrary<Pattern> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(toPattern(anything)) },
  { weight: 6, arbitrary: sequence.map(toPattern) },
  { weight: 3, arbitrary: chain },
  { weight: 3, arbitrary: parenthesised },
  { weight: 2, arbitrary: nested },
);

/** Narrows a pattern with captures by one without: captures on the left, as `~` demands. */
function narrowed(captures: readonly Piece[]): fc.Arbitrary<Pattern> {
  const plain = fc.constantFrom(...captures.map(toPattern));
  const filtered = fc
    .tuple(plain, fc.constantFrom("&" as const, "~" as const, "|" as const), sequence)
    .map(([a, operator, piece]) => ({
      text: `(${a.text})${operator}(${piece.text})`,
      match: combine(operator, a, toPattern(piece)),
    }));
  return fc.oneof(plain, filtered);
}

// Captures are eager: what stands left of one is lazy, the capture itself greedy.
const yPieces: readonly Piece[] = [
  { text: ".*took (?<y>(?int))ms.*", js: "[^]*?took (?<y>[+-]?[0-9]+)ms[^]*" },
  { text: ".*(?<y>(?int)).*", js: "[^]*?(?<y>[+-]?[0-9]+)[^]*" },
  { text: ".*lat=(?<y>(?num(3)))s.*", js: "[^]*?lat=(?<y>[+-]?[0-9]+\\.[0-9]{3})s[^]*" },
  { text: ".*v=(?<y>[a-z0-9]+).*", js: "[^]*?v=(?<y>[a-z0-9]+)[^]*" },
];
const xyPieces: readonly Piece[] = [
  {
    text: ".*T(?<x>\\d{2}):.*took (?<y>(?int)).*",
    js: "[^]*?T(?<x>[0-9]{2}):[^]*?took (?<y>[+-]?[0-9]+)[^]*",
  },
  {
    text: "(.*T(?<x>\\d{2}):.*)&(.*took (?<y>(?int)).*)",
    js: "(?=[^]*?T(?<x>[0-9]{2}):[^]*$)[^]*?took (?<y>[+-]?[0-9]+)[^]*",
  },
];
const keyPieces: readonly Piece[] = [
  { text: ".*user=(?<key>(?txt([A-Za-z_]+))).*", js: "[^]*?user=(?<key>[A-Za-z_]+)[^]*" },
  { text: ".*user=(?<key>[^ \\t\\n]*).*", js: "[^]*?user=(?<key>[^ \\t\\n]*)[^]*" },
  { text: ".*status=(?<key>\\d+).*", js: "[^]*?status=(?<key>[0-9]+)[^]*" },
  { text: "(?<key>[^ ]*).*", js: "(?<key>[^ ]*)[^]*" },
];

export const yPattern = narrowed(yPieces);
export const xyPattern = narrowed(xyPieces);
export const keyPattern = narrowed(keyPieces);
