// The parser of LEQL, the query language of Logentries: clauses around a predicate on lines.
import type { Field } from "./field.ts";
import { readExpression } from "./leql-expression.ts";
import { leqlField, leqlQuantity } from "./leql-key.ts";
import { readQuoted, type ExpressionContext } from "./leql-value.ts";
import { toNumber } from "./numeric-text.ts";
import { and, type Comparison, type Predicate } from "./predicate.ts";
import {
  accept,
  expect,
  found,
  nested,
  openQuery,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { readQuantity } from "./quantity.ts";
import type { Re2 } from "./re2-regex.ts";

export interface LeqlKey {
  /** As it is written. */
  readonly name: string;
  readonly field: Field;
}

export type LeqlCalculation =
  /** Without a key: of events; with one: of events that have it. */
  | { readonly kind: "count"; readonly key?: LeqlKey }
  | {
      readonly kind: "sum" | "average" | "min" | "max" | "unique" | "standarddeviation";
      readonly key: LeqlKey;
    }
  /** 0..100 */
  | { readonly kind: "percentile"; readonly percent: number; readonly key: LeqlKey }
  /** The bytes of the lines. */
  | { readonly kind: "bytes" };

/** What is asked of a group. */
export type LeqlHaving =
  | { readonly kind: "and" | "or"; readonly operands: readonly LeqlHaving[] }
  | {
      readonly kind: "compare";
      readonly calculation: LeqlCalculation;
      readonly comparison: Comparison | "!=";
      readonly value: number;
    };

export interface LeqlQuery {
  readonly where: Predicate;
  /** What is shown of each event; empty = all. */
  readonly select: readonly (LeqlKey & { readonly as: string })[];
  readonly groupby: readonly LeqlKey[];
  readonly calculate: LeqlCalculation | undefined;
  readonly having: LeqlHaving | undefined;
  /** How many slices, or how long each is. */
  readonly timeslice: { readonly count: number } | { readonly seconds: number } | undefined;
  readonly sort: { readonly order: "asc" | "desc"; readonly key: string | undefined } | undefined;
  /** Of events or groups; for several keys of groupby one each. */
  readonly limit: readonly number[];
}

const maxKeys = 16;
const maxSlices = 10_000;
const clause = /(where|group_?by|calculate|having|timeslice|sort|limit|select)\s*\(/iy;

/**
 * Parses a statement. One that begins with no clause is what would stand in where().
 * @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text
 */
export function parseLeql(text: string): LeqlQuery {
  const regexes: Re2[] = [];
  const query = readStatement(text, regexes, []);
  // Keys may be groups of expressions that stand behind them.
  return regexes.length === 0 ? query : readStatement(text, [], regexes);
}

interface State extends ExpressionContext {
  /** The expressions whose groups are keys. */
  readonly known: readonly Re2[];
  query: Partial<LeqlQuery>;
}

function readStatement(text: string, regexes: Re2[], known: readonly Re2[]): LeqlQuery {
  const cursor = openQuery(text);
  // An option at the end of where() changes how its beginning is read.
  const isLoose = /,\s{0,9}loose\s{0,9}\)/i.test(text);
  const state: State = { cursor, isLoose, regexes, known, query: {} };
  const where: Predicate[] = [];
  skipBlanks(cursor);
  if (text.trim() !== "" && peek(cursor, clause) === null) {
    where.push(readExpression({ ...state, next: clause }));
  }
  for (skipBlanks(cursor); ; skipBlanks(cursor)) {
    const begin = cursor.at;
    const name = take(cursor, clause)?.[1]?.toLowerCase().replace("_", "");
    if (name === undefined) break;
    if (name === "where") where.push(readWhere(state));
    else readClause(state, name, begin);
    expect(cursor, ")");
  }
  if (cursor.at < text.length) {
    const clauses = "where, groupby, calculate, having, timeslice, sort, limit or select";
    throw queryError(cursor.at, `expected a clause but found ${found(cursor)}`, `write ${clauses}`);
  }
  return {
    where: where.length === 0 ? { kind: "always" } : and(...where),
    select: [],
    groupby: [],
    calculate: undefined,
    having: undefined,
    timeslice: undefined,
    sort: undefined,
    limit: [],
    ...state.query,
  };
}

function readClause(state: State, name: string, begin: number): void {
  const { cursor } = state;
  if (Object.hasOwn(state.query, name)) {
    throw queryError(begin, `a second ${name}()`, "write one");
  }
  const set = (part: Partial<LeqlQuery>) => {
    state.query = { ...state.query, ...part };
  };
  switch (name) {
    case "groupby":
      return set({ groupby: readKeys(state) });
    case "select":
      return set({ select: readSelected(state) });
    case "calculate":
      return set({ calculate: readCalculation(state) });
    case "having":
      return set({ having: readHaving(state) });
    case "timeslice":
      return set({ timeslice: readTimeslice(cursor) });
    case "sort":
      return set({ sort: readSort(cursor) });
    default:
      return set({ limit: readLimit(cursor) });
  }
}

const option = /,\s*(?:loose|strict)\s*(?=\))/iy;

