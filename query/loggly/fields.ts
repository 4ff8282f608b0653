// Loggly's figures of fields: which there are, their most frequent values, statistics of their numbers.
import type { Principal } from "../../ingest/keys/permission.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import type { Group, Measured } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badParameter, wholeParameter } from "../exchange/parameters.ts";
import { logglyField } from "../language/loggly.ts";
import type { Field } from "../language/field.ts";
import { readQuestion } from "./access.ts";

/** The vendor asks for a query where events are named, not where fields are. */
const ALL = "*";
const MAX_FIELDS = 500;
/** The vendor names 300; clients ask for 2,000. */
const DEFAULT_FACETS = 300;
const MAX_FACETS = 2_000;
const percents = [1, 5, 25, 50, 75, 95, 99];

/** `/apiv2/fields`: the names of fields, most frequent first. */
export async function listFields(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const question = readQuestion(principal, exchange.query, ALL);
  const size = wholeParameter(exchange.query, "facet_size", {
    fallback: MAX_FIELDS,
    min: 1,
    max: MAX_FACETS,
  });
  const [groups, { count }] = await Promise.all([
    engine.group(question, { keys: [{ field: "names" }] }, exchange),
    engine.count(question, exchange),
  ]);
  const fields = mostFrequent(groups)
    .slice(0, Math.min(size, MAX_FIELDS))
    .map(({ keys: [name] }) => ({ name }));
  return { json: { fields, total_events: count } };
}

/** `/apiv2/fields/NAME`: its most frequent values. */
export async function countTerms(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { query, params } = exchange;
  const name = params["field"] ?? "";
  const question = readQuestion(principal, query, ALL);
  const size = wholeParameter(query, "facet_size", {
    fallback: DEFAULT_FACETS,
    min: 1,
    max: MAX_FACETS,
  });
  const [groups, { count }] = await Promise.all([
    engine.group(question, { keys: [{ field: logglyField(name), isMulti: true }] }, exchange),
    engine.count(question, exchange),
  ]);
  const terms = mostFrequent(groups)
    .slice(0, size)
    .map(({ keys: [term], count }) => ({ term, count }));
  return { json: { [name]: terms, unique_field_count: groups.length, total_events: count } };
}

const statistics: Readonly<Record<string, (measured: Measured) => unknown>> = {
  avg: averageOf,
  sum: ({ sum }) => sum,
  min: ({ min }) => min,
  max: ({ max }) => max,
  percentiles: ({ quantiles }) =>
    Object.fromEntries(percents.map((percent, index) => [percent, quantiles[index] ?? null])),
  value_count: ({ present }) => present,
  cardinality: ({ unique }) => unique,
  stats: basic,
  extended: (measured) => ({
    ...basic(measured),
    std_deviation: measured.deviation,
    variance: squareOf(measured.deviation),
  }),
};

/** `/apiv2/stats/STAT/FIELD` */
export async function calculate(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { params, query } = exchange;
  const { stat = "", field: name = "" } = params;
  const asked = stat === "extended_stats" ? "extended" : stat;
  if (asked !== "all" && !Object.hasOwn(statistics, asked)) {
    throw badParameter("stat", stat, `one of ${[...Object.keys(statistics), "all"].join(", ")}`);
  }
  const question = readQuestion(principal, query, ALL);
  const measure = {
    field: logglyField(name),
    quantiles:
      asked === "percentiles" || asked === "all" ? percents.map((percent) => percent / 100) : [],
    deviation: asked === "extended" || asked === "all",
    unique: asked === "cardinality" || asked === "all",
  };
  const [group] = await engine.group(question, { measures: [measure] }, exchange);
  const measured = group?.measures[0] ?? nothing;
  const needsNumbers = asked !== "value_count" && asked !== "cardinality";
  if (needsNumbers && measured.present > 0 && measured.numbers === 0) {
    throw new LogboomError("BAD_REQUEST", `the field "${name.slice(0, 100)}" holds no numbers`, {
      details: { field: name.slice(0, 100) },
    });
  }
  if (asked !== "all") return { json: { [stat]: statistics[asked]?.(measured) } };
  return {
    json: Object.fromEntries(
      Object.entries(statistics).map(([key, figure]) => [key, figure(measured)]),
    ),
  };
}

