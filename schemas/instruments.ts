// The declared metrics as live instruments of one process.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import { metricDeclarations, type MetricName } from "./metrics.ts";

type Instrument<Name extends MetricName> =
  (typeof metricDeclarations)[Name]["type"] extends "counter"
    ? Counter
    : (typeof metricDeclarations)[Name]["type"] extends "gauge"
      ? Gauge
      : Histogram;

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
      case "counter":
        return [name, new Counter(options)];
      case "gauge":
        return [name, new Gauge(options)];
      case "histogram":
        return [name, new Histogram({ ...options, buckets: [...declaration.buckets] })];
    }
  });
  return { ...Object.fromEntries(instruments), registry } as Instruments;
}