function readWhere(state: State): Predicate {
  skipBlanks(state.cursor);
  if (peek(state.cursor, /\)/y) !== null) return { kind: "always" };
  const predicate = readExpression(state);
  skipBlanks(state.cursor);
  take(state.cursor, option);
  return predicate;
}

const bareKey = /[^\s()[\]"',=<>!]+/y;

function readKey(state: State): LeqlKey {
  const { cursor, known } = state;
  skipBlanks(cursor);
  const begin = cursor.at;
  const name = readQuoted(cursor) ?? take(cursor, bareKey)?.[0];
  if (name === undefined) {
    throw queryError(
      cursor.at,
      `expected a key but found ${found(cursor)}`,
      "write one, or quote it",
    );
  }
  return keyOf(name, known, begin);
}

/** A key by its name: a group of an expression before a field of the line. */
function keyOf(name: string, regexes: readonly Re2[], at: number): LeqlKey {
  const regex = regexes.find(({ groups }) => groups.has(name));
  if (regex !== undefined) return { name, field: { kind: "group", regex, name } };
  if (name === "#log") return { name, field: { kind: "label", index: 1 } };
  return { name, field: leqlField(name, at) };
}

function readKeys(state: State): LeqlKey[] {
  const keys: LeqlKey[] = [];
  do {
    if (keys.length === maxKeys) {
      throw queryError(state.cursor.at, `more than ${String(maxKeys)} keys`, "write fewer");
    }
    keys.push(readKey(state));
  } while (accept(state.cursor, ","));
  return keys;
}

const alias = /as\s+/iy;

function readSelected(state: State): LeqlQuery["select"] {
  const selected: (LeqlKey & { as: string })[] = [];
  do {
    if (selected.length === maxKeys) {
      throw queryError(state.cursor.at, `more than ${String(maxKeys)} keys`, "write fewer");
    }
    const key = readKey(state);
    skipBlanks(state.cursor);
    const as = take(state.cursor, alias) === null ? key.name : readKey(state).name;
    selected.push({ ...key, as });
  } while (accept(state.cursor, ","));
  return selected;
}

const calculation = /([A-Za-z]+)(?:\s*\(\s*([0-9.]+)\s*\))?\s*(:?)/y;
const kinds: Readonly<Record<string, Exclude<LeqlCalculation["kind"], "count" | "bytes">>> = {
  sum: "sum",
  average: "average",
  avg: "average",
  min: "min",
  max: "max",
  unique: "unique",
  percentile: "percentile",
  pctl: "percentile",
  standarddeviation: "standarddeviation",
  sd: "standarddeviation",
};

function readCalculation(state: State): LeqlCalculation {
  const { cursor } = state;
  skipBlanks(cursor);
  const begin = cursor.at;
  const [, written = "", percent, colon] = take(cursor, calculation) ?? [];
  const name = written.toLowerCase();
  if (percent === undefined && name === "bytes" && colon === "") return { kind: "bytes" };
  if (percent === undefined && name === "count") {
    return colon === "" ? { kind: "count" } : { kind: "count", key: readKey(state) };
  }
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined || colon === "" || (kind === "percentile") !== (percent !== undefined)) {
    const what = written === "" ? found(cursor) : `"${written}"`;
    throw queryError(
      begin,
      `no calculation: ${what}`,
      "write count, sum:key or percentile(95):key",
    );
  }
  if (kind === "unique") return { kind, key: readKey(state) };
  if (kind !== "percentile") return { kind, key: readQuantityKey(state) };
  const value = toNumber(percent ?? "");
  if (value === undefined || value > 100) {
    throw queryError(begin, `no percentile: ${percent ?? ""}`, "write 0 to 100");
  }
  return { kind, percent: value, key: readQuantityKey(state) };
}

