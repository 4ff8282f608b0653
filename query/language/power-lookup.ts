// `lookup` of power queries: columns out of a table that the customer keeps, beside each row.
import { readPowerExpression, type PowerExpression } from "./power-expression.ts";
import { readList, readName, type PowerName } from "./power-name.ts";
import {
  countTerm,
  found,
  queryError,
  skipBlanks,
  take,
  type QueryCursor,
} from "./query-cursor.ts";

export interface PowerLookup {
  readonly kind: "lookup";
  readonly table: PowerName;
  /** The new columns, and the table's that they are. */
  readonly values: readonly { readonly name: string; readonly column: PowerName }[];
  /** The table's columns that are searched, and what for. */
  readonly by: readonly { readonly column: PowerName; readonly value: PowerExpression }[];
}

/** Reads `name, x = "y" from "table" by id = customerId, region`, where a name alone is both a column and a field. */
export function readLookup(cursor: QueryCursor): PowerLookup {
  const values = readList(cursor, () => {
    countTerm(cursor);
    const given = readName(cursor);
    return { name: given.name, column: readEquals(cursor) ? readName(cursor) : given };
  });
  readWord(cursor, /from(?![\p{L}\p{N}_])/iuy, "from");
  const table = readName(cursor);
  readWord(cursor, /by(?![\p{L}\p{N}_])/iuy, "by");
  const by = readList(cursor, () => {
    countTerm(cursor);
    const column = readName(cursor);
    const value: PowerExpression = readEquals(cursor)
      ? readPowerExpression(cursor)
      : { kind: "name", ...column };
    return { column, value };
  });
  return { kind: "lookup", table, values, by };
}

/** Later versions of the vendor's have other comparisons, as `=:anycase`. */
function readEquals(cursor: QueryCursor): boolean {
  skipBlanks(cursor);
  const offset = cursor.at;
  const equals = take(cursor, /==?(:[\p{L}\p{N}_]*)?/uy);
  if (equals?.[1] === undefined) return equals !== null;
  throw queryError(
    offset,
    `no such comparison: ${equals[0]}`,
    "write =, which compares whole values",
  );
}

function readWord(cursor: QueryCursor, word: RegExp, name: string): void {
  skipBlanks(cursor);
  if (take(cursor, word) !== null) return;
  const what = `expected "${name}" but found ${found(cursor)}`;
  throw queryError(cursor.at, what, 'write lookup name from "table" by id = field');
}
