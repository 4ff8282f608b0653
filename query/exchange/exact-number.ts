// Whole numbers that are longer than a JavaScript number holds, in JSON.

/** ECMAScript's JSON.rawJSON, which the type library lacks: JSON.stringify writes the digits as they are. */
export function exactNumber(digits: string): unknown {
  return (JSON as typeof JSON & { rawJSON(text: string): unknown }).rawJSON(digits);
}

/** For JSON.parse: keeps whole numbers as they were written, for JSON.stringify to write them so again. */
export function keepExact(
  _: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const { source = "" } = context ?? {};
  return /^-?\d+$/.test(source) ? exactNumber(source) : value;
}
