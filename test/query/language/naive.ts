// What queries mean, defined as plainly as can be, and apart from the sources: strings, split and
// JavaScript's regular expressions.

/** The values of a JSON field of a message, by name with dots. */
export function jsonValues(message: string, name: string): string[] {
  let document: unknown;
  try {
    document = JSON.parse(message);
  } catch {
    return [];
  }
  if (!isObject(document)) return [];
  let at: unknown = document;
  for (const key of name.split(".")) {
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  if (at === undefined && Object.hasOwn(document, name)) at = document[name];
  return (Array.isArray(at) ? at : [at]).flatMap((value) => {
    if (typeof value === "string") return [value];
    if (typeof value === "boolean") return [String(value)];
    if (typeof value === "number")
      return [Object.is(value, -0) ? "0" : String(value).replace("+", "")];
    return [];
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonObject(message: string): boolean {
  try {
    return isObject(JSON.parse(message));
  } catch {
    return false;
  }
}

/** The value of a pair in a message. */
export function pairValues(message: string, key: string): string[] {
  for (let at = message.indexOf(`${key}=`); at >= 0; at = message.indexOf(`${key}=`, at + 1)) {
    const isBegin = at === 0 || " \t\n\r\f,;|&?(){}[]\"'".includes(message.charAt(at - 1));
    if (!isBegin) continue;
    const rest = message.slice(at + key.length + 1);
    const quote = rest.charAt(0);
    const close = quote === '"' || quote === "'" ? rest.indexOf(quote, 1) : -1;
    if (close > 0) return [rest.slice(1, close)];
    const end = [...rest].findIndex((character) => " \t\n\r\f,;|&(){}[]\"'".includes(character));
    return [end < 0 ? rest : [...rest].slice(0, end).join("")];
  }
  return [];
}

/** Words in lower case; an escape of JSON as \n separates. */
export function wordsIn(text: string, hasEscapes: boolean): string[] {
  const clean = hasEscapes ? text.replaceAll(/\\[bfnrt]/g, " ") : text;
  return (clean.match(/[\p{L}\p{N}_]+/gu) ?? []).map((word) => word.toLowerCase());
}

/** Whether words stand in others one after another. */
export function standsIn(inner: readonly string[], outer: readonly string[]): boolean {
  return outer.some((_, at) => inner.every((word, index) => outer[at + index] === word));
}

export function numberIn(text: string): number | undefined {
  return /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

export function compare(operator: string, left: number | string, right: number | string): boolean {
  if (operator === "<") return left < right;
  if (operator === "<=") return left <= right;
  if (operator === ">") return left > right;
  if (operator === ">=") return left >= right;
  return left === right;
}
