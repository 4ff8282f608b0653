// The condition of ClickHouse that some value of a field passes a test.
//
// What is read out of a message costs a parse of it, so texts that the message must hold come first:
// the n-gram index prunes by them. JSON may write any character as an escape, \u0041; a message that
// has such escapes is let through to the parse.
import { isPlace, type Field } from "./field.ts";
import { compileTestToCheck } from "./holds.ts";
import { requiredLiterals, type Clause } from "./literals.ts";
import type { Test } from "./predicate.ts";
import { always, conjoin, exactly, joinTerms, never, type Conjunction } from "./sql-conjunction.ts";
import { fieldTexts } from "./sql-field.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";
import { compileTest } from "./sql-test.ts";
import type { SqlTarget } from "./sql-match.ts";

export function compileFieldTest(field: Field, test: Test, target: SqlTarget): Conjunction {
  switch (field.kind) {
    case "message":
      return compileTest(test, target.message, target);
    case "label": {
      const label = raw(`prefix${String(field.index)}`);
      const known = target.labels?.[field.index];
      const decided = known && amongKnown(test, label, known, target);
      if (decided !== undefined) return decided;
      return guarded(test, label, sql`${label} != ''`, target);
    }
    case "attribute": {
      const name = target.parameters.string(field.name);
      return guarded(test, sql`attributes[${name}]`, sql`mapContains(attributes, ${name})`, target);
    }
    default: {
      const texts = fieldTexts(field, target);
      const inside = compileTest(test, raw("v"), target);
      const condition =
        inside.terms.length === 0
          ? sql`notEmpty(${texts})`
          : sql`arrayExists(v -> ${joinTerms(inside)}, ${texts})`;
      const clauses = clausesOf(field, test).map((clause) =>
        exactly(
          "literal",
          sql`multiSearchAny(${target.message}, ${target.parameters.strings(clause)})`,
        ),
      );
      const rank = clauses.length > 0 ? "regex with literal" : "regex";
      const whole = conjoin([...clauses, exactly(rank, condition)]);
      return { ...whole, isExact: inside.isExact };
    }
  }
}

/** More would not fit into a request's address. */
const maxKnownPassing = 100;

/** What is decided here need not be asked: a term that may stand in a label mostly stands in none. */
function amongKnown(
  test: Test,
  label: SqlFragment,
  known: readonly string[],
  { parameters }: SqlTarget,
): Conjunction | undefined {
  const check = compileTestToCheck(test);
  const passing = known.filter((value) => value !== "" && check(value));
  if (passing.length === 0) return never;
  if (passing.length === known.length) return always;
  if (passing.length > maxKnownPassing) return undefined;
  return exactly("literal", sql`${label} IN ${parameters.strings(passing)}`);
}

/** A value that is '' where the field is missing: the guard is needed only if '' passes the test. */
function guarded(
  test: Test,
  value: SqlFragment,
  isPresent: SqlFragment,
  target: SqlTarget,
): Conjunction {
  const passes = compileTest(test, value, target);
  const needsGuard = passes === always || !passes.isExact || passesEmpty(test);
  return needsGuard ? conjoin([exactly("regex with literal", isPresent), passes]) : passes;
}

const emptyPasses = new WeakMap<Test, boolean>();

function passesEmpty(test: Test): boolean {
  let known = emptyPasses.get(test);
  if (known === undefined) {
    known = compileTestToCheck(test)("");
    emptyPasses.set(test, known);
  }
  return known;
}

const escape = "\\u00";
const maxClauses = 3;
/** ASCII that JSON writes as itself or as \u00XX. */
const plainRun = /[ !#-.0-[\]-~]{2,}/g;

/** Texts of which a message must hold one, for each clause, for the field to have such a value. */
function clausesOf(field: Field, test: Test): Clause[] {
  const name = nameClause(field);
  if (name === undefined) return [];
  const values = valueClauses(test).flatMap((clause): Clause[] => {
    const plain = clause.map((text) => {
      const runs = text.match(plainRun) ?? [];
      return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), "");
    });
    return plain.includes("") ? [] : [[...plain, escape]];
  });
  return [...values.slice(0, maxClauses - 1), ...(name.length > 0 ? [name] : [])];
}

function isPlain(text: string): boolean {
  return /^[ !#-.0-[\]-~]+$/.test(text);
}

/** Undefined = the message need not hold the value's text either; empty = no text of the name. */
export function nameClause(field: Field): Clause | undefined {
  switch (field.kind) {
    case "json": {
      const key = field.path.at(-1) ?? "";
      if (!isPlain(key)) return [];
      if (field.path.length === 1 || !isPlace(key)) return [`${key}"`, escape];
      // A place in an array does not stand in the message.
      const name = field.path.findLast((one) => !isPlace(one));
      return name !== undefined && isPlain(name) ? [`${key}"`, `${name}"`, escape] : [];
    }
    case "below": {
      const key = field.path.at(-1);
      if (key === undefined) return [];
      const name = `${field.path.join(".")}.`;
      return isPlain(name) ? [`${key}"`, `"${name}`, escape] : [];
    }
    case "pairsBelow":
      return [`${field.prefix}.`];
    case "quantity":
      return nameClause(field.of);
    case "pair":
      return [`${field.key}=`];
    case "firstOf": {
      const all = field.fields.map(nameClause);
      if (all.some((clause) => clause === undefined)) return undefined;
      return all.some((clause) => clause?.length === 0)
        ? []
        : all.flatMap((clause) => clause ?? []);
    }
    default:
      return undefined;
  }
}

function valueClauses(test: Test): Clause[] {
  switch (test.kind) {
    case "match":
      return requiredLiterals(test.pattern);
    case "regex":
      return test.regex.literals.map((text) => [text]);
    case "and":
      return test.operands.flatMap(valueClauses);
    case "or": {
      const all = test.operands.map((operand) => valueClauses(operand)[0]);
      const clauses = all.filter((clause) => clause !== undefined);
      return clauses.length === all.length && all.length > 0 ? [clauses.flat()] : [];
    }
    default:
      return [];
  }
}
