// Lines of a connection: the same however the bytes are cut, and never more held than allowed.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryBudget } from "../../../ingest/memory-budget.ts";
import type { LineProtocol } from "../../../ingest/protocols/line-protocol.ts";
import { LineBuffer } from "../../../ingest/sockets/line-buffer.ts";

let budget: MemoryBudget;

beforeEach(() => {
  budget = new MemoryBudget(10_000);
});

interface Options extends Partial<Pick<LineProtocol, "overflow" | "countsOctets">> {
  readonly maxBytes?: number;
}

/** Lines, continuations with a plus in front, and reasons of drops in angle brackets. */
function collect({ maxBytes = 1000, overflow = "split", countsOctets = false }: Options = {}) {
  const lines: string[] = [];
  const buffer = new LineBuffer({
    maxBytes,
    overflow,
    countsOctets,
    budget: () => budget,
    onLine: (line, isContinuation) => lines.push((isContinuation ? "+" : "") + line.toString()),
    onDrop: (reason) => lines.push(`<${reason}>`),
  });
  return { lines, buffer };
}

function linesOf(pieces: readonly (string | Buffer)[], options?: Options): string[] {
  const { lines, buffer } = collect(options);
  for (const piece of pieces) buffer.push(Buffer.from(piece));
  buffer.end();
  expect(budget.usedBytes).toBe(0);
  return lines;
}

/** The pieces of bytes that are cut at random places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe("lines", () => {
  test.each([
    [["a\nb\r\nc"], ["a", "b", "c"]],
    [["a", "b", "\n"], ["ab"]],
    [
      ["a\r", "\nb\n"],
      ["a", "b"],
    ],
    [["\n\na\n"], ["", "", "a"]],
    [[""], []],
  ])("of %j are %j", (pieces, lines) => {
    expect(linesOf(pieces)).toEqual(lines);
  });

  test("are the same however the bytes are cut", () => {
    const text = fc.array(fc.constantFrom("a", "é", "🙂", "\n", "\r\n", "12 ", "x".repeat(30)), {
      maxLength: 30,
    });
    const overflow = fc.constantFrom("split" as const, "cut" as const, "drop" as const);
    fc.assert(
      fc.property(
        text,
        fc.array(fc.nat()),
        overflow,
        fc.boolean(),
        (parts, places, overflow, countsOctets) => {
          const bytes = Buffer.from(parts.join(""));
          const options = { maxBytes: 40, overflow, countsOctets };
          expect(linesOf(cut(bytes, places), options)).toEqual(linesOf([bytes], options));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("a line that is too long", () => {
  test("is split into whole characters", () => {
    expect(linesOf([`${"é".repeat(8)}\nb\n`], { maxBytes: 5 })).toEqual([
      "éé",
      "+éé",
      "+éé",
      "+éé",
      "b",
    ]);
    expect(linesOf([`${"🙂".repeat(3)}x\n`], { maxBytes: 6 })).toEqual(["🙂", "+🙂", "+🙂x"]);
    expect(linesOf(["abcdef\n"], { maxBytes: 3 })).toEqual(["abc", "+def"]);
  });

  test("is split where no characters are to be found", () => {
    const { lines, buffer } = collect({ maxBytes: 4 });
    buffer.push(Buffer.alloc(10, 0x80));
    buffer.end();
    expect(lines).toHaveLength(3);
  });

  test("is put together again by its parts", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 200 }),
        fc.integer({ min: 4, max: 50 }),
        (text, maxBytes) => {
          const line = text.replaceAll(/[\r\n]/g, " ");
          const lines = linesOf([`${line}\n`], { maxBytes });
          expect(
            lines
              .map((part) => part.replace(/^\+/, ""))
              .join("")
              .replaceAll("+", ""),
          ).toBe(line.replaceAll("+", ""));
          for (const part of lines)
            expect(Buffer.byteLength(part)).toBeLessThanOrEqual(maxBytes + 1);
        },
      ),
    );
  });

  test("is cut, and the next one whole", () => {
    expect(linesOf(["abcdef\ng\n"], { maxBytes: 3, overflow: "cut" })).toEqual(["abc", "g"]);
  });

  test("is dropped with its reason, and the next one taken", () => {
    expect(linesOf(["abcdef\ng\n"], { maxBytes: 3, overflow: "drop" })).toEqual([
      "<too-long>",
      "g",
    ]);
  });
});

describe("counted messages", () => {
  const options = { countsOctets: true };

  test.each([
    [["5 a\nb c3 xyz"], ["a\nb c", "xyz"]],
    [
      ["1", "1", " hello", " world4 next"],
      ["hello world", "next"],
    ],
    [["<14>1 a\n3 abc<14>1 b\n"], ["<14>1 a", "abc", "<14>1 b"]],
    [["12345678 is no length\n"], ["12345678 is no length"]],
    [["12a\n"], ["12a"]],
    [["12"], ["12"]],
    [["5 ab"], ["ab"]],
  ])("of %j are %j", (pieces, lines) => {
    expect(linesOf(pieces, options)).toEqual(lines);
  });

  test("that are too long are cut to the limit", () => {
    expect(linesOf(["8 abcdefgh2 ok"], { ...options, maxBytes: 3, overflow: "cut" })).toEqual([
      "abc",
      "ok",
    ]);
  });
});

describe("memory", () => {
  test("of an unfinished line grows to the limit and no further", () => {
    const { lines, buffer } = collect({ maxBytes: 4096, overflow: "cut" });
    for (let sent = 0; sent < 100_000; sent += 7) buffer.push(Buffer.from("1234567"));
    // Two KiB are every connection's own.
    expect(budget.usedBytes).toBe(2048);
    expect(lines).toEqual([]);
    buffer.push(Buffer.from("\nx\n"));
    expect(lines.map(({ length }) => length)).toEqual([4096, 1]);
    expect(budget.usedBytes).toBe(0);
  });

  test("that all lines share, when it is spent, costs the line that asks for more", () => {
    budget.take(9000);
    const { lines, buffer } = collect({ maxBytes: 16_384 });
    buffer.push(Buffer.from("x".repeat(2000)));
    buffer.push(Buffer.from("y".repeat(2000)));
    buffer.push(Buffer.from("more\n"));
    buffer.push(Buffer.from("short"));
    buffer.push(Buffer.from(" line\n"));
    expect(lines).toEqual(["<overloaded>", "short line"]);
    expect(budget.usedBytes).toBe(9000);
  });
});
