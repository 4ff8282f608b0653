// Patterns of what people write to find a text.
import { expect, test } from "vitest";
import { Matcher } from "../../../query/language/matcher.ts";
import {
  containing,
  endingWith,
  globbed,
  globbedWords,
  literal,
  phrase,
  startingWith,
} from "../../../query/language/text-pattern.ts";

const star = { wildcard: "*" } as const;
const any = { wildcard: "?" } as const;

test.for([
  [literal("Err", false), "Err", true],
  [literal("Err", false), "err", false],
  [literal("Err", true), "eRR", true],
  [literal("Ошибка", true), "оШИБКА", true],
  [literal("ß", true), "SS", false],
  // The sign of Kelvin is another character than k.
  [literal("k", true), "\u212a", false],
  [containing("b", false), "abc", true],
  [startingWith("ab", false), "abc", true],
  [startingWith("bc", false), "abc", false],
  [endingWith("BC", true), "abc", true],
  [endingWith("ab", true), "abc", false],
  [globbed(["a", star, "c", any], false), "abbcé", true],
  [globbed(["a", star, "c", any], false), "abbc", false],
  [globbed(["a.c"], false), "abc", false],
  [globbedWords(["err", star]), "an Error, no", true],
  [globbedWords(["err", star]), "terror", false],
  [globbedWords([star, "or"]), "error: no", true],
  [globbedWords([star, "or"]), "errors", false],
  [globbedWords(["a", star, "b"]), "a b", false],
  [phrase("time out"), "TIME-OUT", true],
  [phrase("time out"), "timeout", false],
  [phrase("time"), "times", false],
  [phrase("naïve"), "“NAÏVE”", true],
  [phrase("5"), "v5_2", false],
  [phrase("error"), '{"log":"first\\nerror"}', true],
  [phrase("***"), "a *** b", true],
  [phrase("ошибка"), "ошибка—да", true],
] as const)("%# finds what it says", ([pattern, text, expected]) => {
  expect(new Matcher(pattern).check(Buffer.from(text))).toBe(expected);
});
