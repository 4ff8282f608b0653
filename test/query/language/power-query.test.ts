// Scalyr's power queries: what they make of a few events in a real ClickHouse, and what is refused.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compilePowerQuery } from "../../../query/language/power-sql.ts";
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import { raw, SqlParameters } from "../../../query/language/sql-fragment.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import { QueryStore, type PlainEvent } from "./query-store.ts";

function event(second: number, message: string, attributes: Record<string, string>): PlainEvent {
  return {
    time: (1_795_132_800n + BigInt(second)) * 1_000_000_000n,
    message,
    prefixes: [second % 2 === 0 ? "web-1" : "web-2", "access_log", "accessLog", "scalyr"],
    attributes,
  };
}

const events = [
  event(0, "GET /a took 12 ms", { status: "200", ms: "12", user: "alice" }),
  event(1, "GET /b took 30 ms", { status: "200", ms: "30", user: "Bob" }),
  event(2, "GET /a took 8 ms", { status: "404", ms: "8", user: "alice" }),
  event(3, "POST /c took 100.5 ms", { status: "500", ms: "100.5" }),
  event(4, "restart", { status: "none" }),
];

describe("on ClickHouse", () => {
  let store: QueryStore;

  beforeAll(async () => {
    store = await QueryStore.open(events);
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const table: readonly (readonly [string, readonly string[], readonly (readonly unknown[])[]])[] =
    [
      ["restart", ["timestamp", "message"], [["1795132804000000000", "restart"]]],
      ["| group count()", ["count()"], [[5]]],
      ["status=200 | group n = count()", ["n"], [[2]]],
      ["| filter status >= 400 | group count()", ["count()"], [[2]]],
      [
        "| group count() by status | sort status",
        ["status", "count()"],
        [
          ["200", 2],
          ["404", 1],
          ["500", 1],
          ["none", 1],
        ],
      ],
      [
        "| group n=count(), a=avg(ms) by host=serverHost | sort -n",
        ["host", "n", "a"],
        [
          ["web-1", 3, 10],
          ["web-2", 2, 65.25],
        ],
      ],
      ["| group sum(ms), min(ms), max(ms)", ["sum(ms)", "min(ms)", "max(ms)"], [[150.5, 8, 100.5]]],
      [
        "| group p50(ms), pct(99, ms), median(ms)",
        ["p50(ms)", "pct(99, ms)", "median(ms)"],
        [[30, 100.5, 30]],
      ],
      [
        "| group estimate_distinct(user), count(user == 'alice')",
        ["estimate_distinct(user)", "count(user == 'alice')"],
        [[2, 2]],
      ],
      [
        "| group newest(message), oldest(user)",
        ["newest(message)", "oldest(user)"],
        [["restart", "alice"]],
      ],
      [
        "| group n=count() by user | filter n > 1 | sort user",
        ["user", "n"],
        [
          ["alice", 2],
          [null, 2],
        ],
      ],
      [
        "ms == * | sort -ms | limit 2 | columns ms, user",
        ["ms", "user"],
        [
          ["100.5", null],
          ["30", "Bob"],
        ],
      ],
      [
        "ms == * | let slow = ms > 20, twice = ms * 2 | sort ms | columns slow, twice",
        ["slow", "twice"],
        [
          [false, 16],
          [false, 24],
          [true, 60],
          [true, 201],
        ],
      ],
      ["ms == * | let a = ms + 1, b = a * a | sort ms | limit 1 | columns b", ["b"], [[81]]],
      [
        'took | parse "$verb$ $path$ took $t$ ms" | group n=count(), s=sum(t) by path | sort path',
        ["path", "n", "s"],
        [
          ["/a", 2, 20],
          ["/b", 1, 30],
          ["/c", 1, 100.5],
        ],
      ],
      [
        'took | parse "took $t{regex=\\d+}$" from message | sort -t | limit 1 | columns t',
        ["t"],
        [["100"]],
      ],
      [
        "| columns u = upper(user), l = len(message) | sort l, u | limit 2",
        ["u", "l"],
        [
          [null, 7],
          ["ALICE", 16],
        ],
      ],
      [
        "user='Bob' | columns x = status == 200 ? 'fine' : 'bad', y = user contains 'BO', z = user matches '^b'",
        ["x", "y", "z"],
        [["fine", true, false]],
      ],
      [
        "user='Bob' | columns a = 7 / 2, b = 7 % 2, c = 1 / 0, d = -ms, e = 2 + 3 * 4, f = (2 + 3) * 4",
        ["a", "b", "c", "d", "e", "f"],
        [[3.5, 1, null, -30, 14, 20]],
      ],
      [
        "user='Bob' | columns a = !(1 > 2) && true, b = 1 > 2 || 2 > 1, c = 1 != 1, d = nothing == 1, e = nothing",
        ["a", "b", "c", "d", "e"],
        [[true, true, false, false, null]],
      ],
      [
        "user='Bob' | columns a = max(1, 2), b = abs(-3), c = pow(2, 10), d = substr('hello', 1, 3), e = floor(2.7)",
        ["a", "b", "c", "d", "e"],
        [[2, 3, 1024, "ell", 2]],
      ],
      [
        "user='Bob' | columns a = 'x' + user, b = '1' + 2, c = trim('  y '), d = isempty(''), e = isblank(' ')",
        ["a", "b", "c", "d", "e"],
        [["xBob", 3, "y", true, true]],
      ],
      ["user='Bob' // a comment | group count()\n| columns user // another", ["user"], [["Bob"]]],
      ["user='a//b' | group count()", ["count()"], [[0]]],
    ];

  test.for(table)("%s", async ([text, columns, rows]) => {
    const query = parsePowerQuery(text);
    const parameters = new SqlParameters();
    const source = store.sourceOf(query.where, parameters);
    const statement = compilePowerQuery(query, source, parameters);
    expect(statement.columns).toEqual(columns);
    expect(await store.rowsOf(statement.query)).toEqual(rows);
  });
});

test.for([
  ["a | ", 4],
  ["a | nonsense", 4],
  ["a | group", 9],
  ["a | group count(), b", 19],
  ["a | limit 5 6", 12],
  ["a | sort", 8],
  ["a | columns a b", 14],
  ["a | let x = (1", 14],
  ["a | let x = 1 ? 2", 17],
  ["a | columns x = y matches '('", 27],
  ['a | parse "nothing"', 10],
  ["a | parse 5", 10],
  [`a | let x = ${"(".repeat(200)}`, 112],
  [`a | let x = ${"-".repeat(200)}1`, 112],
  [`a ${"| limit 1".repeat(60)}`, 454],
] as const)("%s is refused at its offset", ([text, offset]) => {
  expectRefusals(parsePowerQuery, text, offset);
});

test.for([
  ["| columns x = nonsense(1)", 14],
  ["| group nonsense(a)", 8],
  ["| let x = abs()", 10],
] as const)("%s has no such function", ([text, offset]) => {
  const compile = (given: string) =>
    compilePowerQuery(parsePowerQuery(given), raw("events"), new SqlParameters());
  expectRefusals(compile, text, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  const parts = [
    "a",
    " | ",
    "let x=",
    "group count()",
    " by ",
    "columns ",
    "(",
    ")",
    "?",
    ":",
    "-",
    "!",
    "+",
    "'",
    'parse "',
    "$x$",
    "//",
    ",",
  ];
  survivesAnything((text) => {
    const query = parsePowerQuery(text);
    compilePowerQuery(query, raw("events"), new SqlParameters());
    return query.where;
  }, parts);
});
