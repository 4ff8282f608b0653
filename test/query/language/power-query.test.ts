// Scalyr's power queries: what they make of a few events in a real ClickHouse, and what is refused.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compilePowerQuery } from "../../../query/language/power-sql.ts";
import { parsePowerQuery } from "../../../query/language/power-query.ts";
import { raw, SqlParameters } from "../../../query/language/sql-fragment.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { expectRefusals, survivesAnything } from "./bad-queries.ts";
import { answerOf, span } from "./power-answer.ts";
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

function compile(text: string): unknown {
  const query = parsePowerQuery(text);
  const sources = query.filters.map(() => raw("events"));
  return compilePowerQuery(query, { sources, parameters: new SqlParameters(), ...span });
}

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
      ["status==200|group n=count()|limit 1", ["n"], [[2]]],
      ["| filter status >= 400 | group count()", ["count()"], [[2]]],
      [
        "| top 2 count() by user",
        ["rank", "user", "count()"],
        [
          [1, "alice", 2],
          [2, null, 2],
        ],
      ],
      [
        "ms == * | top 3 slowest = max(ms) by user, host = serverHost | filter slowest < 100",
        ["rank", "user", "host", "slowest"],
        [
          [2, "Bob", "web-2", 30],
          [3, "alice", "web-1", 12],
        ],
      ],
      [
        "| join a = (| top 1 n = count() by status), b = (| group m = max(ms) by status) on status",
        ["status", "rank", "n", "m"],
        [["200", 1, 2, 30]],
      ],
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
        [[21, expect.closeTo(98.385) as number, 21]],
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
      ["user contains a//b | group count()", ["count()"], [[0]]],
      // Columns by what they are, and by how they are written.
      [
        "| group count(), max(ms) by user | sort -count(), user | columns max(ms)",
        ["max(ms)"],
        [[12], [100.5], [30]],
      ],
      [
        "| group count() by user | sort 'count()', user | limit 1 | columns user",
        ["user"],
        [["Bob"]],
      ],
      ["ms == * | sort -user | columns ms", ["ms"], [["8"], ["12"], ["30"], ["100.5"]]],
      [
        "| let known = user == * | group n = count() by known | columns known, n",
        ["known", "n"],
        [
          [false, 2],
          [true, 3],
        ],
      ],
      [
        "| filter user = null | columns a = user != null, b = status in (500, 'none')",
        ["a", "b"],
        [
          [false, true],
          [false, true],
        ],
      ],
      [
        "user == * | columns x = user in ('bob', 'alice'), y = user in:anycase ('BOB') | limit 2",
        ["x", "y"],
        [
          [true, false],
          [false, true],
        ],
      ],
      [
        "user == * | columns x = user contains ('ALI', 'z'), y = user contains:matchcase 'ALI' | limit 1",
        ["x", "y"],
        [[true, false]],
      ],
      [
        "| group mean(ms), stddev(n), p(ms, 50), percentile(90, ms), any(user), max_by(message, ms), min_by(ms, ms)",
        [
          "mean(ms)",
          "stddev(n)",
          "p(ms, 50)",
          "percentile(90, ms)",
          "any(user)",
          "max_by(message, ms)",
          "min_by(ms, ms)",
        ],
        [[37.625, null, 21, expect.closeTo(79.35) as number, "Bob", "POST /c took 100.5 ms", "8"]],
      ],
      [
        "user='Bob' | columns a = round(2.5), b = number('7') + 1, c = string(7), d = indexof('abc', 'c'), e = min(2, 1, nothing), f = substr('häuser', -3, 2), g = max(3, 1, 2)",
        ["a", "b", "c", "d", "e", "f", "g"],
        [[2, 8, "7", 2, null, "hä", 3]],
      ],
      // Functions of groups within expressions, and of some of the rows.
      [
        "ms == * | group rate = count() / queryspan('minutes'), spread = max(ms) - min(ms), x = max(count(), 2) by status",
        ["status", "rate", "spread", "x"],
        [
          ["200", 2 / 60, 18, 2],
          ["404", 1 / 60, 0, 2],
          ["500", 1 / 60, 0, 2],
        ],
      ],
      [
        "| group a = count(where status = 200), b = sum(ms where user = 'alice'), c = pct(50, ms where ms > 10), d = any_true(ms > 100), e = all_true(ms > 100)",
        ["a", "b", "c", "d", "e"],
        [[2, 20, 30, true, false]],
      ],
      [
        "| group 'all rows' = count() | let \"twice it\" = 2_000 * all\\ rows",
        ["all rows", "twice it"],
        [[5, 10_000]],
      ],
      [
        "| group t = 1 by status | columns status, t",
        ["status", "t"],
        [
          ["200", 1],
          ["404", 1],
          ["500", 1],
          ["none", 1],
        ],
      ],
      ["took | parse 'took $t{regex=\\\\d+}$' | columns t | limit 1", ["t"], [["100"]]],
      ["took message matches '\\\\d\\d\\.5' | group count()", ["count()"], [[1]]],
      // Time.
      [
        "| group n = count() by t = timebucket('2 seconds')",
        ["t", "n"],
        [
          [1_795_132_800e9, 2],
          [1_795_132_802e9, 2],
          [1_795_132_804e9, 1],
        ],
      ],
      [
        "| group n = count() by timebucket('1h')",
        ["timebucket('1h')", "n"],
        [[1_795_132_800e9, 5]],
      ],
      [
        "| limit 1 | columns d = timebucket('day'), w = timebucket('1 week'), m = timebucket('month'), y = timebucket('1 year'), c = timebucket()",
        ["d", "w", "m", "y", "c"],
        [
          [
            Date.UTC(2026, 10, 20) * 1e6,
            Date.UTC(2026, 10, 16) * 1e6,
            Date.UTC(2026, 10, 1) * 1e6,
            Date.UTC(2026, 0, 1) * 1e6,
            1_795_132_800e9,
          ],
        ],
      ],
      [
        "| limit 1 | columns t = timebucket(timestamp, '30s'), a = querystart(), b = queryend(), c = queryspan()",
        ["t", "a", "b", "c"],
        [[1_795_132_800e9, 1_795_132_800e9, 1_795_136_400e9, 3_600e9]],
      ],
      [
        "| columns timestamp | group n = count() by t = timebucket('4s')",
        ["t", "n"],
        [
          [1_795_132_800e9, 4],
          [1_795_132_804e9, 1],
        ],
      ],
      [
        "| limit 1 | columns a = timebucket('auto'), b = timebucket(1), c = queryspan('minutes')",
        ["a", "b", "c"],
        [[1_795_132_800e9, 1_795_132_800e9, 60]],
      ],
      // Rows that become columns.
      [
        "| group n = count() by status, serverHost | transpose status on serverHost",
        ["serverHost", "200", "404", "500", "none"],
        [
          ["web-1", 1, 1, null, 1],
          ["web-2", 1, null, 1, null],
        ],
      ],
      [
        "| group n = count(), s = sum(ms) by user | transpose user | columns Bob\\ n, null\\ s",
        ["Bob n", "null s"],
        [[1, 100.5]],
      ],
      ["nothing | group n = count() by user | transpose user", ["user"], []],
      // Several queries.
      [
        "| join a = (ms == * | group n = count() by user), b = (status >= 400 | group bad = count() by user) on user | let share = bad / n | columns user, share",
        ["user", "share"],
        [
          ["alice", 0.5],
          [null, 1],
        ],
      ],
      [
        "| left join a = (| group n = count() by user), b = (status >= 400 | group n = count() by user) on user | columns user, a.n, b.n",
        ["user", "a.n", "b.n"],
        [
          ["Bob", 1, null],
          ["alice", 2, 1],
          [null, 2, 1],
        ],
      ],
      [
        "| outer join a = (status = 200 | group x = count() by user), b = (status = 500 | group y = count() by host = serverHost) on a.user = b.host",
        ["user", "x", "y"],
        [
          ["Bob", 1, null],
          ["alice", 1, null],
          ["web-2", null, 1],
        ],
      ],
      [
        "| sql inner join a = (| group x = count() by serverHost), b = (| group y = max(ms) by serverHost), c = (user='Bob' | columns serverHost, z = message) on serverHost",
        ["serverHost", "x", "y", "z"],
        [["web-2", 2, 100.5, "GET /b took 30 ms"]],
      ],
      [
        "| join (ms == * | columns user, ms), (ms == * | columns user, status) on user | sort ms, status",
        ["user", "ms", "status"],
        [
          ["alice", "8", "404"],
          ["alice", "12", "404"],
          ["Bob", "30", "200"],
          [null, "100.5", "500"],
        ],
      ],
      [
        "| sql join (ms == * | columns user, ms), (ms == * | columns user, status) on user | sort ms, status",
        ["user", "ms", "status"],
        [
          ["alice", "8", "200"],
          ["alice", "8", "404"],
          ["alice", "12", "200"],
          ["alice", "12", "404"],
          ["Bob", "30", "200"],
        ],
      ],
      [
        "| join a = (| group count() by b = ms * 1), c = (| group m = min(ms)) by a.b = c.m | columns b, m = c.m",
        ["b", "m"],
        [[8, 8]],
      ],
      [
        "| union (restart | group n = count(), x = any(status)), (user='Bob' | columns n = ms, y = user) | columns n, x, y",
        ["n", "x", "y"],
        [
          ["1", "none", null],
          ["30", null, "Bob"],
        ],
      ],
      [
        "| union (restart), (restart | limit 1) | group n = count() by message",
        ["message", "n"],
        [["restart", 2]],
      ],
    ];

  test.for(table)("%s", async ([text, columns, rows]) => {
    expect(await answerOf(store, text)).toEqual({ columns, rows });
  });

  const repeated: readonly (readonly [string, (times: number) => string])[] = [
    [
      "sums of texts",
      (times) => `columns x = ${Array.from({ length: times }, () => "user").join(" + ")}`,
    ],
    [
      "comparisons",
      (times) => `columns x = ${Array.from({ length: times }, () => "ms").join(" < ")}`,
    ],
    ["products", (times) => `columns x = ${Array.from({ length: times }, () => "ms").join(" * ")}`],
    [
      "conditions",
      (times) => `columns x = ${Array.from({ length: times }, () => "ms > 1").join(" and ")}`,
    ],
    ["choices", (times) => `columns x = ${"user ? 1 : ".repeat(times)}user`],
    ["lists", (times) => `columns x = ${"(".repeat(times)}user${" in ('a', 5))".repeat(times)}`],
    [
      "functions",
      (times) => `columns x = ${"substr(max(1, ".repeat(times)}ms${"), 0, 9)".repeat(times)}`,
    ],
    ["signs", (times) => `columns x = ${"- !".repeat(times)}ms`],
    [
      "columns",
      (times) => `let ${Array.from({ length: times }, () => "user = user + ms").join(", ")}`,
    ],
    [
      "buckets",
      (times) => `columns x = ${"timebucket(".repeat(times)}ms${", '1s')".repeat(times)}`,
    ],
    [
      "commands",
      (times) =>
        "let user = user + ms, ms = ms * 2 | sort ms | filter user = * | ".repeat(times) +
        "limit 3",
    ],
    [
      "groups",
      (times) =>
        "group ms = max(ms), user = any(user) by status | let status = 1 | ".repeat(times) +
        "limit 3",
    ],
  ];

  test.for(repeated)("%s are answered or refused, however many", async ([, make]) => {
    const outcomes: string[] = [];
    for (const times of [1, 5, 12, 24, 60, 120]) {
      const text = `ms == * | ${make(times)}`;
      const outcome = await answerOf(store, text).then(
        () => "answered",
        (error: unknown) => (error instanceof LogboomError ? "refused" : String(error)),
      );
      outcomes.push(outcome);
    }
    expect(outcomes.join()).toMatch(/^answered,answered,answered(,answered)*(,refused)*$/);
  });
});

