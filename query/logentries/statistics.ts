// The statistics of a LEQL statement: calculate, groupby, having, timeslice, sort and limit.
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import type { Asking, Group, Measure, Measured, Question } from "../ask/question.ts";
import type { LeqlCalculation, LeqlHaving, LeqlQuery } from "../language/leql.ts";
import { toNumber } from "../language/numeric-text.ts";
import type { During } from "./times.ts";

const DEFAULT_SLICES = 10;
const MAX_SLICES = 10_000;
const DEFAULT_GROUPS = 1_000;
const NS_PER_MS = 1_000_000;
const COUNT: LeqlCalculation = { kind: "count" };

export function isStatistical({ calculate, groupby, timeslice }: LeqlQuery): boolean {
  return calculate !== undefined || groupby.length > 0 || timeslice !== undefined;
}

/** The value of `statistics` in an answer. */
export async function calculateStatistics(
  engine: Engine,
  question: Question,
  query: LeqlQuery,
  during: During,
  asking: Asking,
): Promise<object> {
  const calculation = query.calculate ?? COUNT;
  const figures = [calculation, ...calculationsOf(query.having)];
  const measures = figures.flatMap(measureOf);
  const read = (group: Group | undefined, one: LeqlCalculation): number | null =>
    valueOf(one, group, figures.filter(hasKey).indexOf(one));
  const type = calculation.kind;
  const keys = query.groupby.map(({ field }) => ({ field }));
  const { slices, sliceMs } = slicesOf(query, during);
  const [whole, sliced] = await Promise.all([
    engine.group(question, { keys, measures }, asking),
    query.groupby.length === 0 || query.timeslice !== undefined
      ? engine.group(
          question,
          { keys, measures, bins: slices, span: BigInt(Math.ceil(slices * sliceMs * NS_PER_MS)) },
          asking,
        )
      : Promise.resolve<Group[]>([]),
  ]);
  const shared = {
    from: during.from,
    to: during.to,
    type,
    granularity: Math.floor(sliceMs),
    status: 200,
  };
  const series = (groups: readonly Group[]) => {
    const byBin = new Map(groups.map((group) => [group.bin, group]));
    return Array.from({ length: slices }, (_, bin) => ({
      [type]: read(byBin.get(bin), calculation),
    }));
  };
  if (query.groupby.length === 0) {
    const [all] = whole;
    return {
      ...shared,
      count: all?.count ?? 0,
      cardinality: 0,
      stats: { global_timeseries: { [type]: read(all, calculation) } },
      timeseries: { global_timeseries: series(sliced) },
      groups: [],
    };
  }
  const passing = whole.filter((group) => passes(query.having, (one) => read(group, one)));
  const shown = sortGroups(passing, query, (group) => read(group, calculation)).slice(
    0,
    query.limit[0] ?? DEFAULT_GROUPS,
  );
  const names = new Set(shown.map(labelOf));
  const slicedBy = Map.groupBy(sliced, labelOf);
  return {
    ...shared,
    count: whole.reduce((sum, { count }) => sum + count, 0),
    cardinality: passing.length,
    stats: {},
    timeseries: Object.fromEntries(
      query.timeslice === undefined
        ? []
        : [...names].map((name) => [name, series(slicedBy.get(name) ?? [])]),
    ),
    groups: shown.map((group) => ({ [labelOf(group)]: { [type]: read(group, calculation) } })),
  };
}

/** The values of a group's keys. */
function labelOf({ keys }: Group): string {
  return keys.join(",");
}

function slicesOf(
  { timeslice }: LeqlQuery,
  { from, to }: During,
): { readonly slices: number; readonly sliceMs: number } {
  const ms = Math.max(1, to - from);
  if (timeslice !== undefined && "seconds" in timeslice) {
    const sliceMs = timeslice.seconds * 1000;
    const slices = Math.ceil(ms / sliceMs);
    if (slices <= MAX_SLICES) return { slices, sliceMs };
    throw new LogboomError("BAD_REQUEST", `${slices} slices of time; the limit is ${MAX_SLICES}`, {
      details: { value: slices, limit: MAX_SLICES },
    });
  }
  const slices = timeslice?.count ?? DEFAULT_SLICES;
  return { slices, sliceMs: ms / slices };
}

