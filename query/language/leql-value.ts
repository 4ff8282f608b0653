// What tests of LEQL compare with: texts, expressions, networks, numbers.
import { readNetwork } from "./network.ts";
import { toNumber } from "./numeric-text.ts";
import type { Test } from "./predicate.ts";
import {
  expect,
  found,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { compileRe2, type Re2 } from "./re2-regex.ts";
import { containing, literal } from "./text-pattern.ts";

export interface ExpressionContext {
  readonly cursor: QueryCursor;
  readonly isLoose: boolean;
  /** What follows an expression that stands without where(). */
  readonly next?: RegExp;
  /** The expressions with named groups that were read; their groups are keys. */
  readonly regexes: Re2[];
}

const slashed = /\/((?:[^/\\]|\\[^])*)\/([A-Za-z]*)/y;

/** Reads an expression between slashes if one is next. */
export function readRegex(context: ExpressionContext): Re2 | undefined {
  const { cursor } = context;
  const begin = cursor.at;
  const match = take(cursor, slashed);
  if (match === null) return undefined;
  const flags = match[2] ?? "";
  if (/[^gi]/i.test(flags)) {
    throw queryError(cursor.at - flags.length, `unknown flags "${flags}"`, "write i, or nothing");
  }
  const regex = compileRe2(match[1] ?? "", context.isLoose || /i/i.test(flags), begin + 1);
  if (regex.groups.size > 0) context.regexes.push(regex);
  return regex;
}

const tripled = /'''([^]*?)'''|"""([^]*?)"""/y;
const doubled = /"((?:[^"\\]|\\[^])*)"/y;
const singled = /'((?:[^'\\]|\\[^])*)'/y;

/** Reads a text in quotes if one is next; a backslash escapes itself and quotes, and is kept before others. */
export function readQuoted(cursor: QueryCursor): string | undefined {
  const raw = take(cursor, tripled);
  if (raw !== null) return raw[1] ?? raw[2] ?? "";
  const match = take(cursor, doubled) ?? take(cursor, singled);
  return match?.[1]?.replaceAll(/\\([\\"'])/g, "$1");
}

export const bareValue = /(?:[^\s()[\]"',\\]|\\[^])+/y;
const nocase = /NOCASE\s*\(/iy;
const network = /IP\s*\(\s*(["']?)([^\s()"']*)\1\s*\)/iy;

export function readValue(context: ExpressionContext, ignoreCase: boolean): Test {
  const { cursor } = context;
  const begin = cursor.at;
  const regex = readRegex(context);
  if (regex !== undefined) return { kind: "regex", regex };
  const address = take(cursor, network);
  if (address !== null) {
    const text = address[2] ?? "";
    const read = readNetwork(text);
    if (read !== undefined) return { kind: "network", network: read };
    throw queryError(begin, `no network of IP addresses: "${text}"`, "write IP(10.0.0.0/8)");
  }
  if (take(cursor, nocase) !== null) {
    skipBlanks(cursor);
    const pattern = literal(readText(cursor), true);
    expect(cursor, ")");
    return { kind: "match", pattern };
  }
  const isQuoted = peek(cursor, /["']/y) !== null;
  const text = readText(cursor);
  const value = isQuoted ? undefined : toNumber(text);
  const pattern = context.isLoose ? containing(text, true) : literal(text, ignoreCase);
  const equal: Test = { kind: "match", pattern };
  if (value === undefined) return equal;
  return { kind: "or", operands: [equal, { kind: "number", comparison: "=", value }] };
}

/** Of another key: compared with =, !=, <, <=, > and >= alone. */
export const keyCall = /key\s*\(/iy;

export function readText(cursor: QueryCursor): string {
  if (peek(cursor, keyCall) !== null) {
    throw queryError(cursor.at, "key() where a value must stand", "write =, != or < before it");
  }
  const text = readQuoted(cursor) ?? take(cursor, bareValue)?.[0].replaceAll("\\\\", "\\");
  if (text !== undefined) return text;
  throw queryError(
    cursor.at,
    `expected a value but found ${found(cursor)}`,
    "write one, or quote it",
  );
}
