// Texts that a body repeats: whatever was read before, each is what its bytes say.
import fc from "fast-check";
import { expect, test } from "vitest";
import { KnownTexts } from "../../../ingest/protocols/known-texts.ts";

test("a text is what its bytes say, also where many others came before", () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }),
    fc.string({ maxLength: 80 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 600 }), (texts) => {
      const known = new KnownTexts();
      for (const one of texts) {
        const bytes = Buffer.from(`<${one}>`);
        expect(known.read(bytes, 1, bytes.length - 1)).toBe(one);
      }
    }),
  );
});
