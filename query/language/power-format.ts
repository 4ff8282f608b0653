// The format of a power query's `parse`: `"GET $path$ took $ms{regex=\\d+}$"`.
import { found, peek, queryError, skipBlanks, type QueryCursor } from "./query-cursor.ts";
import { readPowerText } from "./power-expression.ts";
import { compileRe2, type Re2 } from "./re2-regex.ts";
import { quote } from "./re2-text.ts";

const placeholder = /\$([\p{L}_][\p{L}\p{N}_]*)(?:\{regex=((?:[^}\\]|\\[^])*)\})?\$/gu;

/**
 * Texts between placeholders stand as they are; each placeholder is a group, in order.
 * @throws LogboomError BAD_REQUEST unless a format is next
 */
export function readParseFormat(cursor: QueryCursor): { regex: Re2; names: readonly string[] } {
  skipBlanks(cursor);
  const offset = cursor.at;
  const format = readPowerText(cursor, true);
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
  if (peek(cursor, /[|)]|$|\s/y) === null) {
    throw queryError(cursor.at, `unexpected ${found(cursor)}`, "write |");
  }
  return { regex, names };
}
