// The parser of Scalyr's power queries: a filter, and commands behind bars that make a table of it.
import {
  readPowerExpression,
  readPowerName,
  readPowerText,
  type PowerExpression,
} from "./power-expression.ts";
import { and, type Predicate } from "./predicate.ts";
import {
  accept,
  found,
  openQuery,
  peek,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";
import { compileRe2, type Re2 } from "./re2-regex.ts";
import { quote } from "./re2-text.ts";
import { readScalyrFilter } from "./scalyr-filter.ts";

export interface PowerColumn {
  readonly name: string;
  readonly expression: PowerExpression;
}

export type PowerCommand =
  | { readonly kind: "filter"; readonly condition: PowerExpression }
  | { readonly kind: "let" | "columns"; readonly columns: readonly PowerColumn[] }
  | {
      readonly kind: "group";
      readonly columns: readonly PowerColumn[];
      readonly by: readonly PowerColumn[];
    }
  | {
      readonly kind: "sort";
      readonly keys: readonly { expression: PowerExpression; isDescending: boolean }[];
    }
  | { readonly kind: "limit"; readonly count: number }
  /** The groups of the expression, in order, are columns of these names. */
  | {
      readonly kind: "parse";
      readonly from: PowerExpression;
      readonly regex: Re2;
      readonly names: readonly string[];
    };

export interface PowerQuery {
  /** The filter, and those that stand before any other command. */
  readonly where: Predicate;
  readonly commands: readonly PowerCommand[];
}

const maxCommands = 50;
const maxColumns = 50;
const defaultLimit = 10;
const maxLimit = 100_000;
const commandName = /(filter|let|parse|group|sort|limit|columns)(?![\p{L}\p{N}_])/uy;

/** @throws LogboomError BAD_REQUEST with `details.offset` in UTF-16 code units of the text */
export function parsePowerQuery(text: string): PowerQuery {
  // A comment has as many blanks, so that offsets stay.
  const cursor = openQuery(withoutComments(text));
  const filters = [readScalyrFilter(cursor)];
  const commands: PowerCommand[] = [];
  while (accept(cursor, "|")) {
    skipBlanks(cursor);
    const begin = cursor.at;
    const name = take(cursor, commandName)?.[1];
    if (name === undefined) {
      const names = "filter, let, parse, group, sort, limit or columns";
      throw queryError(begin, `expected a command but found ${found(cursor)}`, `write ${names}`);
    }
    if (commands.length === maxCommands) {
      throw queryError(begin, `more than ${String(maxCommands)} commands`, "write fewer");
    }
    if (name === "filter" && commands.length === 0) filters.push(readScalyrFilter(cursor));
    else commands.push(readCommand(cursor, name));
  }
  skipBlanks(cursor);
  if (cursor.at < cursor.text.length) {
    throw queryError(cursor.at, `unexpected ${found(cursor)}`, "write | before a command");
  }
  return { where: and(...filters), commands };
}

function withoutComments(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|\/\/[^\n]*/g,
    (all, kept: string | undefined) => kept ?? " ".repeat(all.length),
  );
}

function readCommand(cursor: QueryCursor, name: string): PowerCommand {
  switch (name) {
    case "filter":
      return { kind: "filter", condition: readPowerExpression(cursor) };
    case "let":
    case "columns":
      return { kind: name, columns: readColumns(cursor) };
    case "group": {
      const columns = readColumns(cursor, true);
      skipBlanks(cursor);
      const isGrouped = take(cursor, /by(?![\p{L}\p{N}_])/iuy) !== null;
      return { kind: "group", columns, by: isGrouped ? readColumns(cursor) : [] };
    }
    case "sort": {
      const keys = readList(cursor, () => {
        skipBlanks(cursor);
        const sign = take(cursor, /[+-]/y)?.[0];
        return { expression: readPowerExpression(cursor), isDescending: sign === "-" };
      });
      return { kind: "sort", keys };
    }
    case "limit": {
      skipBlanks(cursor);
      const digits = take(cursor, /[0-9]{1,9}/y)?.[0];
      return {
        kind: "limit",
        count: digits === undefined ? defaultLimit : Math.min(Number(digits), maxLimit),
      };
    }
    default:
      return readParse(cursor);
  }
}

function readList<Item>(cursor: QueryCursor, read: () => Item): Item[] {
  const items: Item[] = [];
  do {
    if (items.length === maxColumns) {
      throw queryError(cursor.at, `more than ${String(maxColumns)} columns`, "write fewer");
    }
    items.push(read());
  } while (accept(cursor, ","));
  return items;
}

const assigned = /((?:\$?[\p{L}_])(?:[\p{L}\p{N}_.]|\\[^])*)\s*=(?!=)/uy;

/** A column without a name is called as it is written. */
function readColumns(cursor: QueryCursor, areCalls = false): PowerColumn[] {
  return readList(cursor, () => {
    skipBlanks(cursor);
    const name = take(cursor, assigned)?.[1]?.replaceAll(/\\([^])/g, "$1");
    skipBlanks(cursor);
    const begin = cursor.at;
    const expression = readPowerExpression(cursor);
    if (areCalls && expression.kind !== "call") {
      throw queryError(begin, "a group of something else than a function", "write count()");
    }
    return { name: name ?? cursor.text.slice(begin, cursor.at).trim(), expression };
  });
}

const placeholder = /\$([\p{L}_][\p{L}\p{N}_]*)(?:\{regex=((?:[^}\\]|\\[^])*)\})?\$/gu;

/** `"GET $path$ took $ms{regex=\\d+}$"`: texts between placeholders stand as they are. */
function readParse(cursor: QueryCursor): PowerCommand {
  const readSource = (): PowerExpression | undefined => {
    skipBlanks(cursor);
    if (take(cursor, /from(?![\p{L}\p{N}_])/iuy) === null) return undefined;
    return { kind: "name", name: readPowerName(cursor) };
  };
  const before = readSource();
  skipBlanks(cursor);
  const offset = cursor.at;
  const format = readPowerText(cursor, true);
  const from = before ?? readSource() ?? { kind: "name", name: "message" };
  const names: string[] = [];
  const parts: string[] = [];
  let end = 0;
  for (const match of format.matchAll(placeholder)) {
    const [all, name = "", regex] = match;
    parts.push(quote(format.slice(end, match.index)));
    end = match.index + all.length;
    if (regex !== undefined && /\((?!\?[:i])/.test(regex)) {
      throw queryError(offset, "a group within a placeholder", "write (?:…)");
    }
    names.push(name);
    parts.push(`(${regex ?? (end === format.length ? ".*" : ".*?")})`);
  }
  if (names.length === 0) {
    throw queryError(offset, "a format without fields", 'write "took $ms$ ms"');
  }
  const regex = compileRe2(parts.join("") + quote(format.slice(end)), false, offset);
  if (peek(cursor, /\||$|\s/y) === null)
    throw queryError(cursor.at, `unexpected ${found(cursor)}`, "write |");
  return { kind: "parse", from, regex, names };
}
