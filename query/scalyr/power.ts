// Scalyr's power queries: a table of groups, or of events, and what further commands make of it.
import { LogboomError } from "../../schemas/errors.ts";
import type { Engine } from "../ask/engine.ts";
import type { Group, Measure, Question } from "../ask/question.ts";
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { badField } from "../exchange/json-body.ts";
import { EventReader } from "../language/event-reader.ts";
import { scalyrField } from "../language/scalyr-filter.ts";
import {
  parsePowerQuery,
  type Cell,
  type PowerFigure,
  type PowerGroup,
  type TableCommand,
} from "./power-language.ts";
import { questionOf, readText, type ScalyrRequest } from "./request.ts";

const DEFAULT_EVENTS = 1_000;
const MAX_EVENTS = 5_000;
const MAX_GROUP_ROWS = 10_000;

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** `/api/powerQuery` */
export async function queryPower(
  engine: Engine,
  { fields, principal }: ScalyrRequest,
  exchange: Exchange,
): Promise<Reply> {
  const text = readText(fields, "query");
  if (text === undefined) throw badField("query", undefined, "a power query");
  const { predicate, group, commands } = parsePowerQuery(text);
  const question = questionOf(principal, fields, "startToNow", predicate);
  const { table, rest, matchingEvents, omittedEvents } =
    group === undefined
      ? await tableOfEvents(engine, question, commands, exchange)
      : { ...(await tableOfGroups(engine, question, group, exchange)), rest: commands };
  const { columns, rows } = rest.reduce(apply, table);
  if (rows.length > MAX_GROUP_ROWS) {
    throw new LogboomError(
      "TOO_LARGE",
      `the table has ${rows.length} rows; the limit is ${MAX_GROUP_ROWS}; add "| limit"`,
      { details: { limit: MAX_GROUP_ROWS } },
    );
  }
  return {
    json: {
      status: "success",
      matchingEvents,
      omittedEvents,
      columns: columns.map((name) => ({ name })),
      values: rows,
    },
  };
}

/** The newest events; a limit and columns right behind the filter say how many, and which fields. */
async function tableOfEvents(
  engine: Engine,
  question: Question,
  commands: readonly TableCommand[],
  exchange: Exchange,
) {
  const sort = commands.find(({ kind }) => kind === "sort" || kind === "filter");
  if (sort !== undefined) {
    throw new LogboomError(
      "BAD_REQUEST",
      `"${sort.kind}" needs a "group" before it; events come newest first`,
      { details: { field: "query" } },
    );
  }
  const limits = commands.flatMap((command) => (command.kind === "limit" ? [command.rows] : []));
  const limit = Math.min(MAX_EVENTS, ...(limits.length > 0 ? limits : [DEFAULT_EVENTS]));
  const [events, { count }] = await Promise.all([
    engine.find(question, { order: "newest", limit }, exchange),
    engine.count(question, exchange),
  ]);
  const asked = commands.flatMap((command) =>
    command.kind === "columns" ? [command.columns] : [],
  );
  const [
    columns = [
      { name: "timestamp", from: "timestamp" },
      { name: "message", from: "message" },
    ],
  ] = asked;
  const table: Table = {
    columns: columns.map(({ name }) => name),
    rows: events.map((event) => {
      const reader = new EventReader({ ...event, message: Buffer.from(event.message) });
      return columns.map(({ from }) => reader.texts(scalyrField(from))[0] ?? null);
    }),
  };
  const others = commands.filter(({ kind }) => kind === "columns").slice(1);
  return {
    table,
    rest: others,
    matchingEvents: count,
    omittedEvents: Math.max(0, count - events.length),
  };
}

async function tableOfGroups(
  engine: Engine,
  question: Question,
  { figures, keys }: PowerGroup,
  exchange: Exchange,
) {
  const measured = figures.filter(({ figure }) => figure.kind !== "count");
  const groups = await engine.group(
    question,
    {
      keys: keys.map(({ field }) => ({ field, keepsMissing: true })),
      measures: measured.map(({ figure }) => measureOf(figure)),
    },
    exchange,
  );
  // Without keys, no event is a row, too.
  const shown: readonly Group[] =
    groups.length === 0 && keys.length === 0
      ? [{ bin: 0, keys: [], count: 0, bytes: 0, measures: [] }]
      : groups;
  const table: Table = {
    columns: [...keys, ...figures].map(({ name }) => name),
    rows: shown.map((group) => [
      ...group.keys,
      ...figures.map(({ figure }) =>
        figureOf(
          figure,
          group,
          measured.findIndex((one) => one.figure === figure),
        ),
      ),
    ]),
  };
  return {
    table,
    matchingEvents: groups.reduce((sum, { count }) => sum + count, 0),
    omittedEvents: 0,
  };
}

function measureOf(figure: PowerFigure): Measure {
  if (figure.kind === "count") throw new TypeError("a count measures no field");
  return {
    field: figure.field,
    quantiles: figure.kind === "percentile" ? [figure.percent / 100] : [],
    deviation: figure.kind === "deviation",
    unique: figure.kind === "distinct",
  };
}

function figureOf(figure: PowerFigure, group: Group, index: number): Cell {
  if (figure.kind === "count") return group.count;
  const measured = group.measures[index];
  if (figure.kind === "distinct") return measured?.unique ?? 0;
  if (measured === undefined || measured.numbers === 0) return null;
  switch (figure.kind) {
    case "sum":
      return measured.sum;
    case "mean":
      return measured.sum / measured.numbers;
    case "min":
      return measured.min;
    case "max":
      return measured.max;
    case "deviation":
      return measured.deviation;
    case "percentile":
      return measured.quantiles[0] ?? null;
  }
}

function apply(table: Table, command: TableCommand): Table {
  const { columns, rows } = table;
  const indexOf = (column: string): number => {
    const index = columns.indexOf(column);
    if (index >= 0) return index;
    throw badField("query", column, `a column of the table: ${columns.join(", ")}`);
  };
  switch (command.kind) {
    case "limit":
      return { columns, rows: rows.slice(0, command.rows) };
    case "columns": {
      const picked = command.columns.map(({ from }) => indexOf(from));
      return {
        columns: command.columns.map(({ name }) => name),
        rows: rows.map((row) => picked.map((index) => row[index] ?? null)),
      };
    }
    case "filter": {
      for (const column of command.columns) indexOf(column);
      return {
        columns,
        rows: rows.filter((row) => command.test((column) => row[indexOf(column)] ?? null)),
      };
    }
    case "sort": {
      const by = command.by.map(({ column, isDescending }) => ({
        index: indexOf(column),
        sign: isDescending ? -1 : 1,
      }));
      return {
        columns,
        rows: [...rows].sort((a, b) => {
          for (const { index, sign } of by) {
            const order = compare(a[index] ?? null, b[index] ?? null);
            if (order !== 0) return sign * order;
          }
          return 0;
        }),
      };
    }
  }
}

/** Missing before numbers before texts. */
function compare(a: Cell, b: Cell): number {
  const rank = (cell: Cell) => (cell === null ? 0 : typeof cell === "number" ? 1 : 2);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a === null || b === null || a === b) return 0;
  return a < b ? -1 : 1;
}
