// What every parser of queries owes its callers: refusals with an offset, whatever it is given.
import * as fc from "fast-check";
import { expect } from "vitest";
import { compilePredicateSearch } from "../../../query/language/predicate-search.ts";
import type { Predicate } from "../../../query/language/predicate.ts";
import { LogboomError } from "../../../schemas/errors.ts";

/** Expects the query to be refused at the offset. */
export function expectRefusals(
  parse: (text: string) => unknown,
  query: string,
  offset: number,
): void {
  let refused: unknown;
  try {
    parse(query);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(LogboomError);
  expect(refused).toMatchObject({ code: "BAD_REQUEST", details: { offset } });
}

/** Expects random texts to be parsed and compiled, or refused; @param parts of the language */
export function survivesAnything(
  parse: (text: string) => Predicate,
  parts: readonly string[],
  runs = 500,
): void {
  const piece = fc.oneof(
    fc.constantFrom(...parts),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.constantFrom("a", "1", " ", "*", "\\", "'", "-", "é", "\ud800"),
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((all) => all.join("")),
    fc.tuple(piece, fc.constantFrom(10, 100, 9000)).map(([all, times]) => all.repeat(times)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        compilePredicateSearch(parse(text));
      } catch (error) {
        if (!(error instanceof LogboomError)) throw error;
        expect(error.code).toBe("BAD_REQUEST");
        expect(error.details["offset"]).toBeGreaterThanOrEqual(0);
        expect(error.details["offset"]).toBeLessThanOrEqual(text.length);
      }
    }),
    { numRuns: runs },
  );
}
