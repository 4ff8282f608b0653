// The SQL of one slice of a question. What comes from a request is a bound parameter.
import { fieldNumber, fieldText, fieldTexts } from "../language/sql-field.ts";
import { joinSql, raw, sql, type SqlFragment } from "../language/sql-fragment.ts";
import { scopeCondition } from "../search/scope.ts";
import type { Group, GroupKey, Grouping, Measure, Measured, Page, Question } from "./question.ts";

/** Whole hours since 1970, both inclusive. */
export interface Hours {
  readonly firstHour: number;
  readonly lastHour: number;
}

export const EVENT_COLUMNS =
  "toString(toUnixTimestamp64Nano(time)), toString(ingested), toString(tie), prefix0, prefix1, prefix2, prefix3, message, attributes";
const TIE = "cityHash64(prefix0, prefix1, prefix2, prefix3, message) AS tie";

/** Rows of {@link EVENT_COLUMNS} in order; without a limit when each is still to be decided. */
export function eventsStatement(question: Question, hours: Hours, page: Page): SqlFragment {
  const { parameters } = question;
  const isNewest = page.order === "newest";
  const order = isNewest ? "DESC" : "ASC";
  const after =
    page.after === undefined
      ? raw("1")
      : sql`(time, ingested, tie) ${raw(isNewest ? "<" : ">")} (fromUnixTimestamp64Nano(${parameters.int64(page.after.time)}), ${parameters.int64(page.after.ingested)}, toUInt64(${parameters.string(String(page.after.tie))}))`;
  const limit = question.search.isExact ? raw(`LIMIT ${page.limit}`) : raw("");
  return sql`
    SELECT ${raw(EVENT_COLUMNS)}
    FROM (
      SELECT time, ingested, ${raw(TIE)}, prefix0, prefix1, prefix2, prefix3, message, attributes
      FROM events ${sourceOf(question, hours)}
    )
    WHERE ${after}
    ORDER BY time ${raw(order)}, ingested ${raw(order)}, tie ${raw(order)}
    ${limit}`;
}

/**
 * Rows `[bin, keys…, count, bytes, of each measure: present, numbers, sum, min, max, deviation, unique, quantiles]`
 * of every group.
 */
export function groupsStatement(question: Question, hours: Hours, grouping: Grouping): SqlFragment {
  const { keys = [], measures = [] } = grouping;
  const target = { message: raw("message"), parameters: question.parameters };
  const columns = [
    sql`${binSql(question, grouping)} AS bin`,
    raw("length(message) AS size"),
    ...keys.map(({ field, isMulti }, index) =>
      isMulti === true || field === "names"
        ? sql`arrayJoin(arrayDistinct(${textsOf(field, target)})) AS k${raw(String(index))}`
        : sql`${fieldText(field, target)} AS k${raw(String(index))}`,
    ),
    ...measures.flatMap(({ field }, index) => [
      sql`${fieldText(field, target)} AS t${raw(String(index))}`,
      sql`${fieldNumber(field, target)} AS n${raw(String(index))}`,
    ]),
  ];
  const by = ["bin", ...keys.map((_, index) => `k${index}`)];
  return sql`
    SELECT ${raw([...by, "count()", "sum(size)", ...measures.map(measureSql)].join(", "))}
    FROM (SELECT ${joinSql(columns, ", ")} FROM events ${sourceOf(question, hours)})
    WHERE ${raw(["1", ...requiredKeys(keys)].join(" AND "))}
    GROUP BY ${raw(by.join(", "))}`;
}

/** Rows of {@link EVENT_COLUMNS}, then `bin`, the values of each key as an array, and of each measure text and number. */
export function candidatesStatement(
  question: Question,
  hours: Hours,
  grouping: Grouping,
): SqlFragment {
  const { keys = [], measures = [] } = grouping;
  const target = { message: raw("message"), parameters: question.parameters };
  const columns = [
    raw(EVENT_COLUMNS.replace("toString(tie)", "'0'")),
    binSql(question, grouping),
    ...keys.map(({ field, isMulti }) =>
      isMulti === true || field === "names"
        ? sql`arrayDistinct(${textsOf(field, target)})`
        : sql`arrayFilter(e -> isNotNull(e), [toNullable(${fieldText(field, target)})])`,
    ),
    ...measures.flatMap(({ field }) => [fieldText(field, target), fieldNumber(field, target)]),
  ];
  return sql`SELECT ${joinSql(columns, ", ")} FROM events ${sourceOf(question, hours)}`;
}

