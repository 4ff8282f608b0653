// The bodies of Scalyr's API: the native parser's shortcut, beside the reader of the relaxed form.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRelaxedJson } from "../../../ingest/protocols/relaxed-json.ts";
import { parseScalyrBody } from "../../../ingest/protocols/scalyr-json.ts";

test("JSON is read as the relaxed form is, with every digit of a number", () => {
  const number = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }).map(String),
    fc.constantFrom("0", "-1", "1.5", "1234567890123456e-3", "0.12345678901234567", "1e20"),
  );
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    number.map((digits) => `a: ${digits}`),
    fc.constantFrom(":`s", "{a:`s\u0000\u0000\u0000\u0001b}"),
  );
  const value = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      number,
      text.map((one) => JSON.stringify(one)),
      fc.array(tie("value")).map((items) => `[${items.join(", ")}]`),
    ),
  })).value;
  const body = fc
    .array(fc.tuple(text, value))
    .map((fields) =>
      fields
        .map(([name, one]) => `${JSON.stringify(name)}: ${one}`)
        .filter((one) => !one.startsWith('"__proto__"')),
    )
    .map((fields) => Buffer.from(`{${fields.join(",")}}`));
  fc.assert(
    fc.property(body, (bytes) => {
      expect(parseScalyrBody(bytes)).toEqual(parseRelaxedJson(bytes));
    }),
    { numRuns: 500 },
  );
});
