// Random forms: each is answered, or refused with the name of the field that is wrong.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ingest, postSearch, waitForCount } from "../support/api.ts";
import { replyKeys, type SearchReply } from "../support/snapshots.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const seed = Number(process.env["E2E_SEED"] ?? Date.now() % 2 ** 31);
const steps = Number(process.env["E2E_FUZZ_STEPS"] ?? 1_000);

let service: Service;

beforeAll(async () => {
  service = await startService();
  await ingest(service, "took 17 of 4", { contentType: "text/plain" });
  await waitForCount(service, { regex: "took .*" }, 1);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    "",
    " ",
    "\0",
    "0",
    "-1",
    "NaN",
    "Infinity",
    "1e9",
    "null",
    "[]",
    "true",
    "é",
    "🙂",
  ),
  fc.constantFrom(
    "9".repeat(400),
    "a".repeat(5_000),
    "%",
    "%zz",
    "__proto__",
    "1;DROP TABLE events",
    "'",
  ),
);

/** Mostly what is right, so that what is wrong is not always the same field. */
function mostly(right: readonly string[], ...wrong: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.oneof(fc.constantFrom("", ...wrong), anyText) },
  );
}

const times = mostly(
  [
    "2026-01-01 00:00:00",
    "1970-01-01T00:00:00Z",
    "2254-07-22 01:34:33.999999999999",
    "2026-01-01 00:00:00+14:00",
  ],
  "2262-04-11 23:47:17",
  "9999-12-31 23:59:59",
  "0001-01-01 00:00:00",
  "2026-02-30 00:00:00",
);
const splits = mostly(
  ["", "1", "-1,0,1", "1e308,1.7e308", "0,1e-300"],
  "2,1",
  "1,,2",
  "-0,0",
  "0x1",
);

const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  customer: fc.oneof({ weight: 40, arbitrary: fc.constant("acme") }, fc.constant("")),
  prefix0: mostly(["", "web", "é", "%_"]),
  prefix1: mostly(["", "\\", "'"]),
  prefix2: mostly([""]),
  prefix3: mostly(["", "x"]),
  type: mostly([
    "UNSORTED_RESULTS",
    "BACKWARD_RESULTS",
    "EXACT_COUNTS_BINNED",
    "EXACT_XY_HISTOGRAM_BINNED",
    "BACKWARD_RESULTS_ONE_PER_KEY31",
  ]),
  limit: mostly(["1", "100", "10000", "007"], "10001", "0", "1.5"),
  timeBins: mostly(["1", "7", "4096"], "4097"),
  beginTime: times,
  endTime: times,
  regex: mostly(
    [
      ".*",
      "took (?<x>(?int)) of (?<y>(?int))",
      "(?<key>(?txt([a-z]+))).*(?<x>\\d)(?<y>\\d).*",
      "(.*a.*)&(.*b.*)~.*c.*",
    ],
    "(",
    "a{3,2}",
    "(?i)a",
    "[",
    "\\",
  ),
  xSplits: splits,
  ySplits: splits,
  wait: mostly(["0", "1"], "10001", "-1"),
  dryRun: mostly(["false", "true"], "yes"),
  unknown: anyText,
};
const names = Object.keys(values);

/** A form with some of its parameters, a few of them twice, and names that are not quite right. */
const form = fc
  .record(values, { requiredKeys: ["customer", "regex"] })
  .chain((parameters) => {
    const pairs = Object.entries(parameters as Record<string, string>);
    return fc.tuple(
      fc.constant(pairs),
      fc.oneof({ weight: 15, arbitrary: fc.constant([]) }, fc.subarray(pairs, { maxLength: 1 })),
      fc.oneof(
        { weight: 15, arbitrary: fc.constant("") },
        fc.constantFrom("&", "&&=", "&%", "&regex", "&limit[]=1", "&=x", "&type=;", "&%FF=%FF"),
      ),
    );
  })
  .map(([pairs, twice, tail]) => new URLSearchParams([...pairs, ...twice]).toString() + tail);

test(`${steps} random forms are answered, or refused by the name of what is wrong`, async () => {
  const outcomes = new Map<string, number>();
  const property = fc.asyncProperty(form, async (body) => {
    const response = await postSearch(service, body);
    const reply = (await response.json()) as SearchReply & { details?: { field?: string } };
    expect(Object.keys(reply)).toEqual(expect.arrayContaining(replyKeys));
    const { status } = response;
    const outcome = `${status} ${reply.errorCode ?? ""} ${reply.details?.field ?? ""}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (status === 200) {
      expect(reply.error).toBe(null);
      return;
    }
    if (status === 403) {
      // An empty customer is a customer whom the token may not read.
      expect(reply.errorCode).toBe("NO_PERMISSION");
      return;
    }
    expect([400, 413, 429]).toContain(status);
    const field = reply.details?.field ?? "";
    expect(field.split(", ").every((name) => names.includes(name))).toBe(true);
    expect(reply.error).toContain(reply.errorCode === "BAD_REGEX" ? "offset" : field);
  });
  await fc.assert(property, { seed, numRuns: steps });
  const shown = [...outcomes].toSorted().map(([outcome, count]) => `${outcome.trim()}: ${count}`);
  console.log(`seed ${seed}: ${shown.join("; ")}`);
  expect(outcomes.get("200  ") ?? 0).toBeGreaterThan(steps / 10);
});
