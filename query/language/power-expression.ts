// The expressions of Scalyr's power queries.
import { compileRe2, type Re2 } from "./re2-regex.ts";
import {
  accept,
  countTerm,
  expect,
  found,
  nested,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";

export type PowerOperator =
  "+" | "-" | "*" | "/" | "%" | "<" | "<=" | ">" | ">=" | "=" | "!=" | "and" | "or";

export type PowerExpression =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" }
  /** A column, or else a field of the event. */
  | { readonly kind: "name"; readonly name: string; readonly offset: number }
  | { readonly kind: "minus" | "not" | "exists"; readonly operand: PowerExpression }
  | {
      readonly kind: "binary";
      readonly operator: PowerOperator;
      readonly left: PowerExpression;
      readonly right: PowerExpression;
    }
  | {
      readonly kind: "if";
      readonly condition: PowerExpression;
      readonly yes: PowerExpression;
      readonly no: PowerExpression;
    }
  /** Holds one of the texts, in any case unless it says otherwise. */
  | {
      readonly kind: "contains";
      readonly operand: PowerExpression;
      readonly texts: readonly string[];
      readonly mindsCase: boolean;
    }
  /** Is one of the texts, or a number that is one of them. */
  | {
      readonly kind: "in";
      readonly operand: PowerExpression;
      readonly texts: readonly string[];
      readonly mindsCase: boolean;
    }
  | { readonly kind: "matches"; readonly operand: PowerExpression; readonly regex: Re2 }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly operands: readonly PowerExpression[];
      /** Which rows of a group take part. */
      readonly where: PowerExpression | undefined;
      /** As it is written, which may be the name of a column. */
      readonly written: string;
      readonly offset: number;
    };

/** Binary operators from loose to tight; a level of its own for each. */
const levels: readonly (readonly [RegExp, (text: string) => PowerOperator])[] = [
  [/\|\||or(?![\p{L}\p{N}_])/iuy, () => "or"],
  [/&&|and(?![\p{L}\p{N}_])/iuy, () => "and"],
  [/[<>]=?|!=|==?/y, (text) => (text === "==" ? "=" : text) as PowerOperator],
  [/[+-]/y, (text) => text as PowerOperator],
  [/[*/%]/y, (text) => text as PowerOperator],
];
const comparisons = 2;

/** @throws LogboomError BAD_REQUEST unless an expression is next */
export function readPowerExpression(cursor: QueryCursor): PowerExpression {
  return nested(cursor, () => {
    const condition = readLevel(cursor, 0);
    if (!accept(cursor, "?")) return condition;
    const yes = readPowerExpression(cursor);
    expect(cursor, ":");
    return { kind: "if", condition, yes, no: readPowerExpression(cursor) };
  });
}

function readLevel(cursor: QueryCursor, level: number): PowerExpression {
  const known = levels[level];
  if (known === undefined) return readUnary(cursor);
  const [operators, name] = known;
  let left = readLevel(cursor, level + 1);
  for (;;) {
    if (level === comparisons) left = readTests(cursor, left);
    skipBlanks(cursor);
    const operator = take(cursor, operators)?.[0];
    if (operator === undefined) return left;
    countTerm(cursor);
    left = { kind: "binary", operator: name(operator), left, right: readLevel(cursor, level + 1) };
  }
}

const exists = /(==?|!=)\s*\*/y;
const test = /(contains|matches|in)(?![\p{L}\p{N}_])(?::(matchcase|anycase))?/iuy;

function readTests(cursor: QueryCursor, operand: PowerExpression): PowerExpression {
  skipBlanks(cursor);
  const mark = take(cursor, exists)?.[1];
  if (mark !== undefined) {
    const found: PowerExpression = { kind: "exists", operand };
    return mark === "!=" ? { kind: "not", operand: found } : found;
  }
  const [, word, qualifier] = take(cursor, test) ?? [];
  if (word === undefined) return operand;
  countTerm(cursor);
  const given = qualifier?.toLowerCase();
  switch (word.toLowerCase()) {
    case "contains":
      return {
        kind: "contains",
        operand,
        texts: readTexts(cursor),
        mindsCase: given === "matchcase",
      };
    case "in":
      return { kind: "in", operand, texts: readTexts(cursor), mindsCase: given !== "anycase" };
    default: {
      skipBlanks(cursor);
      const offset = cursor.at + 1;
      const regex = compileRe2(readPowerText(cursor, true), given === "anycase", offset);
      return { kind: "matches", operand, regex };
    }
  }
}

