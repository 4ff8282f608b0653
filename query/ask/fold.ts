// Groups that grow: out of the groups of slices, or event by event where only TypeScript can decide.
import { LogboomError } from "../../schemas/errors.ts";
import type { Group, Grouping, Measured } from "./question.ts";

/** Groups of one answer, and values that are held for quantiles and unique counts in all its groups. */
export const MAX_GROUPS = 100_000;
const MAX_HELD_VALUES = 2_000_000;

export interface MeasuredValue {
  readonly text: string | null;
  readonly number: number | null;
}

interface OpenMeasure {
  present: number;
  sum: number;
  min: number | null;
  max: number | null;
  numbers: number;
  /** Given by the store for all of a group at once. */
  whole: Pick<Measured, "deviation" | "unique" | "quantiles"> | undefined;
  readonly values: number[];
  readonly texts: Set<string>;
}

interface OpenGroup {
  readonly bin: number;
  readonly keys: readonly (string | null)[];
  count: number;
  bytes: number;
  readonly measures: readonly OpenMeasure[];
}

export class Fold {
  readonly #grouping: Grouping;
  readonly #groups = new Map<string, OpenGroup>();
  #heldValues = 0;

  constructor(grouping: Grouping) {
    this.#grouping = grouping;
  }

  /** @throws LogboomError TOO_LARGE when there are too many groups. */
  addGroup(group: Group): void {
    const open = this.#open(group.bin, group.keys);
    open.count += group.count;
    open.bytes += group.bytes;
    for (const [index, measure] of open.measures.entries()) {
      const part = group.measures[index];
      if (part === undefined) continue;
      measure.present += part.present;
      measure.numbers += part.numbers;
      measure.sum += part.sum;
      measure.min = smaller(measure.min, part.min);
      measure.max = larger(measure.max, part.max);
      measure.whole = part;
    }
  }

  /** @throws LogboomError TOO_LARGE when there are too many groups, or values to hold. */
  addEvent(
    bin: number,
    keys: readonly (string | null)[],
    bytes: number,
    values: readonly MeasuredValue[],
  ): void {
    const open = this.#open(bin, keys);
    open.count++;
    open.bytes += bytes;
    for (const [index, measure] of open.measures.entries()) {
      const { text, number } = values[index] ?? { text: null, number: null };
      const asked = this.#grouping.measures?.[index];
      if (text !== null) {
        measure.present++;
        if (asked?.unique === true) this.#holdText(measure, text);
      }
      if (number === null) continue;
      measure.numbers++;
      measure.sum += number;
      measure.min = smaller(measure.min, number);
      measure.max = larger(measure.max, number);
      if (asked?.deviation === true || (asked?.quantiles?.length ?? 0) > 0) {
        this.#holdValue(measure, number);
      }
    }
  }

  /** Takes over what another one has folded of other events. */
  absorb(other: Fold): void {
    for (const { bin, keys, count, bytes, measures } of other.#groups.values()) {
      const open = this.#open(bin, keys);
      open.count += count;
      open.bytes += bytes;
      for (const [index, measure] of open.measures.entries()) {
        const part = measures[index];
        if (part === undefined) continue;
        measure.present += part.present;
        measure.numbers += part.numbers;
        measure.sum += part.sum;
        measure.min = smaller(measure.min, part.min);
        measure.max = larger(measure.max, part.max);
        for (const text of part.texts) this.#holdText(measure, text);
        for (const value of part.values) this.#holdValue(measure, value);
      }
    }
  }

  groups(): Group[] {
    return [...this.#groups.values()].map(({ measures, ...group }) => ({
      ...group,
      measures: measures.map(({ values, texts, whole, ...measure }, index) => ({
        ...measure,
        ...(whole === undefined
          ? finish(values, texts, this.#grouping.measures?.[index]?.quantiles ?? [])
          : { deviation: whole.deviation, unique: whole.unique, quantiles: whole.quantiles }),
      })),
    }));
  }

  #open(bin: number, keys: readonly (string | null)[]): OpenGroup {
    const name = JSON.stringify([bin, ...keys]);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    if (this.#groups.size >= MAX_GROUPS) throw tooManyGroups();
    const group = {
      bin,
      keys,
      count: 0,
      bytes: 0,
      measures: (this.#grouping.measures ?? []).map(() => ({
        present: 0,
        numbers: 0,
        sum: 0,
        min: null,
        max: null,
        whole: undefined,
        values: [],
        texts: new Set<string>(),
      })),
    };
    this.#groups.set(name, group);
    return group;
  }

  #holdText(measure: OpenMeasure, text: string): void {
    if (measure.texts.has(text)) return;
    this.#hold();
    measure.texts.add(text);
  }

  #holdValue(measure: OpenMeasure, value: number): void {
    this.#hold();
    measure.values.push(value);
  }

  #hold(): void {
    if (++this.#heldValues <= MAX_HELD_VALUES) return;
    throw new LogboomError(
      "TOO_LARGE",
      `more than ${MAX_HELD_VALUES} values would have to be held; ask for less time or fewer events`,
      { details: { limit: MAX_HELD_VALUES } },
    );
  }
}

export function tooManyGroups(): LogboomError {
  return new LogboomError(
    "TOO_LARGE",
    `more than ${MAX_GROUPS} groups; ask for less time or fewer events`,
    { details: { limit: MAX_GROUPS } },
  );
}

function finish(
  values: readonly number[],
  texts: ReadonlySet<string>,
  quantiles: readonly number[],
): Pick<Measured, "deviation" | "unique" | "quantiles"> {
  const sorted = Float64Array.from(values).sort();
  return {
    deviation: deviationOf(sorted),
    unique: texts.size,
    quantiles: quantiles.map((quantile) => quantileOf(sorted, quantile)),
  };
}

/** Interpolated as ClickHouse's quantileExactInclusive does, to the last bit: it counts from 1. */
function quantileOf(sorted: Float64Array, quantile: number): number | null {
  const place = quantile * (sorted.length - 1) + 1;
  const below = sorted[Math.floor(place) - 1];
  if (below === undefined) return null;
  const above = sorted[Math.floor(place)] ?? below;
  return below + (place - Math.floor(place)) * (above - below);
}

function deviationOf(values: Float64Array): number | null {
  if (values.length === 0) return null;
  let mean = 0;
  let squares = 0;
  for (const [index, value] of values.entries()) {
    const delta = value - mean;
    mean += delta / (index + 1);
    squares += delta * (value - mean);
  }
  return Math.sqrt(squares / values.length);
}

function smaller(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function larger(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
