// Where a text stops being JSON.
import fc from "fast-check";
import { expect, test } from "vitest";
import { locateJsonFault } from "../../../ingest/protocols/json-fault.ts";

function faultOf(text: string) {
  try {
    JSON.parse(text);
  } catch (error) {
    return locateJsonFault(text, error);
  }
  throw new Error("it is JSON");
}

test.each([
  ["", 0, 1],
  ["{", 1, 1],
  ['{"a": }', 6, 1],
  ['{"a" 1}', 5, 1],
  ['{"a": 1,}', 8, 1],
  ["{'a': 1}", 1, 1],
  ['{"a": 1} x', 9, 1],
  ["[1, 2", 5, 1],
  ['{\n  "a": 1,\n  b: 2\n}', 14, 3],
  ['[\r\n"é",\r\nnope]', 9, 3],
  ["// comment\n1", 0, 1],
  ['{"a": "line\nbreak"}', 6, 1],
  ["NaN", 0, 1],
])("of %j it is at character %d, line %d", (text, offset, line) => {
  const fault = faultOf(text);
  expect(fault).toMatchObject({ offset, line });
  expect(fault.reason).toMatch(/^[A-Z][A-Za-z]+$/);
});

test("whatever the text, the fault lies within it and on its line", () => {
  const text = fc.string({ unit: fc.constantFrom(...'{}[]",:\\/ \n1e-tfnux'), maxLength: 30 });
  fc.assert(
    fc.property(text, (given) => {
      try {
        JSON.parse(given);
      } catch (error) {
        const { offset, line } = locateJsonFault(given, error);
        expect(offset).toBeGreaterThanOrEqual(0);
        expect(offset).toBeLessThanOrEqual(given.length);
        expect(line).toBe(given.slice(0, offset).split("\n").length);
      }
    }),
    { numRuns: 2000 },
  );
});

// The parser that finds faults calls itself for each level: 200,000 of them overflow the stack, and a
// malformed request would count as a failure of the service.
test.each([
  ["arrays", "[".repeat(200_000)],
  ["objects", '{"a":'.repeat(200_000)],
])("%s within one another for ever are a fault like any other", (_, text) => {
  expect(faultOf(text).offset).toBeLessThanOrEqual(text.length);
});

// It also collects every fault of the text when only the first is wanted.
test("a text of nothing but faults takes little time and memory", () => {
  const text = `{"events":[${",".repeat(4_000_000)}`;
  const before = process.memoryUsage().heapUsed;
  const begin = performance.now();
  expect(faultOf(text)).toMatchObject({ offset: 11, line: 1 });
  expect(performance.now() - begin).toBeLessThan(1000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
});
