// What ClickHouse is asked for queries of the vendors' languages, and what is decided before.
import { describe, expect, test } from "vitest";
import { parseKql } from "../../../query/language/kql.ts";
import { parseLeql } from "../../../query/language/leql.ts";
import { parseLoggly } from "../../../query/language/loggly.ts";
import { compilePredicateSearch } from "../../../query/language/predicate-search.ts";
import { parseScalyrFilter } from "../../../query/language/scalyr-filter.ts";
import type { SqlFragment } from "../../../query/language/sql-fragment.ts";

/** The fragment with its values in place, to be read by people only. */
function show(fragment: SqlFragment | undefined): string | undefined {
  return fragment?.text.replaceAll(/\{(p\d+):[A-Za-z0-9()]+\}/g, (_, name: string) =>
    JSON.stringify(fragment.params[name]).replaceAll("\\\\", "\\"),
  );
}

describe("conditions", () => {
  test.for([
    ["an empty filter", parseKql(""), undefined],
    ["a label in its case", parseKql("service:api"), 'prefix1 = "api"'],
    [
      "text of the message in any case",
      parseScalyrFilter("'x y'"),
      'positionCaseInsensitive(message, "x y") > 0',
    ],
    [
      "a time",
      parseKql("timestamp < 2024-03-15"),
      'time < fromUnixTimestamp64Nano("1710460800000000000")',
    ],
    [
      "an expression",
      parseLeql("where(/user=\\w+ logged/)").where,
      'match(message, " logged") AND match(message, "user=") AND match(message, "(?:(?s)user=\\w+ logged)|[^\\s\\S]")',
    ],
  ] as const)("%s", ([, predicate, expected]) => {
    const { where, isExact, matchesEverything } = compilePredicateSearch(predicate);
    expect(isExact).toBe(true);
    expect(matchesEverything).toBe(where === undefined);
    expect(show(where)).toBe(expected);
  });

  test("a message must hold what its JSON field is asked for, if it has no escapes", () => {
    const { where } = compilePredicateSearch(parseLeql("where(user.name='bob smith')").where);
    const first = show(where)?.split(" AND ").slice(0, 2);
    expect(first).toEqual([
      'multiSearchAny(message, ["bob smith","\\u00"])',
      'multiSearchAny(message, ["name\\"","\\u00","user.name="])',
    ]);
  });

  test("a place in an array need not stand in the message, and the array's name must", () => {
    const { where } = compilePredicateSearch(parseLeql("where(a.of.1='bob smith')").where);
    expect(show(where)?.split(" AND ").at(1)).toBe(
      'multiSearchAny(message, ["1\\"","of\\"","\\u00","a.of.1="])',
    );
  });

  test("tests of labels whose values are known are decided before", () => {
    const known = [["web-1", "db-1"], ["nginx"], ["", "http,prod"], ["loggly"]];
    const compiled = (query: string) => {
      const search = compilePredicateSearch(parseLoggly(query), { labels: known });
      return { where: show(search.where), matchesEverything: search.matchesEverything };
    };
    const { where } = compiled("needle");
    expect(where).not.toContain("prefix");
    expect(compiled("nginx")).toEqual({ where: undefined, matchesEverything: true });
    expect(compiled("db").where).toContain('prefix0 IN ["db-1"]');
  });

  test("queries that are not exact say so", () => {
    const long = compilePredicateSearch(parseLoggly("a".repeat(9000)));
    expect(long.isExact).toBe(false);
    const event = { time: 0n, prefixes: ["", "", "", ""] as const, attributes: {} };
    expect(long.check({ ...event, message: Buffer.from("a".repeat(9000)) })).toBe(true);
    expect(long.check({ ...event, message: Buffer.from("a".repeat(8999)) })).toBe(false);
  });
});