test.for([
  ["a | ", 4],
  ["a | nonsense", 4],
  ["a | group", 9],
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
  ["a | limit 0", 10],
  ["a | limit 100001", 10],
  ["a | join x = (b), y = (c) on z", 4],
  ["| filter a | union (b), (c)", 13],
  ["| join x = (b), x = (c) on z", 16],
  ["| join x = (b) on z", 15],
  ["| join (b), (c)", 15],
  ["| join (b), (c) z", 16],
  ["| join (b), (c) on", 18],
  ["| join (b), (c) on a.x = b.y", 19],
  ["| join a = (b), c = (d) on a.x = e.y", 27],
  ["| join a = (b | nonsense), c = (d) on a.x = e.y", 16],
  ["| union (b), (c", 15],
  ["| union (b), c", 13],
  ["| union (".repeat(150), 909],
  [`| union ${Array.from({ length: 11 }, () => "(a)").join(",")}`, 50],
  ["a | top 0 count() by b", 8],
  ["a | top 5 count()", 10],
  ["a | top 5 count(), sum(c) by b", 10],
  ["a | top 5 rank = count() by b", 10],
  ["a | top 5 count() by rank", 10],
  ["a | top 5 b = count() by b", 10],
  ["a | top 5 nonsense by", 21],
  ["a | transpose", 13],
  ["a | transpose b on", 18],
  ["a | let x = 1e999", 12],
  ["a | let x = b in (", 18],
  ["a | let x = b in (c)", 18],
  ["a | let x = b contains", 22],
] as const)("%s is refused at its offset", ([text, offset]) => {
  expectRefusals(parsePowerQuery, text, offset);
});

