// Ranges of characters against the encoding of every character in them.
import { expect, test } from "vitest";
import { utf8Sequences } from "../../../query/language/utf8.ts";

test.for([
  [0x80, 0x7ff],
  [0x80, 0xffff],
  [0xe9, 0xe9],
  [0x7fe, 0x801],
  [0xd7fe, 0xe001],
  [0xffff, 0x10001],
  [0x1f600, 0x1f64f],
  [0x80, 0x10ffff],
] as const)(
  "the characters from %i to %i are spelled, each once, and no others",
  ([first, last]) => {
    const sequences = utf8Sequences([first, last]);
    let count = 0;
    const wrong: number[] = [];
    for (let codePoint = first; codePoint <= last; codePoint += 1) {
      if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
      count += 1;
      if (last - first > 100_000 && codePoint % 37 !== 0) continue;
      const bytes = Buffer.from(String.fromCodePoint(codePoint));
      const matching = sequences.filter(
        (sequence) =>
          sequence.length === bytes.length &&
          sequence.every(([low, high], place) => {
            const byte = bytes[place] ?? -1;
            return byte >= low && byte <= high;
          }),
      );
      if (matching.length !== 1) wrong.push(codePoint);
    }
    expect(wrong).toEqual([]);
    const spelled = sequences.map((sequence) =>
      sequence.reduce((product, [low, high]) => product * (high - low + 1), 1),
    );
    expect(spelled.reduce((sum, product) => sum + product, 0)).toBe(count);
  },
);
