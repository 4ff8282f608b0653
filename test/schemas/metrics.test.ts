// Metrics: named by Prometheus's conventions, every one live, every one used.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createInstruments } from "../../schemas/instruments.ts";
import { metricDeclarations } from "../../schemas/metrics.ts";

interface Declaration {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly buckets?: readonly number[];
}

const declarations: readonly (readonly [name: string, declaration: Declaration])[] =
  Object.entries(metricDeclarations);

describe.each(declarations)("%s", (name, { type, help, labels = {}, buckets }) => {
  test("is a lower-case name of ours", () => {
    expect(name).toMatch(/^logboom_[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(name).not.toMatch(/_(count|sum|bucket|info|created)$/);
    expect(name, "the type is not part of a name").not.toMatch(/(counter|gauge|histogram)/);
  });

  test("ends in _total exactly when it is a counter", () => {
    expect(name.endsWith("_total")).toBe(type === "counter");
  });

  test("has base units: seconds and bytes", () => {
    expect(name).not.toMatch(
      /_(ms|millis|milliseconds|micros|microseconds|nanoseconds|minutes|hours|kb|mb|kib|mib|kilobytes|megabytes|percent)(_|$)/,
    );
    if (/\b[Tt]ime\b|\b[Aa]ge\b/.test(help)) expect(name).toMatch(/_seconds$/);
    if (/\bbytes\b/i.test(help)) expect(name).toMatch(/_bytes(_total)?$/);
  });

  test("says what it is in a sentence", () => {
    expect(help).toMatch(/^[A-Z].*\.$/);
  });

  test("has label names and a closed list of values", () => {
    for (const [label, values] of Object.entries(labels)) {
      expect(label).toMatch(/^[a-z][a-z_]*$/);
      expect(["le", "quantile", "job", "instance"]).not.toContain(label);
      expect(values.length).toBeGreaterThan(0);
      expect(new Set(values).size).toBe(values.length);
    }
  });

  test("has ascending buckets exactly when it is a histogram", () => {
    expect(buckets !== undefined).toBe(type === "histogram");
    expect(buckets ?? []).toEqual([...new Set(buckets)].toSorted((a, b) => a - b));
  });
});

test("the price of all series is bounded: fewer than 1,500", () => {
  const series = declarations.map(
    ([, { labels = {}, buckets = [] }]) =>
      Object.values(labels).reduce((product, values) => product * values.length, 1) *
      (buckets.length + 3),
  );
  expect(series.reduce((sum, count) => sum + count)).toBeLessThan(1500);
});

// OpenMetrics takes `x` for the family of the counter `x_total`, and refuses a scrape with both.
test("no metric has the name of a counter without its _total", () => {
  const families = declarations
    .filter(([, { type }]) => type === "counter")
    .map(([name]) => name.slice(0, -6));
  expect(declarations.map(([name]) => name).filter((name) => families.includes(name))).toEqual([]);
});

test("every declared metric is used by the sources", () => {
  const sources = ["ingest", "consumers", "query"].map(textOf).join("\n");
  const unused = declarations
    .map(([name]) => name)
    .filter((name) => !sources.includes(`.${name}.`));
  // The search's statistics may also be taken from an object: the dot before and after stands for both.
  expect(unused.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([]);
});

/** All TypeScript of a folder. */
function textOf(folder: string): string {
  const root = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(join(root, path), "utf8"))
    .join("\n");
}

describe("instruments", () => {
  test("render every metric with its help and its type", async () => {
    const text = await createInstruments(false).registry.metrics();
    for (const [name, { type, help }] of declarations) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(text.match(/^# TYPE /gm)).toHaveLength(declarations.length);
  });

  test("count by label, and observe into their own buckets", async () => {
    const instruments = createInstruments(false);
    instruments.logboom_ingest_events_total.inc({ door: "native" }, 3);
    instruments.logboom_ingest_events_total.inc({ door: "native" });
    instruments.logboom_log_size_bytes.set(12);
    instruments.logboom_consumer_batch_events.observe(150_000);
    const text = await instruments.registry.metrics();
    expect(text).toContain('logboom_ingest_events_total{door="native"} 4\n');
    expect(text).toContain("logboom_log_size_bytes 12\n");
    expect(text).toContain('logboom_consumer_batch_events_bucket{le="100000"} 0\n');
    expect(text).toContain('logboom_consumer_batch_events_bucket{le="200000"} 1\n');
  });

  // What an alert asks the increase of has to be there before it happens: promtool's tests begin at 0, too.
  test("count from 0 what has not happened yet, but by door", async () => {
    const text = await createInstruments(false).registry.metrics();
    expect(text).toContain('logboom_dead_letters_total{reason="refused"} 0\n');
    expect(text).toContain('logboom_dead_letters_total{reason="unreadable"} 0\n');
    expect(text).toContain('logboom_consumer_inserts_total{outcome="retried"} 0\n');
    expect(text).toContain('logboom_maintenance_runs_total{outcome="failed"} 0\n');
    const failed = 'logboom_search_requests_total{type="BACKWARD_RESULTS",outcome="failed"} 0\n';
    expect(text).toContain(failed);
    expect(text).not.toMatch(/^\w+_total\{.*door=/m);
  });

  test("refuse a label that is not declared", () => {
    const instruments = createInstruments(false);
    expect(() => instruments.logboom_ingest_events_total.inc({ customer: "acme" })).toThrow(
      "customer",
    );
  });

  test("of two processes in one do not share their registry", async () => {
    const [one, other] = [createInstruments(false), createInstruments(false)];
    one.logboom_consumer_stored_events_total.inc(5);
    expect(await other.registry.metrics()).toContain("logboom_consumer_stored_events_total 0\n");
  });

  test("include the process's own unless told otherwise", async () => {
    const { registry } = createInstruments();
    expect(await registry.metrics()).toContain("process_cpu_seconds_total");
    expect(await createInstruments(false).registry.metrics()).not.toContain("process_cpu");
  });
});
