// Measures each search three ways: its first run and fresh scans of what is warm, with reuse turned off; and, with
// reuse as users have it, the same again and another range.
import type { Options } from "./options.ts";
import { startSecondsOf, type Part } from "./prepare.ts";
import { listQueries, type KnownStream } from "./queries.ts";
import { mean, quantile, type Report } from "./report.ts";
import { measureSearch, type Measured, type SearchParameters } from "./search.ts";
import type { Service } from "./service.ts";
import { createStreams } from "./streams.ts";

/** A stream of middling size, with its events over all parts. */
function pickStream(options: Options, parts: readonly Part[]): KnownStream {
  const streams = createStreams(options.seed);
  const totals = streams.map((_, number) =>
    parts.reduce((sum, part) => sum + (part.streamEvents[number] ?? 0), 0),
  );
  const median = quantile(totals, 0.5);
  const number = totals.indexOf(median);
  return { prefixes: streams[number]?.prefixes ?? [], events: median };
}

/**
 * The range of the whole data set, begun some nanoseconds before it: another number makes another query with the same
 * answer, so that nothing of an earlier scan can be used again.
 */
function rangeOf(options: Options, variant: number): SearchParameters {
  const spell = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = String(1e9 - 1 - variant).padStart(9, "0");
  return {
    beginTime: `${spell(startSecondsOf(options) - 1)}.${fraction}`,
    endTime: spell(options.endSeconds),
  };
}

export async function measureSearches(
  service: Service,
  parts: readonly Part[],
  options: Options,
  report: Report,
): Promise<void> {
  let variant = 0;
  const rows: (string | number)[][] = [];
  const queries = listQueries(options.events, pickStream(options, parts));
  await service.stop();
  await service.start({ LOGBOOM_SEARCH_REUSE_BYTES: "0" });
  for (const query of queries) {
    const fresh = (): Promise<Measured> =>
      measureSearch(service, { ...query.parameters, ...rangeOf(options, variant++) });
    const cold = await fresh();
    const warm: Measured[] = [];
    for (let run = 0; run < options.warmRuns; run++) warm.push(await fresh());
    const verdict =
      query.hits === undefined
        ? ""
        : cold.hits === query.hits
          ? "exact"
          : `of ${query.hits}: WRONG`;
    rows.push([
      query.name,
      cold.hits,
      verdict,
      ...[cold.wallMs, cold.cpuMs].map(Math.round),
      Math.round(
        quantile(
          warm.map(({ wallMs }) => wallMs),
          0.5,
        ),
      ),
      Math.round(mean(warm.map(({ cpuMs }) => cpuMs))),
      Math.round(mean(warm.map(({ rootCpuMs }) => rootCpuMs))),
      Math.round(
        quantile(
          warm.map(({ firstMs }) => firstMs),
          0.5,
        ),
      ),
      query.peer.wallMs,
      query.peer.cpuMs ?? "",
    ]);
  }
  await service.stop();
  await service.start();
  for (const [index, query] of queries.entries()) {
    const run = (shift: number): Promise<Measured> =>
      measureSearch(service, { ...query.parameters, ...rangeOf(options, shift) });
    await run(1000 + index);
    const again = await run(1000 + index);
    const shifted = await run(index);
    const figures = [again.wallMs, again.cpuMs, shifted.wallMs, shifted.cpuMs];
    rows[index]?.splice(-2, 0, ...figures.map(Math.round));
  }
  report.table(
    `Search of ${options.events.toLocaleString("en")} events: milliseconds; a warm figure is of ${options.warmRuns} fresh scans, wall and first partial result the median, CPU the mean`,
    "search,hits,,cold wall,cold CPU,warm wall,warm CPU,of it Node.js,warm first,again wall,again CPU,shifted wall,shifted CPU,peer wall,peer CPU".split(
      ",",
    ),
    rows,
  );
}
