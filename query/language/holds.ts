// Whether a predicate holds for an event: decides what SQL cannot, linear in the event's length.
import { EventReader, type QueryEvent } from "./event-reader.ts";
import { Matcher } from "./matcher.ts";
import { isInNetwork } from "./network.ts";
import { toNumber } from "./numeric-text.ts";
import type { Pattern } from "./pattern.ts";
import type { Comparison, Predicate, Test } from "./predicate.ts";

/** States that the matchers of one predicate keep together: about 50 MB at most. */
const maxWeight = 500_000;
const minWeight = 5_000;

type Check = (reader: EventReader) => boolean;

/**
 * Compiles a predicate once for many events. What it learns of patterns is kept.
 * The function throws LogboomError BAD_REGEX on an event that is too costly for a pattern near the limits.
 */
export function compileHolds(predicate: Predicate): (event: QueryEvent) => boolean {
  const weight = Math.max(minWeight, Math.floor(maxWeight / (1 + countPatterns(predicate))));
  const check = compile(predicate, weight);
  return (event) => check(new EventReader(event));
}

function countPatterns(node: Predicate | Test): number {
  switch (node.kind) {
    case "match":
      return 1;
    case "and":
    case "or":
      return node.operands.reduce((sum, operand) => sum + countPatterns(operand), 0);
    case "not":
      return countPatterns(node.operand);
    case "field":
      return countPatterns(node.test);
    default:
      return 0;
  }
}

function compile(predicate: Predicate, weight: number): Check {
  switch (predicate.kind) {
    case "always":
      return () => true;
    case "never":
      return () => false;
    case "and": {
      const all = predicate.operands.map((operand) => compile(operand, weight));
      return (reader) => all.every((check) => check(reader));
    }
    case "or": {
      const all = predicate.operands.map((operand) => compile(operand, weight));
      return (reader) => all.some((check) => check(reader));
    }
    case "not": {
      const check = compile(predicate.operand, weight);
      return (reader) => !check(reader);
    }
    case "match": {
      const matcher = new Matcher(predicate.pattern, weight);
      return ({ event }) => matcher.check(event.message);
    }
    case "field": {
      const { field, test } = predicate;
      if (field.kind === "message" && test.kind === "match") {
        return compile({ kind: "match", pattern: test.pattern }, weight);
      }
      const check = compileTestToCheck(test, weight);
      return (reader) => reader.texts(field).some(check);
    }
    case "compare":
      return (reader) =>
        comparesTexts(
          predicate.comparison,
          reader.texts(predicate.left),
          reader.texts(predicate.right),
        );
    case "isObject":
      return (reader) => reader.isObject;
    case "time": {
      const { comparison, time } = predicate;
      return ({ event }) =>
        compares(comparison, event.time < time ? -1 : event.time > time ? 1 : 0);
    }
  }
}

/** Compiles a test of one value. */
export function compileTestToCheck(test: Test, weight = minWeight): (text: string) => boolean {
  switch (test.kind) {
    case "always":
      return () => true;
    case "and": {
      const all = test.operands.map((operand) => compileTestToCheck(operand, weight));
      return (text) => all.every((check) => check(text));
    }
    case "or": {
      const all = test.operands.map((operand) => compileTestToCheck(operand, weight));
      return (text) => all.some((check) => check(text));
    }
    case "not": {
      const check = compileTestToCheck(test.operand, weight);
      return (text) => !check(text);
    }
    case "match":
      return checkPattern(test.pattern, weight);
    case "regex":
      return (text) => test.regex.test(text);
    case "number":
      return (text) => {
        const number = toNumber(text);
        return number !== undefined && compares(test.comparison, number - test.value);
      };
    case "isNumber":
      return (text) => toNumber(text) !== undefined;
    case "order": {
      const bound = Buffer.from(test.text);
      return (text) => compares(test.comparison, Buffer.compare(Buffer.from(text), bound));
    }
    case "network":
      return (text) => isInNetwork(test.network, text);
  }
}

function checkPattern(pattern: Pattern, weight: number): (text: string) => boolean {
  const matcher = new Matcher(pattern, weight);
  return (text) => matcher.check(Buffer.from(text));
}

/** Linear in the number of values: a message may hold very many. */
function comparesTexts(
  comparison: Comparison,
  left: readonly string[],
  right: readonly string[],
): boolean {
  const [leftNumbers, rightNumbers] = [left, right].map((texts) =>
    texts.map(toNumber).filter((number) => number !== undefined),
  ) as [number[], number[]];
  if (comparison === "=") {
    const texts = new Set(right);
    const numbers = new Set(rightNumbers);
    return (
      left.some((text) => texts.has(text)) || leftNumbers.some((number) => numbers.has(number))
    );
  }
  if (leftNumbers.length === 0 || rightNumbers.length === 0) return false;
  const smallest = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.min(a, b));
  const largest = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.max(a, b));
  return comparison.startsWith("<")
    ? compares(comparison, smallest(leftNumbers) - largest(rightNumbers))
    : compares(comparison, largest(leftNumbers) - smallest(rightNumbers));
}

function compares(comparison: Comparison, difference: number): boolean {
  switch (comparison) {
    case "<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case "=":
      return difference === 0;
    case ">=":
      return difference >= 0;
    case ">":
      return difference > 0;
  }
}
