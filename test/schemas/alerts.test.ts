// Alert rules and dashboard: every expression is PromQL over metrics, labels and label values that exist.
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createInstruments } from "../../schemas/instruments.ts";
import { metricDeclarations } from "../../schemas/metrics.ts";

interface Declaration {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels?: Readonly<Record<string, readonly string[]>>;
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const text = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const { groups } = parse(text("schemas/alerts.yml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap(({ rules }) => rules);
const { panels } = JSON.parse(text("schemas/dashboard.json")) as { panels: Panel[] };
const charts = panels.filter(({ type }) => type !== "row");
const expressions: (readonly [where: string, expression: string])[] = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...charts.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
];

const declared: Readonly<Record<string, Declaration>> = metricDeclarations;
/** Labels that Prometheus adds to every series. */
const targetLabels = ["job", "instance"];

test.each(expressions)("%s: %s", async (_, expression) => {
  // Grafana fills these in.
  const source = expression.replaceAll("$__rate_interval", "5m");
  const metrics: string[] = [];
  const labels: string[] = [];
  const matchers: [label: string, value: string, operator: string][] = [];
  parser.parse(source).iterate({
    enter: (node) => {
      const piece = source.slice(node.from, node.to);
      expect(node.type.isError, `an error at ${node.from}: ${piece}`).toBe(false);
      if (node.name === "Identifier") metrics.push(piece);
      if (node.name === "LabelName") labels.push(piece);
      const matcher = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(piece);
      if (node.name.endsWith("Matcher") && matcher) {
        matchers.push([matcher[1] ?? "", matcher[3] ?? "", matcher[2] ?? ""]);
      }
    },
  });
  expect(metrics).not.toEqual([]);
  const known = [...targetLabels];
  for (const metric of metrics) {
    const family = metric.replace(/_(bucket|sum|count)$/, "");
    const declaration = declared[metric] ?? declared[family];
    if (declaration === undefined) {
      expect([...(await processMetrics()), "up"]).toContain(metric);
      continue;
    }
    expect(declaration.type === "histogram").toBe(family !== metric);
    known.push(...Object.keys(declaration.labels ?? {}), ...(family === metric ? [] : ["le"]));
  }
  for (const label of labels) expect(known).toContain(label);
  for (const [label, value, operator] of matchers) {
    expect(known).toContain(label);
    if (targetLabels.includes(label)) continue;
    const values = operator.endsWith("~") ? value.split("|") : [value];
    const [metric = ""] = metrics;
    const closed = metrics.flatMap((name) => declared[name]?.labels?.[label] ?? []);
    expect(closed, `label ${label} of ${metric}`).toEqual(expect.arrayContaining(values));
  }
});

async function processMetrics(): Promise<string[]> {
  const metrics = await createInstruments().registry.getMetricsAsJSON();
  return metrics.map(({ name }) => name);
}

test("every alert has a severity, a summary and a heading in docs/operations.md", () => {
  const operations = text("docs/operations.md");
  expect(rules.length).toBeGreaterThan(10);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(["page", "ticket"]).toContain(labels.severity);
    expect(annotations.summary).toMatch(/^\S/);
    expect(operations).toContain(`\n### ${alert}\n`);
  }
});

test("the dashboard's panels have ids, titles and legends of their own", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  for (const { title, targets = [] } of charts) {
    expect(targets.length, title).toBeGreaterThan(0);
    for (const { legendFormat } of targets) expect(legendFormat, title).not.toBe("");
  }
});
