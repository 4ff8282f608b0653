// Where lines end, for both kinds of separators.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitLines } from "../../../ingest/protocols/lines.ts";

function linesOf(text: string, splitsAtCr = false): string[] {
  return [...splitLines(Buffer.from(text), splitsAtCr)].map((line) => line.toString("utf8"));
}

/** The same by the platform's own means: text after the last separator is a line unless it is empty. */
function splitText(text: string, separator: RegExp): string[] {
  const lines = text.split(separator);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

describe("lines that end with a line feed", () => {
  test.each([
    ["", []],
    ["\n", [""]],
    ["\r\n", [""]],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\r\n", ["a"]],
    ["a\n\n", ["a", ""]],
    ["\na", ["", "a"]],
    ["a\nb", ["a", "b"]],
    ["a\r\nb\r\n", ["a", "b"]],
    ["a\rb\n", ["a\rb"]],
    ["a\r", ["a\r"]],
    ["a\r\r\n", ["a\r"]],
    [" a \n", [" a "]],
    ["a\0b\u2028c\n", ["a\0b\u2028c"]],
  ])("of %j are %j", (text, lines) => {
    expect(linesOf(text)).toEqual(lines);
  });

  const text = fc.string({
    unit: fc.constantFrom("\n", "\r", "\r\n", "a", "é", " "),
    maxLength: 12,
  });

  test("are what a split at \\n and \\r\\n gives", () => {
    fc.assert(
      fc.property(text, (body) => {
        expect(linesOf(body)).toEqual(splitText(body, /\r?\n/));
      }),
    );
  });

  test("are what a split at \\n, \\r and \\r\\n gives where a lone \\r ends a line as well", () => {
    fc.assert(
      fc.property(text, (body) => {
        expect(linesOf(body, true)).toEqual(splitText(body, /\r\n|\n|\r/));
      }),
    );
  });
});

describe("lines that may end with a carriage return", () => {
  test.each([
    ["", []],
    ["\r", [""]],
    ["a\r", ["a"]],
    ["a\rb", ["a", "b"]],
    ["a\rb\r\nc\nd", ["a", "b", "c", "d"]],
    ["\r\r", ["", ""]],
    ["\n\r", ["", ""]],
    ["\r\n\r", ["", ""]],
    ["a\r\r\n", ["a", ""]],
  ])("of %j are %j", (text, lines) => {
    expect(linesOf(text, true)).toEqual(lines);
  });
});

test("bytes that are no UTF-8 are passed on as they are", () => {
  const body = Buffer.from([0xff, 0xfe, 0x0a, 0x80]);
  expect([...splitLines(body)]).toEqual([Buffer.from([0xff, 0xfe]), Buffer.from([0x80])]);
});
