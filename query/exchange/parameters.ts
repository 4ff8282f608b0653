// Parameters of vendors' requests, read strictly; a parameter without a value is absent.
import { LogboomError } from "../../schemas/errors.ts";

export function textParameter(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === "" ? undefined : value;
}

/** A whole number within bounds. */
export function wholeParameter(
  query: URLSearchParams,
  name: string,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = textParameter(query, name);
  if (text === undefined) return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw badParameter(name, text, `a whole number from ${min} to ${max}`);
}

/** One of several words. */
export function wordParameter<Word extends string>(
  query: URLSearchParams,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  const text = textParameter(query, name);
  if (text === undefined) return words[0];
  const word = words.find((one) => one === text);
  if (word !== undefined) return word;
  throw badParameter(name, text, `one of ${words.join(", ")}`);
}

export function badParameter(name: string, value: string, expected: string): LogboomError {
  const shown = value.slice(0, 100);
  return new LogboomError(
    "BAD_REQUEST",
    `unexpected "${shown}" in "${name}"; expected ${expected}`,
    {
      details: { field: name, value: shown },
    },
  );
}
