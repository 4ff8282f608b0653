// Values of `key=value` pairs in messages, in TypeScript and as an expression of ClickHouse.
import { quote } from "./re2-text.ts";

/** Means the same to RE2 and to JavaScript; of its three groups at most one takes part. */
export function pairRegex(key: string): string {
  const begin = "(?:^|[ \\t\\n\\r\\f,;|&?(){}\\[\\]\"'])";
  const bare = "([^ \\t\\n\\r\\f,;|&(){}\\[\\]\"']*)";
  return `${begin}${quote(key)}=(?:"([^"]*)"|'([^']*)'|${bare})`;
}

const known = new Map<string, RegExp>();
const maxKnown = 1000;

/** The value of the first pair of the key; undefined if there is none. */
export function readPair(message: string, key: string): string | undefined {
  let regex = known.get(key);
  if (regex === undefined) {
    if (known.size >= maxKnown) known.clear();
    regex = new RegExp(pairRegex(key));
    known.set(key, regex);
  }
  const match = regex.exec(message);
  return match === null ? undefined : (match[1] ?? match[2] ?? match[3] ?? "");
}
