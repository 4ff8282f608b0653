// The searches that are measured, with what the best of the neighbours needs for the same question.
import { NEEDLES } from "./prepare.ts";
import type { SearchParameters } from "./search.ts";

export interface Query {
  readonly name: string;
  readonly parameters: SearchParameters;
  /** Wall and CPU milliseconds of VictoriaLogs 1.26, warm, on comparable data and the same kind of machine. */
  readonly peer: { readonly wallMs: number; readonly cpuMs?: number };
  /** What must be found, where it is known. */
  readonly hits?: number;
}

/** One stream that is asked for by all its labels, and how many events it has. */
export interface KnownStream {
  readonly prefixes: readonly string[];
  readonly events: number;
}

const counted = (regex: string, timeBins = 1): SearchParameters => ({
  type: "EXACT_COUNTS_BINNED",
  regex,
  timeBins: String(timeBins),
});

const newest = (regex: string): SearchParameters => ({
  type: "BACKWARD_RESULTS",
  regex,
  limit: "100",
});

/** @param events how many are stored */
export function listQueries(events: number, stream: KnownStream): Query[] {
  const prefixes = Object.fromEntries(
    stream.prefixes.map((prefix, index) => [`prefix${index}`, prefix]),
  );
  return [
    {
      name: "newest 100",
      parameters: newest(".*"),
      peer: { wallMs: 96, cpuMs: 150 },
      hits: Math.min(100, events),
    },
    {
      name: "rare needle, part of a word",
      parameters: newest(".*NEEDLE-7f3a9c2e.*"),
      peer: { wallMs: 594, cpuMs: 1000 },
      hits: NEEDLES,
    },
    {
      name: "phrase of whole words, newest 100",
      parameters: newest(".*upstream timed out.*"),
      peer: { wallMs: 27, cpuMs: 40 },
    },
    {
      name: "phrase of whole words, counted",
      parameters: counted(".*upstream timed out.*"),
      peer: { wallMs: 27, cpuMs: 40 },
    },
    {
      name: "frequent regex, 64 bins",
      parameters: counted(".*GET /api/v[12]/.*", 64),
      peer: { wallMs: 478, cpuMs: 810 },
    },
    {
      name: "two substrings in order, newest 100",
      parameters: newest(".*GET .* 500 .*"),
      peer: { wallMs: 28, cpuMs: 40 },
    },
    {
      name: "a number in 8 buckets by 64 bins",
      parameters: {
        type: "EXACT_XY_HISTOGRAM_BINNED",
        regex: ".*duration: (?<y>(?num(3))) ms.*",
        timeBins: "64",
        ySplits: "1,2,5,10,20,50,100",
      },
      peer: { wallMs: 1045, cpuMs: 1770 },
    },
    {
      name: "newest event of each key",
      parameters: {
        type: "BACKWARD_RESULTS_ONE_PER_KEY31",
        regex: ".*\\[(?<key>(?txt(worker-[0-9]+)))\\].*",
        limit: "100",
      },
      peer: { wallMs: 855, cpuMs: 1510 },
    },
    {
      name: "one stream, counted",
      parameters: { ...counted(".*"), ...prefixes },
      peer: { wallMs: 1, cpuMs: 0 },
      hits: stream.events,
    },
    {
      name: "all, counted",
      parameters: counted(".*"),
      peer: { wallMs: 3, cpuMs: 0 },
      hits: events,
    },
    {
      name: "regex without a literal, counted",
      parameters: counted(".*[0-9]{3}-[a-f]{4}.*"),
      peer: { wallMs: 11_400 },
    },
    {
      name: "case classes, counted",
      parameters: counted(".*[Ee]rror.*"),
      peer: { wallMs: 9500 },
    },
  ];
}
