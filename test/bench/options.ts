// The command line of the benchmark.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

export const PHASES = ["ingest", "start", "search", "rate", "doors"] as const;
export type Phase = (typeof PHASES)[number];

const HELP = `Measures the service: cost of ingest, start, search, a steady rate, and each door. Nothing is asserted but the count.

  npm run bench -- [options]

  --events N        events of the data set (5000000)
  --batch N         events of a request (5000)
  --in-flight N     requests in flight (8)
  --keys            send an Idempotency-Key with each request
  --only PHASES     of ingest,start,search,rate,doors; comma-separated (all)
  --rate N          events a second of the steady rate (20000)
  --rate-batch N    events of a request of the steady rate (500)
  --rate-seconds N  length of the steady rate (60)
  --warm-runs N     fresh scans of each search (5)
  --door-events N   events of a door's round (20000)
  --door-rounds N   rounds of each door that are measured (3)
  --idle-seconds N  idle seconds that count as the end of merging (6)
  --end DATE        end of the last of the three days, UTC (today)
  --seed N          seed of the data set (1)
  --port N          port of the service (a free one)
  --data DIR        data directory of the service; kept (a new one, removed at the end)
  --keep            keep the new data directory
  --prepared DIR    where the data set is kept between runs (a folder of the system's temporary one)
  --profile         take a CPU profile of our Node.js processes and print the top of each
  --json FILE       write all figures as JSON
  --kafka           over Kafka and a ClickHouse server, an edge and a consumer as processes: ingest, catching up,
                    cost of the producer; needs Java, see docs/kafka.md
  --smoke           100,000 events and short phases, to see that the benchmark itself works
  --help            this text

--only with start or search but without ingest needs --data of an earlier run with the same --events, --batch, --seed and --end.`;

export interface Options {
  readonly events: number;
  readonly batchEvents: number;
  readonly requestsInFlight: number;
  readonly hasKeys: boolean;
  readonly isKafka: boolean;
  readonly phases: ReadonlySet<Phase>;
  readonly rate: number;
  readonly rateBatchEvents: number;
  readonly rateSeconds: number;
  readonly warmRuns: number;
  readonly doorEvents: number;
  readonly doorRounds: number;
  readonly idleSeconds: number;
  readonly endSeconds: number;
  readonly seed: number;
  /** A free one when undefined. */
  readonly port: number | undefined;
  readonly dataDir: string | undefined;
  readonly isKept: boolean;
  readonly preparedDir: string;
  readonly hasProfile: boolean;
  readonly jsonPath: string | undefined;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${name} must be a positive integer, not "${text}"`);
  }
  return value;
}

function readPhases(text: string): ReadonlySet<Phase> {
  const names = text.split(",");
  const unknown = names.find((name) => !PHASES.some((phase) => phase === name));
  if (unknown !== undefined) {
    throw new Error(`--only knows ${PHASES.join(", ")}, not "${unknown}"`);
  }
  return new Set(PHASES.filter((phase) => names.includes(phase)));
}

/** Today's date in UTC: the days before it are closed. */
function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function readEnd(text: string): number {
  const seconds = Date.parse(`${text}T00:00:00Z`) / 1000;
  if (Number.isNaN(seconds)) throw new Error(`--end must be a date as ${today()}, not "${text}"`);
  return seconds;
}

/** Undefined when only the help was asked for, which is then printed. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: "string" },
      batch: { type: "string", default: "5000" },
      "in-flight": { type: "string", default: "8" },
      keys: { type: "boolean", default: false },
      kafka: { type: "boolean", default: false },
      only: { type: "string", default: PHASES.join(",") },
      rate: { type: "string", default: "20000" },
      "rate-batch": { type: "string", default: "500" },
      "rate-seconds": { type: "string" },
      "warm-runs": { type: "string" },
      "door-events": { type: "string" },
      "door-rounds": { type: "string" },
      "idle-seconds": { type: "string", default: "6" },
      end: { type: "string", default: today() },
      seed: { type: "string", default: "1" },
      port: { type: "string" },
      data: { type: "string" },
      keep: { type: "boolean", default: false },
      prepared: { type: "string", default: join(tmpdir(), "logboom-bench-data-set") },
      profile: { type: "boolean", default: false },
      json: { type: "string" },
      smoke: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const { smoke } = values;
  return {
    events: whole("events", values.events ?? (smoke ? "100000" : "5000000")),
    batchEvents: whole("batch", values.batch),
    requestsInFlight: whole("in-flight", values["in-flight"]),
    hasKeys: values.keys,
    isKafka: values.kafka,
    phases: readPhases(values.only),
    rate: whole("rate", values.rate),
    rateBatchEvents: whole("rate-batch", values["rate-batch"]),
    rateSeconds: whole("rate-seconds", values["rate-seconds"] ?? (smoke ? "5" : "60")),
    warmRuns: whole("warm-runs", values["warm-runs"] ?? (smoke ? "1" : "5")),
    doorEvents: whole("door-events", values["door-events"] ?? (smoke ? "2000" : "20000")),
    doorRounds: whole("door-rounds", values["door-rounds"] ?? (smoke ? "1" : "3")),
    idleSeconds: whole("idle-seconds", values["idle-seconds"]),
    endSeconds: readEnd(values.end),
    seed: whole("seed", values.seed),
    port: values.port === undefined ? undefined : whole("port", values.port),
    dataDir: values.data,
    isKept: values.keep || values.data !== undefined,
    preparedDir: values.prepared,
    hasProfile: values.profile,
    jsonPath: values.json,
  };
}
