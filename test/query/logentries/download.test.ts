// The text of downloads.
import { expect, test } from "vitest";
import type { FoundEvent } from "../../../query/ask/question.ts";
import { linesOf } from "../../../query/logentries/download.ts";

test("an event is a line, whatever line breaks it has", async () => {
  async function* found() {
    for (const message of ["one", "two\n  lines", "three\r\nmore\n", ""]) {
      await Promise.resolve();
      yield { message } as FoundEvent;
    }
  }
  const pieces = await Array.fromAsync(linesOf(found()));
  expect(pieces.join("")).toBe("one\ntwo\u2028  lines\nthree\u2028more\u2028\n\n");
});
