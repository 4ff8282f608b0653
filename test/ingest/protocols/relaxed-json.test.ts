// Scalyr's relaxed JSON: all of JSON, what is more, and the offset of what is neither.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRelaxedJson } from "../../../ingest/protocols/relaxed-json.ts";
import { LogboomError } from "../../../schemas/errors.ts";

const parse = (text: string | Buffer) => parseRelaxedJson(Buffer.from(text));

/** A string with its length in front. */
function prefixed(
  content: string | Buffer,
  length = Buffer.byteLength(content),
  kind = "s",
): Buffer {
  const head = Buffer.alloc(6);
  head.write(`\`${kind}`);
  head.writeInt32BE(length, 2);
  return Buffer.concat([head, Buffer.from(content)]);
}

describe("JSON", () => {
  test("of any kind is what JSON.parse makes of it", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, stringUnit: "grapheme" }), fc.nat(3), (text, indent) => {
        const value: unknown = JSON.parse(text, (_, part: unknown) =>
          typeof part === "number" && !Number.isSafeInteger(part) && Number.isInteger(part)
            ? 0
            : part,
        );
        const spaced = JSON.stringify(value, null, indent);
        if (spaced.includes("__proto__")) return;
        expect(parse(spaced)).toEqual(JSON.parse(spaced));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    "0",
    "-1",
    "1.5",
    "1e3",
    "-2.5E-3",
    '""',
    '"\\u00e9\\n\\"\\/"',
    "true",
    "null",
    " [ ] ",
  ])("%s", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe("what is more than JSON", () => {
  test.each([
    ["keys without quotes", "{a:1, b_2:2, _c:3}", { a: 1, b_2: 2, _c: 3 }],
    ["the last of equal keys", "{threads: [], threads: [1]}", { threads: [1] }],
    ["comments", "{ // one\n a: /* two */ 1 }", { a: 1 }],
    ["a comma left out at a line break", "{a: 1\n b: [1\n2\r\n3]\n}", { a: 1, b: [1, 2, 3] }],
    ["a comma left out at a comment of two lines", "[1 /*\n*/ 2]", [1, 2]],
    ["a comma left out after a string", '["a"\n"b"]', ["a", "b"]],
    ["a comma before the end", '{"a":[1,],}', { a: [1] }],
    ["strings put together", '"a" + "b"\n+ """c"""', "abc"],
    ["a raw string", '"""a\\n"b"\n"""', 'a\\n"b"\n'],
    [
      "18 digits exactly",
      "[999999999999999999, -123456789012345678]",
      [999_999_999_999_999_999n, -123_456_789_012_345_678n],
    ],
    ["16 digits as a number where that is exact", "[1234567890123456]", [1_234_567_890_123_456]],
    ["an unknown escape", '"a\\qb\\é"', "aqbé"],
    ["a control character in a string", '"a\tb\nc"', "a\tb\nc"],
  ])("%s", (_, text, value) => {
    expect(parse(text)).toEqual(value);
  });

  test("a string with its length in front has any bytes", () => {
    const content = Buffer.from([0x22, 0x0a, 0x00, 0xff, 0x60, 0x73, 0x5c]);
    const text = Buffer.concat([Buffer.from("{message:"), prefixed(content), Buffer.from(",n:1}")]);
    expect(parse(text)).toEqual({ message: content, n: 1 });
    expect(parse(prefixed("bytes", 5, "b"))).toEqual(Buffer.from("bytes"));
    expect(parse(prefixed(""))).toEqual(Buffer.alloc(0));
  });

  test("a key __proto__ changes nothing", () => {
    const value = parse('{"__proto__": {"a": 1}, b: 2}');
    expect(value).toEqual({ b: 2 });
    expect((value as Record<string, unknown>)["a"]).toBeUndefined();
  });
});

describe("a fault", () => {
  test.each<[string, string | Buffer, number, string]>([
    ["an unterminated string", '{a:"b', 3, "the closing quote"],
    ["an unterminated string with escapes", '{a:"b\\n', 3, "the closing quote"],
    ["a backslash at the end", '"\\', 2, "a character after the backslash"],
    ["an unterminated raw string", '"""a""', 0, 'the closing """'],
    [
      "a length past the end",
      Buffer.concat([Buffer.from("[1,"), prefixed("abc", 4)]),
      3,
      "at most the 3 bytes that follow, not 4",
    ],
    ["a negative length", prefixed("abc", -1), 0, "at most the 3 bytes that follow, not -1"],
    ["a length that is cut", Buffer.from("`s\0\0"), 0, "`s or `b and a length"],
    ["another kind of length", prefixed("a", 1, "x"), 0, "`s or `b and a length"],
    ["no comma on one line", "[1 2]", 3, '"," or a closing bracket'],
    ["two commas", "[1,,2]", 3, "a value"],
    ["an unclosed array", "[1,", 3, "a value"],
    ["an unclosed object", "{a:1", 4, '"," or a closing bracket'],
    ["a key that is a number", "{1:1}", 1, "a name"],
    ["a key without a value", "{a}", 2, '":"'],
    ["a word", "truth", 0, "a value"],
    ["a number that is none", "1.2.3", 0, "a number"],
    ["a minus", "-", 0, "a number"],
    ["a number of 65 digits", "1".repeat(65), 0, "a number"],
    ["a bad escape", '"\\u12g4"', 3, "four hexadecimal digits"],
    ["a comment without its end", "/* x", 0, "the end of the comment"],
    ["a slash", "/x", 0, "a comment"],
    ["a plus without a string", '"a" + 1', 6, "a string"],
    ["more after the value", "{} x", 3, "the end"],
    ["nothing", "", 0, "a value"],
    ["too many levels", "[".repeat(101), 100, "at most 100 levels"],
  ])("is %s", (_, text, offset, expected) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: "BAD_REQUEST",
        details: { offset },
        message: expect.stringContaining(`at offset ${offset}: expected`) as string,
      }),
    );
    expect(() => parse(text)).toThrow(expected);
  });

  test("and nothing else comes of any bytes", () => {
    const part = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      '"""',
      "`s\0\0\0\u0002",
      "a:",
      ",",
      "\n",
      "//",
      "/*",
      "*/",
      "+",
      "-1",
      "\\u",
      "true",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(part, fc.string({ unit: "binary" })), { maxLength: 30 }),
        (parts) => {
          try {
            parse(parts.join(""));
          } catch (error) {
            expect(error).toBeInstanceOf(LogboomError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
