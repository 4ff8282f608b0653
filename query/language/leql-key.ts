// Keys of LEQL as fields of events.
import { jsonField, maxPathKeys, type Field } from "./field.ts";
import { queryError } from "./query-cursor.ts";

/** `key.*` */
const belowKey = /^(.*[^.])\.\*$/s;
const dottedKey = /^[A-Za-z_$@][\w$@-]*(?:\.[\w$@-]+){1,31}$/;

/**
 * The field of a key: of the line's JSON, or of a pair key=value in it; of all keys below another for `key.*`.
 * @param at its offset in the query
 */
export function leqlField(key: string, at: number): Field {
  const { length } = key.split(".");
  if (length > maxPathKeys) {
    throw queryError(at, `a name of ${length} keys`, `write one of at most ${maxPathKeys}`);
  }
  const prefix = belowKey.exec(key)?.[1];
  if (prefix !== undefined) {
    const path = prefix.split(".");
    return {
      kind: "firstOf",
      fields: [
        { kind: "below", path },
        { kind: "pairsBelow", prefix },
      ],
    };
  }
  return { kind: "firstOf", fields: [jsonField(key), { kind: "pair", key }] };
}

/** Numbers with units, as a field may have them, are compared as plain ones. */
export function leqlQuantity(field: Field): Field {
  return { kind: "quantity", of: field };
}

export function isBelowKey(name: string): boolean {
  return belowKey.test(name);
}

/** Whether a word looks like the name of a key within another. */
export function isDottedKey(word: string): boolean {
  return dottedKey.test(word);
}
