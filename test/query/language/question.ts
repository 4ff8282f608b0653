// Queries as they are written, each with a naive definition of what it asks: the oracle of the
// languages' parsers, the translation to SQL and the evaluator.
import * as fc from "fast-check";
import { expect } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import type { Predicate } from "../../../query/language/predicate.ts";
import { toQueryEvent, type PlainEvent, type QueryStore } from "./query-store.ts";

/** How tightly a query binds: what is looser than its place needs parentheses. */
const tightness = { or: 0, and: 1, not: 2, term: 3 } as const;

export interface Question {
  readonly text: string;
  readonly form: keyof typeof tightness;
  holds(this: void, event: PlainEvent): boolean;
}

export interface Syntax {
  readonly and: readonly string[];
  readonly or: readonly string[];
  readonly not: readonly string[];
}

function within(question: Question, form: keyof typeof tightness): string {
  return tightness[question.form] < tightness[form] ? `(${question.text})` : question.text;
}

/** Random combinations of random terms. */
export function combined(terms: fc.Arbitrary<Question>, syntax: Syntax): fc.Arbitrary<Question> {
  return fc.letrec<{ any: Question; term: Question; joined: Question; negated: Question }>(
    (tie) => ({
      any: fc.oneof(
        { maxDepth: 3, depthSize: "small" },
        { arbitrary: tie("term"), weight: 3 },
        { arbitrary: tie("joined"), weight: 3 },
        { arbitrary: tie("negated"), weight: 1 },
      ),
      term: terms,
      joined: fc
        .tuple(
          fc.array(tie("any"), { minLength: 2, maxLength: 3 }),
          fc.constantFrom("and" as const, "or" as const),
          fc.nat(),
        )
        .map(([operands, form, pick]) => ({
          text: operands
            .map((operand) => within(operand, form === "and" ? "not" : "and"))
            .join(syntax[form][pick % syntax[form].length]),
          form,
          holds: (event: PlainEvent) =>
            form === "and"
              ? operands.every((operand) => operand.holds(event))
              : operands.some((operand) => operand.holds(event)),
        })),
      negated: fc.tuple(tie("any"), fc.constantFrom(...syntax.not)).map(([operand, word]) => ({
        text: `${word}${within(operand, "term")}`,
        form: "not" as const,
        holds: (event: PlainEvent) => !operand.holds(event),
      })),
    }),
  ).any;
}

/**
 * Expects ClickHouse and the evaluator to find what the naive definitions do.
 * @returns how many answers were compared
 */
export async function expectAnswers(
  store: QueryStore,
  events: readonly PlainEvent[],
  questions: readonly Question[],
  parse: (text: string) => Predicate,
): Promise<number> {
  const predicates = questions.map(({ text }) => parse(text));
  const answers = await store.ask(predicates);
  const differences: unknown[] = [];
  const queryEvents = events.map(toQueryEvent);
  for (const [index, question] of questions.entries()) {
    const check = compileHolds(predicates[index] ?? { kind: "never" });
    const { passed, isExact, where } = answers[index] ?? {};
    for (const [n, event] of events.entries()) {
      const expected = question.holds(event);
      const evaluated = check(queryEvents[n] as (typeof queryEvents)[number]);
      const isPassed = passed?.has(n) === true;
      const isRight = evaluated === expected && (isPassed === expected || (isPassed && !isExact));
      if (isRight) continue;
      differences.push({
        query: question.text,
        event,
        expected,
        evaluated,
        isPassed,
        isExact,
        where,
      });
    }
  }
  expect(differences.slice(0, 3)).toEqual([]);
  // These are small enough for SQL to say them all.
  expect(answers.filter(({ isExact }) => !isExact)).toEqual([]);
  return questions.length * events.length;
}