/** Reads a row of {@link groupsStatement}. */
export function readGroup(row: readonly unknown[], grouping: Grouping): Group {
  const keyCount = grouping.keys?.length ?? 0;
  const [count, bytes, ...measured] = row.slice(1 + keyCount);
  return {
    bin: Number(row[0]),
    keys: row.slice(1, 1 + keyCount) as (string | null)[],
    count: Number(count),
    bytes: Number(bytes),
    measures: (grouping.measures ?? []).map((_, index) => {
      const [present, numbers, sum, min, max, deviation, unique, quantiles] = measured.slice(
        index * 8,
        index * 8 + 8,
      );
      return {
        present: Number(present),
        numbers: Number(numbers),
        sum: Number(sum ?? 0),
        min: min as number | null,
        max: max as number | null,
        deviation: deviation as number | null,
        unique: Number(unique),
        quantiles: quantiles as (number | null)[],
      } satisfies Measured;
    }),
  };
}

function textsOf(field: GroupKey["field"], target: Parameters<typeof fieldTexts>[1]): SqlFragment {
  if (field !== "names") return fieldTexts(field, target);
  const isObject = "startsWith(trimLeft(message), '{') AND isValidJSON(message)";
  const paths = `JSONAllPaths(CAST(if(${isObject}, message, '{}') AS JSON))`;
  return raw(`arrayConcat(arrayMap(path -> concat('json.', path), ${paths}), mapKeys(attributes))`);
}

function measureSql({ quantiles = [], deviation, unique }: Measure, index: number): string {
  const number = `n${index}`;
  return [
    `count(t${index})`,
    `count(${number})`,
    `sum(${number})`,
    `min(${number})`,
    `max(${number})`,
    deviation === true ? `stddevPopStable(${number})` : "NULL",
    unique === true ? `uniqExact(t${index})` : "0",
    quantiles.length === 0 ? "[]" : `quantilesExactInclusive(${quantiles.join(", ")})(${number})`,
  ].join(", ");
}

function requiredKeys(keys: readonly GroupKey[]): string[] {
  return keys.flatMap(({ keepsMissing }, index) =>
    keepsMissing === true ? [] : [`k${index} IS NOT NULL`],
  );
}

/** Which of equal parts of the time asked for. */
function binSql({ begin, end }: Question, { bins = 1, span = end - begin }: Grouping): SqlFragment {
  if (bins === 1) return raw("0");
  const wide = (value: bigint) => `toInt128('${value}')`;
  const since = `(toInt128(toUnixTimestamp64Nano(time)) - ${wide(begin)})`;
  return raw(`toUInt32(intDiv(${since} * ${bins}, ${wide(span)}))`);
}

/** What a statement of its own selects the question's events from; without hours, there are none. */
export function eventsOf(question: Question, hours: Hours | undefined): SqlFragment {
  if (hours === undefined || question.prefixes === undefined) return raw("events WHERE 0");
  return sql`events ${sourceOf(question, hours)}`;
}

/** Explicit PREWHERE, cheapest condition first: the store would evaluate patterns before labels. */
function sourceOf(question: Question, { firstHour, lastHour }: Hours): SqlFragment {
  const { customer, prefixes, begin, end, search, parameters } = question;
  if (prefixes === undefined) throw new TypeError("a question that may see nothing has no slices");
  const conditions = [
    scopeCondition(customer, prefixes),
    raw(`tb BETWEEN ${firstHour} AND ${lastHour}`),
    sql`time >= fromUnixTimestamp64Nano(${parameters.int64(begin)})`,
    sql`time < fromUnixTimestamp64Nano(${parameters.int64(end)})`,
    ...(search.where === undefined ? [] : [search.where]),
  ];
  return sql`PREWHERE ${joinSql(conditions, " AND ")}`;
}
