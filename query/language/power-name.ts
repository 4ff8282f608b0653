// Names and lists in power queries.
import { readPowerName, readPowerText } from "./power-expression.ts";
import { accept, queryError, skipBlanks, type QueryCursor } from "./query-cursor.ts";

/** A name, and where it stands in the query. */
export interface PowerName {
  readonly name: string;
  readonly offset: number;
}

const maxItems = 50;

/** Reads a name as it is, or in quotes. */
export function readName(cursor: QueryCursor): PowerName {
  skipBlanks(cursor);
  const offset = cursor.at;
  const isQuoted = /["']/.test(cursor.text.charAt(offset));
  return { name: isQuoted ? readPowerText(cursor) : readPowerName(cursor), offset };
}

/** Reads items with commas between. */
export function readList<Item>(cursor: QueryCursor, read: () => Item): Item[] {
  const items: Item[] = [];
  do {
    if (items.length === maxItems) {
      throw queryError(cursor.at, `more than ${String(maxItems)} columns`, "write fewer");
    }
    items.push(read());
  } while (accept(cursor, ","));
  return items;
}
