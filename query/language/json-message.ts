// Messages that are JSON, read as ClickHouse's JSON functions do (simdjson): what SQL finds in a
// message and what is found here must be the same.
//
// The two parsers differ from JSON.parse: the first of equal keys counts, an escaped lone surrogate,
// an integer beyond 64 bits or a number beyond a double make the whole message invalid, and so does
// nesting of 1024. JSON.parse checks the grammar; the walk below may then take it for granted.

import { isPlace } from "./field.ts";

export type Json =
  | { readonly kind: "text"; readonly text: string }
  /** A number or boolean, as ClickHouse writes it. */
  | { readonly kind: "scalar"; readonly text: string }
  | { readonly kind: "null" }
  | { readonly kind: "array"; readonly items: Json[] }
  /** Where a key is repeated, `entries` has its first value, and `all` every one. */
  | { readonly kind: "object"; readonly entries: Map<string, Json>; all?: [string, Json][] };

type Container = Extract<Json, { kind: "array" | "object" }>;

const maxDepth = 1023;
const between = /[ \t\n\r,:]*/y;
const scalarText = /[-+.0-9eEa-z]+/y;
const closing = /[ \t\n\r]*[}\]]/y;
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const maxUInt64 = 2n ** 64n - 1n;
const minInt64 = -(2n ** 63n);

/** The document, an object or array, that a message is; undefined = none. Linear in its length. */
export function readJson(given: string): Json | undefined {
  // simdjson skips a byte order mark.
  const message = given.startsWith("\ufeff") ? given.slice(1) : given;
  const first = message.charCodeAt(0);
  // Nothing but objects and arrays has values within.
  if (first !== 0x7b && first !== 0x5b && first > 0x20) return undefined;
  try {
    JSON.parse(message);
  } catch {
    return undefined;
  }
  return walk(message);
}

/** The tree of a text that JSON.parse takes; undefined if simdjson does not. */
function walk(message: string): Json | undefined {
  const root: Container = { kind: "array", items: [] };
  const open: Container[] = [root];
  /** The key that waits for its value, of each open container. */
  const keys: (string | undefined)[] = [undefined];
  for (let at = skip(between, message, 0); at < message.length; at = skip(between, message, at)) {
    const begin = at;
    const container = open.at(-1) ?? root;
    const character = message.charAt(begin);
    let value: Json | undefined;
    if (character === "}" || character === "]") {
      open.pop();
      keys.pop();
      at += 1;
      continue;
    }
    if (character === '"') {
      at = endOfString(message, begin);
      const text = readString(message.slice(begin, at));
      if (text === undefined) return undefined;
      if (container.kind === "object" && keys.at(-1) === undefined) {
        keys[keys.length - 1] = text;
        continue;
      }
      value = { kind: "text", text };
    } else if (character === "{" || character === "[") {
      at += 1;
      // simdjson does not count what is empty.
      if (open.length > maxDepth && skip(closing, message, at) === at) return undefined;
      value =
        character === "{" ? { kind: "object", entries: new Map() } : { kind: "array", items: [] };
    } else {
      at = skip(scalarText, message, begin);
      value = readScalar(message.slice(begin, at));
      if (value === undefined) return undefined;
    }
    if (container.kind === "array") container.items.push(value);
    else {
      const key = keys.at(-1) ?? "";
      if (container.entries.has(key)) container.all ??= [...container.entries];
      else container.entries.set(key, value);
      container.all?.push([key, value]);
      keys[keys.length - 1] = undefined;
    }
    if (value.kind === "array" || value.kind === "object") {
      open.push(value);
      keys.push(undefined);
    }
  }
  return root.items[0];
}

/** Where the match of a sticky expression ends; `at` if there is none. */
function skip(sticky: RegExp, text: string, at: number): number {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : at;
}

function endOfString(text: string, begin: number): number {
  for (let at = begin + 1; ; at += 1) {
    at = text.indexOf('"', at);
    let slash = at;
    while (text.charAt(slash - 1) === "\\") slash -= 1;
    if ((at - slash) % 2 === 0) return at + 1;
  }
}

function readString(quoted: string): string | undefined {
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  const text = JSON.parse(quoted) as string;
  return loneSurrogate.test(text) ? undefined : text;
}

function readScalar(text: string): Json | undefined {
  if (text === "null") return { kind: "null" };
  if (text === "true" || text === "false") return { kind: "scalar", text };
  if (/^-?\d+$/.test(text)) {
    // Twenty digits hold every 64-bit integer; converting thousands of them would take long.
    if (text.length > 21) return undefined;
    const integer = BigInt(text);
    if (integer > maxUInt64 || integer < minInt64) return undefined;
    return { kind: "scalar", text: integer.toString() };
  }
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  const written = Object.is(number, -0) ? "-0" : String(number).replace("e+", "e");
  return { kind: "scalar", text: written };
}

/** The value under these keys, or under one key that joins them with dots. */
export function findJson(document: Json | undefined, path: readonly string[]): Json | undefined {
  let at = document;
  for (const key of path) at = at?.kind === "object" ? at.entries.get(key) : undefined;
  if (at !== undefined || path.length === 1) return at;
  const flat = document?.kind === "object" ? document.entries.get(path.join(".")) : undefined;
  return flat ?? (path.some(isPlace) ? findByPlaces(document, path) : undefined);
}

/** What is under a path all of whose numbers are places in arrays. */
function findByPlaces(document: Json | undefined, path: readonly string[]): Json | undefined {
  let at = document;
  for (const key of path) {
    if (isPlace(key)) at = at?.kind === "array" ? at.items[Number(key)] : undefined;
    else at = at?.kind === "object" ? at.entries.get(key) : undefined;
  }
  return at;
}

/** The values of a field that has this JSON. */
export function textsOfJson(json: Json | undefined): string[] {
  if (json === undefined) return [];
  if (json.kind === "text" || json.kind === "scalar") return [json.text];
  if (json.kind !== "array") return [];
  return json.items.flatMap((item) =>
    item.kind === "text" || item.kind === "scalar" ? [item.text] : [],
  );
}