function sortGroups(
  groups: readonly Group[],
  { sort, groupby }: LeqlQuery,
  read: (group: Group) => number | null,
): Group[] {
  const sign = sort?.order === "asc" ? 1 : -1;
  const named = groupby.findIndex(({ name }) => name === sort?.key);
  // The vendor writes "key" for the groups' own; one of groupby() may have that name.
  const places =
    named >= 0 ? [named] : sort?.key?.toLowerCase() === "key" ? [...groupby.keys()] : undefined;
  return [...groups].sort((a, b) => {
    const order =
      places === undefined
        ? (read(a) ?? -Infinity) - (read(b) ?? -Infinity)
        : compareKeys(a, b, places);
    if (order !== 0 && !Number.isNaN(order)) return sign * order;
    return labelOf(a) < labelOf(b) ? -1 : 1;
  });
}

/** The first of these keys that differs decides; numbers by their value, before texts. */
function compareKeys(a: Group, b: Group, places: readonly number[]): number {
  for (const place of places) {
    const [left, right] = [a.keys[place] ?? "", b.keys[place] ?? ""];
    const [number, other] = [toNumber(left) ?? Infinity, toNumber(right) ?? Infinity];
    if (number !== other) return number < other ? -1 : 1;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

function hasKey(calculation: LeqlCalculation): boolean {
  return "key" in calculation;
}

function measureOf(calculation: LeqlCalculation): Measure[] {
  if (!("key" in calculation)) return [];
  return [
    {
      field: calculation.key.field,
      unique: calculation.kind === "unique",
      deviation: calculation.kind === "standarddeviation",
      quantiles: calculation.kind === "percentile" ? [calculation.percent / 100] : [],
    },
  ];
}

/** @param index of its measure */
function valueOf(
  calculation: LeqlCalculation,
  group: Group | undefined,
  index: number,
): number | null {
  const measured = group?.measures[index];
  switch (calculation.kind) {
    case "bytes":
      return group?.bytes ?? 0;
    case "count":
      return calculation.key === undefined ? (group?.count ?? 0) : (measured?.present ?? 0);
    case "unique":
      return measured?.unique ?? 0;
    case "sum":
      return measured?.sum ?? 0;
    default:
      return measured === undefined || measured.numbers === 0
        ? null
        : ofNumbers(calculation.kind, measured);
  }
}

function ofNumbers(
  kind: "average" | "min" | "max" | "standarddeviation" | "percentile",
  { sum, numbers, min, max, deviation, quantiles }: Measured,
): number | null {
  switch (kind) {
    case "average":
      return sum / numbers;
    case "min":
      return min;
    case "max":
      return max;
    case "standarddeviation":
      return deviation;
    case "percentile":
      return quantiles[0] ?? null;
  }
}

function calculationsOf(having: LeqlHaving | undefined): LeqlCalculation[] {
  if (having === undefined) return [];
  return having.kind === "compare" ? [having.calculation] : having.operands.flatMap(calculationsOf);
}

function passes(
  having: LeqlHaving | undefined,
  read: (calculation: LeqlCalculation) => number | null,
): boolean {
  if (having === undefined) return true;
  if (having.kind !== "compare") {
    const { kind, operands } = having;
    const passesOne = (operand: LeqlHaving) => passes(operand, read);
    return kind === "and" ? operands.every(passesOne) : operands.some(passesOne);
  }
  const value = read(having.calculation);
  if (value === null) return false;
  switch (having.comparison) {
    case "<":
      return value < having.value;
    case "<=":
      return value <= having.value;
    case ">":
      return value > having.value;
    case ">=":
      return value >= having.value;
    case "=":
      return value === having.value;
    case "!=":
      return value !== having.value;
  }
}