const number = /(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?/y;

/** A text in quotes, or several, or numbers, in parentheses. */
function readTexts(cursor: QueryCursor): string[] {
  if (!accept(cursor, "(")) return [readPowerText(cursor)];
  const texts: string[] = [];
  do {
    skipBlanks(cursor);
    countTerm(cursor);
    const begin = cursor.at;
    take(cursor, /-/y);
    const isNumber = take(cursor, number) !== null;
    texts.push(isNumber ? cursor.text.slice(begin, cursor.at) : readPowerText(cursor));
  } while (accept(cursor, ","));
  expect(cursor, ")");
  return texts;
}

const quoted = /"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'/y;
const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Reads a text in quotes. @param isRegex `\\\\d` and `\\d` are the same */
export function readPowerText(cursor: QueryCursor, isRegex = false): string {
  skipBlanks(cursor);
  const match = take(cursor, quoted);
  const text = match?.[1] ?? match?.[2];
  if (text === undefined) {
    throw queryError(cursor.at, `expected a text but found ${found(cursor)}`, "write it in quotes");
  }
  if (isRegex) return text.replaceAll(/\\(["'\\])/g, "$1");
  return text.replaceAll(/\\([^])/g, (_, character: string) => controls[character] ?? character);
}

const name = /(?:\$?[\p{L}_])(?:[\p{L}\p{N}_.@]|\\[^])*/uy;

/** Reads the name of a column or field; what names otherwise cannot hold stands behind a backslash. */
export function readPowerName(cursor: QueryCursor): string {
  skipBlanks(cursor);
  const text = take(cursor, name)?.[0].replaceAll(/\\([^])/g, "$1");
  if (text !== undefined) return text;
  throw queryError(cursor.at, `expected a name but found ${found(cursor)}`, "write a field's name");
}

function finiteNumber(digits: string, cursor: QueryCursor): number {
  const value = Number(digits.replaceAll("_", ""));
  if (Number.isFinite(value)) return value;
  throw queryError(cursor.at - digits.length, `the number ${digits} is too large`, "write less");
}

const whereMark = /where(?![\p{L}\p{N}_])/iuy;
const notMark = /!(?!=)|not(?![\p{L}\p{N}_])/iuy;
const words: Readonly<Record<string, PowerExpression>> = {
  true: { kind: "boolean", value: true },
  false: { kind: "boolean", value: false },
  null: { kind: "null" },
};

function readUnary(cursor: QueryCursor): PowerExpression {
  skipBlanks(cursor);
  countTerm(cursor);
  const kind =
    take(cursor, /-/y) !== null ? "minus" : take(cursor, notMark) !== null ? "not" : undefined;
  if (kind !== undefined) return { kind, operand: nested(cursor, () => readUnary(cursor)) };
  if (accept(cursor, "(")) {
    const inside = readPowerExpression(cursor);
    expect(cursor, ")");
    return inside;
  }
  if (peek(cursor, /["']/y) !== null) return { kind: "text", text: readPowerText(cursor) };
  const digits = take(cursor, number)?.[0];
  if (digits !== undefined) return { kind: "number", value: finiteNumber(digits, cursor) };
  const offset = cursor.at;
  const word = readPowerName(cursor);
  if (!accept(cursor, "(")) {
    return Object.hasOwn(words, word)
      ? (words[word] as PowerExpression)
      : { kind: "name", name: word, offset };
  }
  const operands: PowerExpression[] = [];
  let where: PowerExpression | undefined;
  if (!accept(cursor, ")")) {
    skipBlanks(cursor);
    if (peek(cursor, whereMark) === null) {
      do operands.push(readPowerExpression(cursor));
      while (accept(cursor, ","));
    }
    skipBlanks(cursor);
    if (take(cursor, whereMark) !== null) where = readPowerExpression(cursor);
    expect(cursor, ")");
  }
  const written = cursor.text.slice(offset, cursor.at);
  return { kind: "call", name: word, operands, where, offset, written };
}
