// Measures the service under a steady rate: latency of acknowledgements, and how soon an event is found.
import type { Options } from "./options.ts";
import { PeakMemory } from "./peak-memory.ts";
import { runRate } from "./rate.ts";
import { quantile, type Report } from "./report.ts";
import type { Service } from "./service.ts";

const TARGETS = { acknowledgeMs: 250, searchableMs: 2000 };

/** Returns how many events were stored. */
export async function measureRate(
  service: Service,
  options: Options,
  report: Report,
): Promise<number> {
  const { tree } = service;
  using memory = new PeakMemory(tree);
  const [cpu0, root0] = [tree.cpuSeconds(), tree.rootCpuSeconds()];
  const result = await runRate({
    target: { url: service.url, hasKeys: options.hasKeys },
    seed: options.seed,
    eventsPerSecond: options.rate,
    batchEvents: options.rateBatchEvents,
    seconds: options.rateSeconds,
  });
  const cpuSeconds = tree.cpuSeconds() - cpu0;
  const rootCpu = tree.rootCpuSeconds() - root0;
  const { acknowledgeMs, searchableMs } = result;
  report.figures(
    `Steady rate of ${options.rate.toLocaleString("en")} events/s in batches of ${options.rateBatchEvents}, with a probe a second`,
    [
      { name: "events", value: result.events, unit: "" },
      { name: "rate", value: result.events / result.tookSeconds, unit: "events/s" },
      { name: "refused and repeated", value: result.refused, unit: "requests" },
      { name: "acknowledged p50", value: quantile(acknowledgeMs, 0.5), unit: "ms" },
      {
        name: "acknowledged p99",
        value: quantile(acknowledgeMs, 0.99),
        unit: "ms",
        target: TARGETS.acknowledgeMs,
      },
      { name: "acknowledged max", value: Math.max(...acknowledgeMs), unit: "ms" },
      { name: "searchable p50", value: quantile(searchableMs, 0.5), unit: "ms" },
      { name: "searchable p99", value: quantile(searchableMs, 0.99), unit: "ms" },
      {
        name: "searchable max",
        value: Math.max(...searchableMs),
        unit: "ms",
        target: TARGETS.searchableMs,
      },
      { name: "CPU", value: cpuSeconds / result.tookSeconds, unit: "cores" },
      { name: "  of it Node.js", value: rootCpu / result.tookSeconds, unit: "cores" },
      {
        name: "  of it ClickHouse",
        value: (cpuSeconds - rootCpu) / result.tookSeconds,
        unit: "cores",
      },
      { name: "CPU an event", value: (cpuSeconds / result.events) * 1e6, unit: "us" },
      { name: "peak resident", value: memory.peak.resident / 1e9, unit: "GB" },
    ],
  );
  return result.events;
}