const groupings: Readonly<Record<string, Field>> = {
  host: { kind: "label", index: 0 },
  app: { kind: "label", index: 1 },
};

/** `/apiv2/volume-metrics`: events and bytes, of all or by host and app. */
export async function measureVolume(
  engine: Engine,
  principal: Principal,
  exchange: Exchange,
): Promise<Reply> {
  const { query } = exchange;
  const names = listParameter(query, "group_by", Object.keys(groupings), []);
  const types = listParameter(
    query,
    "measurement_types",
    ["volume_bytes", "count"],
    ["volume_bytes", "count"],
  );
  const filtered = new URLSearchParams(query);
  filtered.set("q", ALL);
  const question = readQuestion(principal, filtered);
  const all = ["host", "app"];
  const groups = await engine.group(
    question,
    { keys: all.flatMap((name) => keyOf(name)) },
    exchange,
  );
  const metrics = new Map<
    string,
    { names: Record<string, string>; bytes: number; count: number }
  >();
  for (const { keys, bytes, count } of groups) {
    const values: Record<string, string> = { host: keys[0] ?? "", app: keys[1] ?? "" };
    const isAsked = all.every((name) => {
      const wanted = query
        .getAll(name)
        .flatMap((text) => text.split(","))
        .filter((text) => text !== "");
      return wanted.length === 0 || wanted.includes(values[name] ?? "");
    });
    if (!isAsked) continue;
    const shown = Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
    const key = JSON.stringify(shown);
    const metric = metrics.get(key) ?? { names: shown, bytes: 0, count: 0 };
    metric.bytes += bytes;
    metric.count += count;
    metrics.set(key, metric);
  }
  if (names.length === 0 && metrics.size === 0)
    metrics.set("{}", { names: {}, bytes: 0, count: 0 });
  return {
    json: {
      from: Number(question.begin / 1_000_000n),
      until: Number(question.end / 1_000_000n),
      group_by: names,
      measurement_types: types,
      metrics: [...metrics.values()]
        .sort((a, b) => b.bytes - a.bytes)
        .map(({ names, bytes, count }) => ({
          ...names,
          ...(types.includes("volume_bytes") && { volume_bytes: bytes }),
          ...(types.includes("count") && { count }),
        })),
    },
  };
}

const nothing: Measured = {
  present: 0,
  numbers: 0,
  sum: 0,
  min: null,
  max: null,
  deviation: null,
  unique: 0,
  quantiles: [],
};

function keyOf(name: string) {
  const field = groupings[name];
  return field === undefined ? [] : [{ field, keepsMissing: true }];
}

function listParameter(
  query: URLSearchParams,
  name: string,
  allowed: readonly string[],
  fallback: readonly string[],
): string[] {
  const given = query
    .getAll(name)
    .flatMap((text) => text.split(","))
    .filter((text) => text !== "");
  const foreign = given.find((value) => !allowed.includes(value));
  if (foreign !== undefined) throw badParameter(name, foreign, `some of ${allowed.join(", ")}`);
  return given.length === 0 ? [...fallback] : [...new Set(given)];
}

function mostFrequent(groups: readonly Group[]): Group[] {
  const textOf = ({ keys: [text] }: Group) => text ?? "";
  return [...groups].sort(
    (a, b) => b.count - a.count || (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0),
  );
}

function averageOf({ sum, numbers }: Measured): number | null {
  return numbers === 0 ? null : sum / numbers;
}

function basic(measured: Measured) {
  const { numbers, min, max, sum } = measured;
  return { count: numbers, min, max, avg: averageOf(measured), sum };
}

function squareOf(value: number | null): number | null {
  return value === null ? null : value * value;
}
