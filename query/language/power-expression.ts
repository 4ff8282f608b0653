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
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "minus" | "not"; readonly operand: PowerExpression }
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
  /** Holds the text, in any case. */
  | { readonly kind: "contains"; readonly operand: PowerExpression; readonly text: string }
  | { readonly kind: "matches"; readonly operand: PowerExpression; readonly regex: Re2 }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly operands: readonly PowerExpression[];
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
  const found = levels[level];
  if (found === undefined) return readUnary(cursor);
  const [operators, name] = found;
  let left = level === 3 ? readLevel(cursor, 4) : readLevel(cursor, level + 1);
  for (;;) {
    if (level === 2) left = readTests(cursor, left);
    skipBlanks(cursor);
    const operator = take(cursor, operators)?.[0];
    if (operator === undefined) return left;
    countTerm(cursor);
    left = { kind: "binary", operator: name(operator), left, right: readLevel(cursor, level + 1) };
  }
}

const contains = /contains(?![\p{L}\p{N}_])/iuy;
const matches = /matches(?![\p{L}\p{N}_])/iuy;

function readTests(cursor: QueryCursor, operand: PowerExpression): PowerExpression {
  skipBlanks(cursor);
  if (take(cursor, contains) !== null) {
    return { kind: "contains", operand, text: readPowerText(cursor) };
  }
  if (take(cursor, matches) === null) return operand;
  skipBlanks(cursor);
  const offset = cursor.at + 1;
  return {
    kind: "matches",
    operand,
    regex: compileRe2(readPowerText(cursor, true), false, offset),
  };
}

const quoted = /"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'/y;
const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Reads a text in quotes. @param isRegex backslashes but those before quotes are kept */
export function readPowerText(cursor: QueryCursor, isRegex = false): string {
  skipBlanks(cursor);
  const match = take(cursor, quoted);
  const text = match?.[1] ?? match?.[2];
  if (text === undefined) {
    throw queryError(cursor.at, `expected a text but found ${found(cursor)}`, "write it in quotes");
  }
  if (isRegex) return text.replaceAll(/\\(["'])/g, "$1");
  return text.replaceAll(/\\([^])/g, (_, character: string) => controls[character] ?? character);
}

const name = /(?:\$?[\p{L}_])(?:[\p{L}\p{N}_.]|\\[^])*/uy;

/** Reads the name of a column or field. */
export function readPowerName(cursor: QueryCursor): string {
  skipBlanks(cursor);
  const text = take(cursor, name)?.[0].replaceAll(/\\([^])/g, "$1");
  if (text !== undefined) return text;
  throw queryError(cursor.at, `expected a name but found ${found(cursor)}`, "write a field's name");
}

const number = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?/y;
const notMark = /!(?!=)|not(?![\p{L}\p{N}_])/iuy;

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
  if (digits !== undefined) return { kind: "number", value: Number(digits) };
  const offset = cursor.at;
  const word = readPowerName(cursor);
  if (!accept(cursor, "(")) {
    if (word === "true" || word === "false") return { kind: "boolean", value: word === "true" };
    return word === "null" ? { kind: "null" } : { kind: "name", name: word };
  }
  const operands: PowerExpression[] = [];
  if (!accept(cursor, ")")) {
    do operands.push(readPowerExpression(cursor));
    while (accept(cursor, ","));
    expect(cursor, ")");
  }
  return { kind: "call", name: word, operands, offset };
}
