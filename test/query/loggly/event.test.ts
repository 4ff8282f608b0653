// Events as Loggly shows them.
import { expect, test } from "vitest";
import { toLogglyEvent } from "../../../query/loggly/event.ts";
import type { FoundEvent } from "../../../query/ask/question.ts";

function shown(message: string): string {
  const found: FoundEvent = {
    time: 1n,
    ingested: 1n,
    tie: 1n,
    message,
    attributes: {},
    prefixes: ["", "", "", "loggly"],
  };
  return JSON.stringify(toLogglyEvent(found).event);
}

test.each([
  '{"id":12345678901234567890,"below":{"list":[-9007199254740993,1]},"text":"1234567890123456"}',
  '{"ratio":0.1234567890123456,"wide":1e+300}',
])("%s keeps its numbers", (message) => {
  expect(shown(message)).toBe(`{"json":${message}}`);
});

test("what is no JSON has no parts of it", () => {
  expect(shown('{"id":12345678901234567890')).toBe("{}");
});