test.for([
  ["| columns x = nonsense(1)", 14],
  ["| group nonsense(count())", 8],
  ["| let x = abs()", 10],
  ["| let x = abs(1, 2)", 10],
  ["a | group count(), b", 19],
  ["a | group count() + b", 20],
  ["a | group pct(101, b where c)", 10],
  ["| let x = timebucket(501)", 10],
  ["| let x = queryspan('month')", 10],
  ["| let x = timebucket('often')", 10],
  ["| let x = timebucket('0 s')", 10],
  ["| let x = timebucket('2 months')", 10],
  ["| let x = timebucket(ms)", 10],
  ["| group count() | let x = timebucket('1s')", 26],
  ["| group count() | sort a + nothing", 23],
  ["| columns a | filter b > 1", 21],
  ["| group newest(a) | let b = 1 | group newest(b)", 38],
  ["| group pct(101, a)", 8],
  ["| group a = count() | transpose b", 32],
  ["| join (a | columns x), (b | columns y) on x", 43],
  ["| join (a | columns x, y), (b | columns x, y) on x", 7],
] as const)("%s names what is not there", ([text, offset]) => {
  expectRefusals(compile, text, offset);
});

test("no text hangs, overflows or breaks the parser", () => {
  const parts = [
    "a",
    " | ",
    "let x=",
    "group count()",
    "top 5 count()",
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
    "| join a = (",
    "| union (",
    ") on a",
    "transpose a",
    " in (",
    " == *",
    "timebucket('1h')",
    "a + ",
    "a | let ",
  ];
  survivesAnything((text) => {
    compile(text);
    return { kind: "always" };
  }, parts);
});
