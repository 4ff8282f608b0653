// Values of `key=value` pairs in messages, in TypeScript and as an expression of ClickHouse.
import { quote } from "./re2-text.ts";

const begin = "(?:^|[ \\t\\n\\r\\f,;|&?(){}\\[\\]\"'])";
const bare = "[^ \\t\\n\\r\\f,;|&(){}\\[\\]\"']";
const value = `=(?:"([^"]*)"|'([^']*)'|(${bare}*))`;

/** Means the same to RE2 and to JavaScript; of its three groups at most one takes part. */
export function pairRegex(key: string): string {
  return `${begin}${quote(key)}${value}`;
}

/** Likewise, of the pairs whose keys begin with the prefix and a dot. */
export function pairsBelowRegex(prefix: string): string {
  return `${begin}${quote(`${prefix}.`)}[^= \\t\\n\\r\\f,;|&?(){}\\[\\]"']*${value}`;
}

const known = new Map<string, RegExp>();
const maxKnown = 1000;

/** The value of the first pair of the key; undefined if there is none. */
export function readPair(message: string, key: string): string | undefined {
  const match = compile(pairRegex(key), "").exec(message);
  return match === null ? undefined : valueOf(match);
}

/** The values of all pairs whose keys begin with the prefix and a dot. */
export function readPairsBelow(message: string, prefix: string): string[] {
  return [...message.matchAll(compile(pairsBelowRegex(prefix), "g"))].map(valueOf);
}

function valueOf(match: RegExpExecArray): string {
  return match[1] ?? match[2] ?? match[3] ?? "";
}

function compile(text: string, flags: "" | "g"): RegExp {
  let regex = known.get(text);
  if (regex === undefined) {
    if (known.size >= maxKnown) known.clear();
    regex = new RegExp(text, flags);
    known.set(text, regex);
  }
  return regex;
}
