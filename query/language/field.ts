// What queries name: the parts of an event, and what can be read out of its message.
import { LogboomError } from "../../schemas/errors.ts";
import type { Pattern } from "./pattern.ts";
import type { Re2 } from "./re2-regex.ts";

/** A field of an event has no values (it is missing), one, or several. All are texts. */
export type Field =
  /** As received; never missing. */
  | { readonly kind: "message" }
  /** ns since 1970, in digits; never missing. */
  | { readonly kind: "time" }
  /** An empty label is missing. */
  | { readonly kind: "label"; readonly index: 0 | 1 | 2 | 3 }
  | { readonly kind: "attribute"; readonly name: string }
  /** An attribute that is JSON if it begins with [ or is null: an array's scalars are its values, null is none. */
  | { readonly kind: "arrayAttribute"; readonly name: string }
  /** The values of the attributes whose whole name matches. */
  | { readonly kind: "attributesLike"; readonly names: Pattern }
  /** What stands between the commas of another field's values. */
  | { readonly kind: "list"; readonly of: Field }
  /** The values of all attributes. */
  | { readonly kind: "anyAttribute" }
  /**
   * Of a message that is a JSON object, under these keys from outside in, or else under one key that
   * is the names with dots between, or else with its numbers as places in arrays, from 0 on. Numbers as
   * ClickHouse writes them; an array's scalars are its values; null and objects are none.
   */
  | { readonly kind: "json"; readonly path: readonly string[] }
  /** The value in the first `key=value`, `key="value"` or `key='value'` of the message. */
  | { readonly kind: "pair"; readonly key: string }
  /** The scalars at any depth below these keys (none: all) of a message that is a JSON object, or below their names with dots. */
  | { readonly kind: "below"; readonly path: readonly string[] }
  /** The values of the message's pairs whose keys begin with this and a dot. */
  | { readonly kind: "pairsBelow"; readonly prefix: string }
  /** Another field's values, where a number with a unit, as 10kb or 5ms, is a plain one: bytes, ms. */
  | { readonly kind: "quantity"; readonly of: Field }
  /** What a named group of the expression captures first in the message; not the empty text. */
  | { readonly kind: "group"; readonly regex: Re2; readonly name: string }
  /** The values of the first of these that has any. */
  | { readonly kind: "firstOf"; readonly fields: readonly Field[] };

export const maxPathKeys = 32;

/** Whether a key of a longer path may be a place in an array. */
export function isPlace(key: string): boolean {
  return /^(?:0|[1-9]\d{0,5})$/.test(key);
}

/** The field of a JSON message by its name with dots. */
export function jsonField(name: string): Field {
  const path = name.split(".");
  if (path.length > maxPathKeys) {
    const what = `the field name has ${String(path.length)} keys`;
    throw new LogboomError("BAD_REQUEST", `${what}; write one of at most ${String(maxPathKeys)}`);
  }
  return { kind: "json", path };
}
