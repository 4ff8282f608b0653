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

/** The scalars below a key of a message that is JSON, or below its name with a dot behind. */
export function jsonBelow(message: string, prefix: string): string[] {
  if (!isJsonObject(message)) return [];
  const document = JSON.parse(message) as Record<string, unknown>;
  let at: unknown = document;
  for (const key of prefix.split(".")) {
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  const flat = Object.keys(document).filter((key) => key.startsWith(`${prefix}.`));
  return [...(isObject(at) ? [at] : []), ...flat.map((key) => document[key])].flatMap(scalarsIn);
}

/** All values of a message that is a JSON object, at any depth. */
export function allJsonValues(message: string): string[] {
  return isJsonObject(message) ? scalarsIn(JSON.parse(message)) : [];
}

function scalarsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) {
    return value === null ? [] : jsonValues(JSON.stringify({ x: value }), "x");
  }
  return Object.values(value).flatMap(scalarsIn);
}

const separators = " \t\n\r\f,;|&?(){}[]\"'";

/** The value of a pair in a message. */
export function pairValues(message: string, key: string): string[] {
  for (let at = message.indexOf(`${key}=`); at >= 0; at = message.indexOf(`${key}=`, at + 1)) {
    if (at > 0 && !separators.includes(message.charAt(at - 1))) continue;
    return [valueAt(message, at + key.length + 1).value];
  }
  return [];
}

/** The values of the pairs whose keys begin with a prefix and a dot. */
export function pairsBelow(message: string, prefix: string): string[] {
  const values: string[] = [];
  for (let at = message.indexOf(`${prefix}.`); at >= 0; at = message.indexOf(`${prefix}.`, at)) {
    const equals = message.indexOf("=", at);
    const name = message.slice(at + prefix.length + 1, equals);
    const isBegin = at === 0 || separators.includes(message.charAt(at - 1));
    if (!isBegin || equals < 0 || [...name].some((one) => separators.includes(one))) {
      at += 1;
      continue;
    }
    const { value, end } = valueAt(message, equals + 1);
    values.push(value);
    at = end;
  }
  return values;
}

function valueAt(message: string, begin: number): { value: string; end: number } {
  const rest = message.slice(begin);
  const quote = rest.charAt(0);
  const close = quote === '"' || quote === "'" ? rest.indexOf(quote, 1) : -1;
  if (close > 0) return { value: rest.slice(1, close), end: begin + close + 1 };
  const bare = separators.replace("?", "");
  let end = 0;
  while (end < rest.length && !bare.includes(rest.charAt(end))) end += 1;
  return { value: rest.slice(0, end), end: begin + end };
}

/** A number, in bytes or ms when it has a unit. */
export function quantityIn(text: string): number | undefined {
  const units: Record<string, number> = {
    kb: 1024,
    mb: 1048576,
    us: 0.001,
    ms: 1,
    s: 1000,
    m: 60000,
  };
  const unit = (/[a-z]+$/i.exec(text)?.[0] ?? "").toLowerCase();
  const factor = units[unit];
  if (factor === undefined) return numberIn(text);
  const plain = text.slice(0, -unit.length);
  const number = plain.toLowerCase().includes("e") ? undefined : numberIn(plain);
  return number === undefined ? undefined : number * factor;
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
