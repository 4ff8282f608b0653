// Tests as conditions of ClickHouse on one value of a field.
import type { Network } from "./network.ts";
import { numberOf } from "./numeric-text.ts";
import type { Comparison, Test } from "./predicate.ts";
import type { Re2 } from "./re2-regex.ts";
import { quote } from "./re2-text.ts";
import { always, conjoin, disjoin, exactly, negate, type Conjunction } from "./sql-conjunction.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";
import { compileMatch, type SqlTarget } from "./sql-match.ts";

/** The condition that a value, an expression of type String, passes the test. */
export function compileTest(test: Test, value: SqlFragment, target: SqlTarget): Conjunction {
  const { parameters } = target;
  switch (test.kind) {
    case "always":
      return always;
    case "and":
      return conjoin(test.operands.map((operand) => compileTest(operand, value, target)));
    case "or":
      return disjoin(test.operands.map((operand) => compileTest(operand, value, target)));
    case "not":
      return negate(compileTest(test.operand, value, target));
    case "match":
      return compileMatch(test.pattern, value, target);
    case "regex":
      return compileRegex(test.regex, value, target);
    case "number": {
      const number = parameters.float(test.value);
      const compared = sql`${numberOf(value)} ${operatorOf(test.comparison)} ${number}`;
      return exactly("regex", sql`ifNull(${compared}, 0)`);
    }
    case "isNumber":
      return exactly("regex", sql`isNotNull(${numberOf(value)})`);
    case "order": {
      const text = parameters.string(test.text);
      return exactly("regex", sql`${value} ${operatorOf(test.comparison)} ${text}`);
    }
    case "network":
      return exactly("regex", networkCondition(test.network, value, target));
  }
}

export function operatorOf(comparison: Comparison): SqlFragment {
  return raw(comparison);
}

/**
 * ClickHouse looks for literals in an expression before it runs it, and misreads escapes as `\x41`
 * and `\pL`. An alternative that nothing matches keeps it from that; we ask for literals ourselves.
 */
function compileRegex(regex: Re2, value: SqlFragment, { parameters }: SqlTarget): Conjunction {
  const matches = (text: string) => sql`match(${value}, ${parameters.string(text)})`;
  const literals = regex.literals.map((text) => exactly("literal", matches(quote(text))));
  const rank = literals.length > 0 ? "regex with literal" : "regex";
  return conjoin([...literals, exactly(rank, matches(`(?:${regex.text})|[^\\s\\S]`))]);
}

function networkCondition(
  { version, first, last }: Network,
  value: SqlFragment,
  { parameters }: SqlTarget,
): SqlFragment {
  const from = parameters.string(first);
  const to = parameters.string(last);
  if (version === 4) {
    const part = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    const address = sql`toIPv4OrNull(extract(${value}, ${raw(`'^(?:${part}[.]){3}${part}$'`)}))`;
    return sql`ifNull(${address} BETWEEN toIPv4(${from}) AND toIPv4(${to}), 0)`;
  }
  const address = sql`toIPv6OrNull(extract(${value}, '^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$'))`;
  return sql`ifNull(${address} BETWEEN toIPv6(${from}) AND toIPv6(${to}), 0)`;
}
