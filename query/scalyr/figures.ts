// Scalyr's figures: numeric and timeseries queries in slices of time, facets of a field.
import type { Engine } from "../ask/engine.ts";
import type { Group, Measured, Question } from "../ask/question.ts";
import type { Asking } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField, isFields, type Fields } from "../exchange/json-body.ts";
import { scalyrField } from "../language/scalyr-filter.ts";
import { parseScalyrFunction, type ScalyrFunction } from "../language/scalyr-function.ts";
import {
  questionOf,
  readText,
  readWhole,
  requirePriority,
  requireType,
  withoutEmpty,
  type ScalyrRequest,
} from "./request.ts";

const MAX_BUCKETS = 5_000;
const MAX_QUERIES = 100;
const NS_PER_SECOND = 1e9;

/** `/api/numericQuery`: a number, or null where there is none, for each equal part of the time. */
export async function queryNumbers(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const startedAt = performance.now();
  requireType(fields, "numeric");
  const values = await valuesOf(engine, principal, fields, exchange);
  return { json: { status: "success", values, executionTime: elapsed(startedAt) } };
}

/** `/api/timeseriesQuery`: several numeric queries at once; one of them may stand in the address. */
export async function queryTimeseries(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const startedAt = performance.now();
  const queries: unknown = fields["queries"] ?? [fields];
  if (!Array.isArray(queries) || queries.length === 0 || queries.length > MAX_QUERIES) {
    throw badField("queries", queries, `a list of 1 to ${MAX_QUERIES} queries`);
  }
  const results = await Promise.all(
    queries.map(async (query: unknown, index) => {
      if (!isFields(query)) throw badField(`queries[${index}]`, query, "an object");
      const begun = performance.now();
      const given = withoutEmpty(query);
      requirePriority(given);
      // Clients of old name a series that they created beforehand; without its filter everything would be counted.
      if (given["timeseriesId"] !== undefined) {
        throw badField("timeseriesId", given["timeseriesId"], "a filter and a function");
      }
      const values = await valuesOf(engine, principal, given, exchange);
      // Series are not prepared beforehand: every answer is made from the events.
      return { values, executionTime: elapsed(begun), foundExistingSeries: false };
    }),
  );
  return { json: { status: "success", results, executionTime: elapsed(startedAt) } };
}

/** `/api/facetQuery`: the most frequent values of a field. */
export async function queryFacets(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const startedAt = performance.now();
  requireType(fields, "facet");
  const name = readText(fields, "field");
  if (name === undefined) throw badField("field", undefined, "the name of a field");
  const limit = readWhole(fields, "maxCount", { fallback: 100, max: 1_000 });
  const question = questionOf(principal, fields, "startToNow");
  const [groups, { count }] = await Promise.all([
    engine.group(question, { keys: [{ field: scalyrField(name) }] }, exchange),
    engine.count(question, exchange),
  ]);
  const values = groups
    .map(({ keys: [value], count }) => ({ value: value ?? "", count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
    .slice(0, limit);
  return {
    json: { status: "success", values, matchCount: count, executionTime: elapsed(startedAt) },
  };
}

async function valuesOf(
  engine: Engine,
  principal: ScalyrRequest["principal"],
  fields: Fields,
  asking: Asking,
): Promise<(number | null)[]> {
  const asked = parseScalyrFunction(readText(fields, "function") ?? "");
  const bins = readWhole(fields, "buckets", { fallback: 1, max: MAX_BUCKETS });
  const question = questionOf(principal, fields, "startToNow");
  const measures =
    "field" in asked
      ? [
          {
            field: asked.field,
            quantiles: asked.kind === "percentile" ? [asked.percent / 100] : [],
          },
        ]
      : [];
  const groups = await engine.group(question, { bins, measures }, asking);
  const byBin = new Map(groups.map((group) => [group.bin, group]));
  const seconds = secondsOf(question) / bins;
  return Array.from({ length: bins }, (_, bin) => valueOf(asked, byBin.get(bin), seconds));
}

function valueOf(asked: ScalyrFunction, group: Group | undefined, seconds: number): number | null {
  switch (asked.kind) {
    case "count":
      return group?.count ?? 0;
    case "rate":
      return seconds === 0 ? null : (group?.count ?? 0) / seconds;
    default: {
      const measured = group?.measures[0];
      if (measured === undefined || measured.numbers === 0) return null;
      return ofNumbers(asked.kind, measured, seconds);
    }
  }
}

function ofNumbers(
  kind: Exclude<ScalyrFunction["kind"], "count" | "rate">,
  { sum, numbers, min, max, quantiles }: Measured,
  seconds: number,
): number | null {
  switch (kind) {
    case "mean":
      return sum / numbers;
    case "min":
      return min;
    case "max":
      return max;
    case "sumPerSecond":
      return seconds === 0 ? null : sum / seconds;
    case "percentile":
      return quantiles[0] ?? null;
  }
}

function secondsOf({ begin, end }: Question): number {
  return Number(end - begin) / NS_PER_SECOND;
}

function elapsed(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}
