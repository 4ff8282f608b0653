// Random events of few words, so that random queries find some of them.
import * as fc from "fast-check";

export const words = [
  "error",
  "Error",
  "ERROR",
  "timeout",
  "user",
  "alice",
  "Bob",
  "ошибка",
  "Ошибка",
  "ß",
  "kilo",
  "web-1",
  "web-10",
  "db.main",
  "404",
  "500",
  "5.2",
  "1e3",
  "-7",
  "10.1.2.3",
  "fe80::1",
  "null",
  "true",
  "a_b",
  "x",
  "foo-bar",
  "/api/v1",
  "naïve",
  "50%",
] as const;

const word = fc.constantFrom(...words);
const glue = fc.constantFrom(
  " ",
  " ",
  " ",
  ", ",
  ": ",
  "=",
  "-",
  ".",
  "/",
  "",
  "“",
  "\t",
  "—",
  '"',
  "'",
);

/** Words with something between. */
export const sentence = fc
  .array(fc.tuple(word, glue), { minLength: 0, maxLength: 6 })
  .map((parts) => parts.flat().join(""));

export const keys = ["level", "status", "user", "a", "b", "n", "ms", "a.b"] as const;
const key = fc.constantFrom(...keys);

const number = fc.oneof(
  fc.integer({ min: -20, max: 600 }),
  fc.constantFrom(404, 500, 5.2, 1e21, 1e-7, 0.1, -0, 2 ** 53, 1000),
);
const scalar = fc.oneof(word, sentence, number, fc.boolean(), fc.constant(null));
const value = fc.oneof(
  { arbitrary: scalar, weight: 6 },
  { arbitrary: fc.array(scalar, { maxLength: 3 }), weight: 1 },
  {
    arbitrary: fc.dictionary(key, fc.oneof(scalar, fc.dictionary(key, scalar, { maxKeys: 2 })), {
      maxKeys: 3,
    }),
    weight: 2,
  },
);
export const jsonObject = fc.dictionary(key, value, { maxKeys: 4 });

/** Every character outside ASCII as an escape, as Python writes it. */
function escaped(json: string): string {
  return json.replaceAll(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const jsonMessage = fc
  .tuple(jsonObject, fc.constantFrom("plain", "spaced", "escaped"))
  .map(([object, form]) => {
    const text = JSON.stringify(object, undefined, form === "spaced" ? 1 : 0);
    return form === "escaped" ? escaped(text) : text;
  });

const pair = fc
  .tuple(key, word, fc.constantFrom("", '"', "'"))
  .map(([name, text, quote]) => `${name}=${quote}${text}${quote}`);
const pairMessage = fc
  .array(fc.oneof(pair, pair, word), { maxLength: 5 })
  .map((parts) => parts.join(" "));

export const message = fc.oneof(sentence, jsonMessage, jsonMessage, pairMessage);

/** 2026-11-20T00:00:00Z and some hours. */
export const someTime = fc
  .integer({ min: 0, max: 48 })
  .map((half) => 1_795_132_800n * 1_000_000_000n + BigInt(half) * 1_800_000_000_000n);
