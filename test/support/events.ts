// Generates random events and random queries over them, for comparing the service with the oracle.
import fc from "fast-check";
import type { SearchType } from "./api.ts";
import type { Labels, OracleQuery } from "./oracle.ts";
import { anyPattern, keyPattern, xyPattern, yPattern } from "./patterns.ts";
import { defaultBegin, defaultEnd } from "./time.ts";

export interface NewEvent {
  readonly time: bigint;
  readonly labels: Labels;
  readonly message: string;
}

const second = 1_000_000_000n;
const hour = 3600n * second;
const windowBegin = BigInt(Date.UTC(2026, 2, 1)) * 1_000_000n;
const windowHours = 60;

const words = [
  ..."error ERROR rror warn took id=1 id=17 id=25 status=404 status=200 status=4 == {a} ] & ~ | .".split(
    " ",
  ),
  ..."user=ann user=Bob_2 user= é 日本 🙂 \" ' \\ a&b x~y T07:01:02 T23:59:59 -5 +17 %s 10% _".split(
    " ",
  ),
  "took 245ms",
  "took -3ms",
  "took 7ms",
  `took ${"9".repeat(320)}ms`,
  "lat=0.123s",
  "lat=0.500s",
  "lat=12.250s",
  "v=12",
  "v=nan",
  "v=inf",
  "v=7a",
  `user=${"k".repeat(31)}one`,
  `user=${"k".repeat(31)}two`,
  `user=${"k".repeat(30)}é`,
  `user=${"k".repeat(29)}日本`,
  "\u0000",
  "\u007f",
];

const message = fc
  .tuple(
    fc.array(fc.constantFrom(...words), { maxLength: 8 }),
    fc.constantFrom(" ", " ", " ", "", "\t", "\n", "\r\n", ": ", "\v"),
  )
  .map(([parts, separator]) => parts.join(separator));

/** Mostly a window of some days, in few distinct times so that many tie; a few far away. */
const time = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.integer({ min: 0, max: windowHours }).map((n) => windowBegin + BigInt(n) * hour),
  },
  {
    weight: 20,
    arbitrary: fc.bigInt(0n, BigInt(windowHours) * 3600n - 1n).map((n) => windowBegin + n * second),
  },
  { weight: 20, arbitrary: fc.bigInt(windowBegin, windowBegin + BigInt(windowHours) * hour) },
  { weight: 1, arbitrary: fc.bigInt(0n, defaultEnd - 1n) },
  { weight: 1, arbitrary: fc.constantFrom(0n, defaultBegin - 1n, defaultBegin, defaultEnd - 1n) },
);

const label0 = fc.constantFrom(
  "",
  "web-1",
  "web-10",
  "web-2",
  "Web-1",
  "db",
  "é-host",
  "a%b",
  "a_b",
  "axb",
);
const label1 = fc.constantFrom("", "app.log", "app.log.1", "it's", "back\\slash", '"q"');
const label2 = fc.constantFrom("", "", "json");

export const newEvent: fc.Arbitrary<NewEvent> = fc.record({
  time,
  labels: fc.tuple(label0, label1, label2, label2),
  message,
});

/** Mostly no restriction, since four of them together leave little over. */
function prefixOf(...prefixes: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: fc.constantFrom(...prefixes) },
  );
}

const prefixes = fc.tuple(
  prefixOf("web-1", "web", "w", "W", "é", "a%", "a_", "a", "db", "none"),
  prefixOf("app", "app.log.1", "it'", "back\\", '"'),
  prefixOf("js", "jsonx"),
  prefixOf("json", "x"),
);

/** Range edges: often the exact time of an event, since the first is in and the last is out. */
const range = fc
  .oneof(
    { weight: 1, arbitrary: fc.constant([defaultBegin, defaultEnd] as const) },
    { weight: 1, arbitrary: fc.constant([windowBegin, windowBegin + 7n * hour] as const) },
    { weight: 4, arbitrary: fc.tuple(time, time) },
  )
  .map(([a, b]) => (a < b ? { begin: a, end: b } : { begin: b, end: a === b ? a + 1n : a }));

const timeBins = fc.oneof(fc.constantFrom(1, 2, 3, 7, 60, 4096), fc.integer({ min: 1, max: 500 }));
const limit = fc.oneof(fc.constantFrom(1, 2, 100, 10_000), fc.integer({ min: 1, max: 400 }));

function splits(candidates: readonly number[]): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.constantFrom(...candidates), { maxLength: 5 })
    .map((numbers) => numbers.toSorted((a, b) => a - b));
}

const xSplits = splits([-1, 0, 1, 6.5, 7, 7.25, 8, 23, 24, 100]);
const ySplits = splits([-5, -3, 0, 0.123, 0.5, 0.501, 7, 12.25, 17, 245, 1000, 1000000000]);

/** The pattern and the splits, which belong together: a split axis needs its capture. */
function question(
  type: SearchType,
): fc.Arbitrary<Pick<OracleQuery, "pattern" | "xSplits" | "ySplits">> {
  const none = fc.constant<number[]>([]);
  if (type === "BACKWARD_RESULTS_ONE_PER_KEY31") {
    return fc.record({ pattern: keyPattern, xSplits: none, ySplits: none });
  }
  if (type !== "EXACT_XY_HISTOGRAM_BINNED") {
    return fc.record({ pattern: anyPattern, xSplits: none, ySplits: none });
  }
  return fc.oneof(
    fc.record({ pattern: xyPattern, xSplits, ySplits }),
    fc.record({ pattern: yPattern, xSplits: none, ySplits }),
    fc.record({ pattern: anyPattern, xSplits: none, ySplits: none }),
  );
}

export function oracleQuery(type: SearchType): fc.Arbitrary<OracleQuery> {
  return fc
    .record({
      asked: question(type),
      prefixes,
      range,
      timeBins,
      limit,
    })
    .map(({ asked, prefixes: labels, range: { begin, end }, timeBins: bins, limit: most }) => ({
      type,
      ...asked,
      prefixes: labels,
      begin,
      end,
      timeBins: bins,
      limit: most,
    }));
}