/** A key whose values are numbers, with units or without. */
function readQuantityKey(state: State): LeqlKey {
  const { name, field } = readKey(state);
  return { name, field: leqlQuantity(field) };
}

const havingOr = /OR(?![^\s(])|\|\|/iy;
const havingAnd = /AND(?![^\s(])|&&/iy;
const havingOperator = /[<>]=?|!==?|==?/y;
const number = /[+-]?[0-9][0-9.A-Za-zµ+-]*/y;

function readHaving(state: State): LeqlHaving {
  const { cursor } = state;
  const readJoined = (kind: "and" | "or", word: RegExp, read: () => LeqlHaving): LeqlHaving => {
    const operands = [read()];
    for (skipBlanks(cursor); take(cursor, word) !== null; skipBlanks(cursor)) operands.push(read());
    const [only] = operands;
    return operands.length === 1 && only !== undefined ? only : { kind, operands };
  };
  const readOne = (): LeqlHaving => {
    if (accept(cursor, "(")) {
      return nested(cursor, () => {
        const having = readHaving(state);
        expect(cursor, ")");
        return having;
      });
    }
    const calculated = readCalculation(state);
    skipBlanks(cursor);
    const operator = take(cursor, havingOperator)?.[0].replace("==", "=");
    skipBlanks(cursor);
    const begin = cursor.at;
    const written = take(cursor, number)?.[0] ?? "";
    const value = toNumber(written) ?? readQuantity(written);
    if (operator === undefined || value === undefined) {
      cursor.at = begin;
      throw queryError(begin, `expected a comparison but found ${found(cursor)}`, "write >= 5");
    }
    const comparison = operator as Comparison | "!=";
    return { kind: "compare", calculation: calculated, comparison, value };
  };
  return readJoined("or", havingOr, () => readJoined("and", havingAnd, readOne));
}

const slice = /([0-9]{1,9})\s*([A-Za-z]*)/y;
const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const unit =
  /^(?:(s)(?:ec(?:ond)?s?)?|(m)(?:in(?:ute)?s?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?|(w)(?:eeks?)?)$/i;

function readTimeslice(cursor: QueryCursor): LeqlQuery["timeslice"] {
  skipBlanks(cursor);
  const begin = cursor.at;
  const [, digits = "", name = ""] = take(cursor, slice) ?? [];
  const amount = Number(digits);
  if (name === "") {
    if (amount >= 1 && amount <= maxSlices) return { count: amount };
    throw queryError(
      begin,
      `no count of slices: ${digits || found(cursor)}`,
      `write 1 to ${String(maxSlices)}`,
    );
  }
  const seconds = secondsOf[unit.exec(name)?.slice(1).find(Boolean)?.toLowerCase() ?? ""];
  if (seconds !== undefined && amount >= 1) return { seconds: amount * seconds };
  throw queryError(begin, `no length of slices: ${digits}${name}`, "write 30m, 1h or 1d");
}

const order = /(asc|desc)(?:ending)?(?:\s*#\s*([^\s()]+))?/iy;

function readSort(cursor: QueryCursor): LeqlQuery["sort"] {
  skipBlanks(cursor);
  const match = take(cursor, order);
  if (match === null) {
    throw queryError(
      cursor.at,
      `expected an order but found ${found(cursor)}`,
      "write asc or desc",
    );
  }
  return { order: (match[1] ?? "").toLowerCase() as "asc" | "desc", key: match[2] };
}

function readLimit(cursor: QueryCursor): number[] {
  const limits: number[] = [];
  do {
    skipBlanks(cursor);
    const digits = take(cursor, /[0-9]{1,9}/y)?.[0];
    if (digits === undefined || Number(digits) < 1) {
      throw queryError(cursor.at, `expected a limit but found ${found(cursor)}`, "write 1 or more");
    }
    limits.push(Number(digits));
  } while (limits.length < maxKeys && accept(cursor, ","));
  return limits;
}
