// The declared metrics as live instruments of one process.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import { metricDeclarations, type MetricName } from "./metrics.ts";

type Instrument<Name extends MetricName> =
  (typeof metricDeclarations)[Name]["type"] extends "counter"
    ? Counter
    : (typeof metricDeclarations)[Name]["type"] extends "gauge"
      ? Gauge
      : Histogram;

type Labels = Readonly<Record<string, string>>;

/** Every declared metric under its name, and the registry that renders them. */
export type Instruments = { readonly [Name in MetricName]: Instrument<Name> } & {
  readonly registry: Registry;
};

/** @param collectProcess whether to add the process's own CPU, memory and event-loop metrics */
export function createInstruments(collectProcess = true): Instruments {
  const registry = new Registry();
  if (collectProcess) collectDefaultMetrics({ register: registry });
  const instruments = Object.entries(metricDeclarations).map(([name, declaration]) => {
    const labels = "labels" in declaration ? declaration.labels : {};
    const options = {
      name,
      help: declaration.help,
      labelNames: Object.keys(labels),
      registers: [registry],
    };
    switch (declaration.type) {
      case "counter": {
        const counter = new Counter(options);
        if (!("door" in labels)) for (const values of combinations(labels)) counter.inc(values, 0);
        return [name, counter];
      }
      case "gauge":
        return [name, new Gauge(options)];
      case "histogram":
        return [name, new Histogram({ ...options, buckets: [...declaration.buckets] })];
    }
  });
  return { ...Object.fromEntries(instruments), registry } as Instruments;
}

/**
 * Every set of the labels' values. Counters begin with them at 0: to Prometheus a series that appears with 1 has
 * not increased, so an alert would miss the first of what is rare. Those by door begin with the door's first
 * request, as most doors are never used.
 */
function combinations(labels: Readonly<Record<string, readonly string[]>>): Labels[] {
  return Object.entries(labels).reduce<Labels[]>(
    (sets, [label, values]) =>
      sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value }))),
    [{}],
  );
}
