// Power queries as one statement of ClickHouse: a subquery for each command.
import { LogboomError } from "../../schemas/errors.ts";
import {
  joinTables,
  shownOnly,
  transposedValues,
  transposeTable,
  uniteTables,
} from "./power-combine-sql.ts";
import { compileExpression } from "./power-expression-sql.ts";
import type { PowerExpression } from "./power-expression.ts";
import { groupTable } from "./power-group-sql.ts";
import { lookUp, type DataTable } from "./power-lookup-sql.ts";
import type { PowerLookup } from "./power-lookup.ts";
import {
  rankColumn,
  type PowerColumn,
  type PowerCommand,
  type PowerPart,
  type PowerQuery,
} from "./power-query.ts";
import {
  orderBy,
  withColumns,
  type PowerRole,
  type PowerScope,
  type PowerTable,
} from "./power-table.ts";
import { asBoolean, asText, orderOf, type PowerSql } from "./power-value.ts";
import { queryError } from "./query-cursor.ts";
import { joinSql, raw, sql, type SqlFragment, type SqlParameters } from "./sql-fragment.ts";

export interface PowerOptions {
  /** Of the events that pass each filter: `events PREWHERE …`, with columns as those of the table events. */
  readonly sources: readonly SqlFragment[];
  readonly parameters: SqlParameters;
  /** The time asked for, ns since 1970. */
  readonly begin: bigint;
  readonly end: bigint;
  /** The values that were asked for so far, in their order. */
  readonly values?: readonly (readonly (string | null)[])[];
  /** The customer's table of a name; undefined = there is none. */
  readonly tableOf?: ((name: string) => DataTable | undefined) | undefined;
}

export type PowerStatement =
  /** Rows of the columns in order; NULL = undefined. */
  | {
      readonly kind: "rows";
      readonly query: SqlFragment;
      readonly columns: readonly string[];
      readonly roles: readonly PowerRole[];
      /** Whether the columns that are keys name a row. */
      readonly isKeyed: boolean;
      /** Present when the rows are events, of which the newest {@link defaultRows} are shown: a row that counts all. */
      readonly count: SqlFragment | undefined;
    }
  /** Rows of one text each that names columns: to be asked for, and then given with the others. */
  | { readonly kind: "values"; readonly query: SqlFragment };

/** Rows of events where the query does not say how many, and of any table. */
export const defaultRows = 1_000;
export const maxRows = 10_000;

const eventColumns = raw(
  "time, ingested, cityHash64(prefix0, prefix1, prefix2, prefix3, message) AS tie, prefix0, prefix1, prefix2, message, attributes",
);
const newestFirst = [raw("time DESC"), raw("ingested DESC"), raw("tie DESC")];
/** ClickHouse reads 256 KiB of a statement, 64 KiB of parameters in its address, and 1,000 levels. */
const maxTextCharacters = 200_000;
const maxParameterBytes = 60_000;
const maxLevels = 250;
/** Of all tables that are looked up; what is longer than an address is sent as a form. */
const maxTableBytes = 1024 * 1024;

/** Values have to be asked for before the rest can be compiled. */
class NeedsValues extends Error {
  readonly query: SqlFragment;

  constructor(query: SqlFragment) {
    super("values of a column are needed");
    this.query = query;
  }
}

/** @throws LogboomError BAD_REQUEST for a name or a function that is none, or a query that becomes too large */
export function compilePowerQuery(query: PowerQuery, options: PowerOptions): PowerStatement {
  let names = 0;
  const scope: PowerScope = { ...options, nextName: () => raw(`c${String((names += 1))}`) };
  const values = (options.values ?? [])[Symbol.iterator]();
  const compiler = new Compiler(scope, options, values);
  const bounded = (statement: SqlFragment): SqlFragment =>
    withinBounds(statement, compiler.tableBytes);
  try {
    const table = compiler.part(query);
    const shown = compiler.shown(table);
    const list = shown.map(([, { type, fragment }]) =>
      type === "boolean" ? sql`CAST(${fragment}, 'Nullable(Bool)')` : fragment,
    );
    const rows = table.isLimited ? maxRows + 1 : defaultRows;
    const all = sql`SELECT ${joinSql(list, ", ")} FROM ${table.from}${orderBy(table)} LIMIT ${raw(String(rows))}`;
    return {
      kind: "rows",
      query: bounded(all),
      columns: shown.map(([name]) => name),
      roles: shown.map(([name, { type }]) => roleOf(table.keys?.get(name), type)),
      isKeyed: table.keys !== undefined,
      count: table.isLimited ? undefined : sql`SELECT toFloat64(count()) FROM ${table.from}`,
    };
  } catch (thrown) {
    if (thrown instanceof NeedsValues) return { kind: "values", query: bounded(thrown.query) };
    throw thrown;
  }
}

function roleOf(key: { readonly isTime: boolean } | undefined, type: PowerSql["type"]): PowerRole {
  if (key !== undefined) return key.isTime ? "time" : "key";
  return type === "number" ? "figure" : "other";
}

class Compiler {
  readonly #scope: PowerScope;
  readonly #options: Pick<PowerOptions, "sources" | "tableOf">;
  readonly #values: Iterator<readonly (string | null)[]>;
  /** Of all tables that were looked up. */
  tableBytes = 0;

  constructor(
    scope: PowerScope,
    options: Pick<PowerOptions, "sources" | "tableOf">,
    values: Iterator<readonly (string | null)[]>,
  ) {
    this.#scope = scope;
    this.#options = options;
    this.#values = values;
  }

  part({ source, commands }: PowerPart): PowerTable {
    let table = this.#source(source);
    for (const command of commands) table = this.#apply(command, table);
    return table;
  }

  /** The columns that are shown; of events that no command made a table of, the time and the message. */
  shown(table: PowerTable): (readonly [string, PowerSql])[] {
    if (!table.hasFields) return [...table.columns];
    const defaults = ["timestamp", "message"].filter((name) => !table.columns.has(name));
    return [
      ...defaults.map(
        (name) => [name, this.#compile({ kind: "name", name, offset: 0 }, table)] as const,
      ),
      ...table.columns,
    ];
  }

  #source(source: PowerPart["source"]): PowerTable {
    if (source.kind === "events") {
      const events = this.#options.sources[source.filter];
      if (events === undefined) throw new TypeError("a filter without a source");
      return {
        from: sql`(SELECT ${eventColumns} FROM ${events})`,
        columns: new Map(),
        qualified: new Map(),
        hasFields: true,
        isLimited: false,
        order: newestFirst,
      };
    }
    const parts = source.parts.map(({ name, offset, query }) => {
      const table = this.part(query);
      return { name, offset, table: shownOnly(table, this.shown(table), this.#scope) };
    });
    return source.kind === "union"
      ? uniteTables(parts, this.#scope)
      : joinTables(parts, source, this.#scope);
  }

  #compile(expression: PowerExpression, table: PowerTable): PowerSql {
    return compileExpression(expression, table, this.#scope);
  }

  #apply(command: PowerCommand, table: PowerTable): PowerTable {
    switch (command.kind) {
      case "filter": {
        const condition = asBoolean(this.#compile(command.condition, table));
        return {
          ...table,
          from: sql`(SELECT * FROM ${table.from} WHERE ifNull(${condition}, false))`,
        };
      }
      case "let":
        // A column may use those before it.
        return command.columns.reduce<PowerTable>(
          (inner, { name, expression }) =>
            withColumns(inner, [[name, this.#compile(expression, inner)]], this.#scope),
          table,
        );
      case "columns": {
        const added = command.columns.map(
          ({ name, expression }) => [name, this.#compile(expression, table)] as const,
        );
        const { columns, ...extended } = withColumns(table, added, this.#scope);
        const kept = added.map(([name]) => [name, columns.get(name) as PowerSql] as const);
        return {
          ...extended,
          columns: new Map(kept),
          qualified: new Map(),
          hasFields: false,
          keys: renamedKeys(table, command.columns),
        };
      }
      case "group":
        return groupTable(command, table, this.#scope);
      case "sort":
        return this.#sort(command.keys, table);
      case "limit":
        return limited(table, command.count);
      case "top":
        return this.#top(command, table);
      case "parse":
        return this.#parse(command, table);
      case "lookup":
        return this.#lookUp(command, table);
      case "transpose": {
        const given = shownOnly(table, this.shown(table), this.#scope);
        const { value: values } = this.#values.next() as { value?: readonly (string | null)[] };
        if (values === undefined) {
          throw new NeedsValues(transposedValues(given, command, this.#scope));
        }
        return transposeTable(given, command, values, this.#scope);
      }
    }
  }

  #parse(
    { from, regex, names }: Extract<PowerCommand, { kind: "parse" }>,
    table: PowerTable,
  ): PowerTable {
    const text = asText(this.#compile(from, table));
    const groups = this.#scope.nextName();
    const pattern = this.#scope.parameters.string(regex.text);
    const extracted = sql`extractGroups(assumeNotNull(ifNull(${text}, '')), ${pattern}) AS ${groups}`;
    const columns = names.map((name, index) => {
      const fragment = sql`nullIf(${groups}[${raw(String(index + 1))}], '')`;
      return [name, { type: "text", fragment }] as const;
    });
    return withColumns(
      { ...table, from: sql`(SELECT *, ${extracted} FROM ${table.from})` },
      columns,
      this.#scope,
    );
  }

  #lookUp(command: PowerLookup, table: PowerTable): PowerTable {
    const { name, offset } = command.table;
    const data = this.#options.tableOf?.(name);
    if (data === undefined) {
      const what = `there is no table ${name.slice(0, 100)}`;
      throw queryError(offset, what, "put a file of this name below /datatables/");
    }
    const { looked, cellBytes } = lookUp(command, table, data, this.#scope, (expression) =>
      this.#compile(expression, table),
    );
    this.tableBytes += cellBytes;
    if (this.tableBytes > maxTableBytes) {
      throw queryError(
        offset,
        `the tables that are looked up have more than ${String(maxTableBytes)} bytes`,
        "look up fewer, or smaller ones",
      );
    }
    return looked;
  }

  /** Of equal values the first groups count. */
  #top(
    { value, by, count }: Extract<PowerCommand, { kind: "top" }>,
    table: PowerTable,
  ): PowerTable {
    const grouped = groupTable({ kind: "group", columns: [value], by }, table, this.#scope);
    const key = { kind: "name", name: value.name, offset: 0 } as const;
    const first = limited(this.#sort([{ expression: key, isDescending: true }], grouped), count);
    const place = this.#scope.nextName();
    const order = joinSql(first.order, ", ");
    return {
      ...first,
      from: sql`(SELECT *, toFloat64(row_number() OVER (ORDER BY ${order})) AS ${place} FROM ${first.from})`,
      columns: new Map([[rankColumn, { type: "number", fragment: place }], ...first.columns]),
    };
  }

  /** Rows that are equal stay in the order they had. */
  #sort(keys: Extract<PowerCommand, { kind: "sort" }>["keys"], table: PowerTable): PowerTable {
    const selected: SqlFragment[] = [];
    const order = keys.flatMap(({ expression, isDescending }) => {
      const column = expression.kind === "text" ? table.columns.get(expression.text) : undefined;
      const { type, fragment } = column ?? this.#compile(expression, table);
      const name = this.#scope.nextName();
      selected.push(sql`${fragment} AS ${name}`);
      return orderOf({ type, fragment: name }, isDescending);
    });
    const from = sql`(SELECT *, ${joinSql(selected, ", ")} FROM ${table.from})`;
    return { ...table, from, order: [...order, ...table.order] };
  }
}

/** The keys by their new names; without one of them the others do not name a row. */
function renamedKeys({ keys }: PowerTable, columns: readonly PowerColumn[]): PowerTable["keys"] {
  if (keys === undefined) return undefined;
  const renamed = columns.flatMap(({ name, expression }) => {
    const key = expression.kind === "name" ? keys.get(expression.name) : undefined;
    return key === undefined ? [] : [[name, key] as const];
  });
  return renamed.length < keys.size ? undefined : new Map(renamed);
}

/** The first rows of the table's order. */
function limited(table: PowerTable, count: number): PowerTable {
  const from = sql`(SELECT * FROM ${table.from}${orderBy(table)} LIMIT ${raw(String(count))})`;
  return { ...table, from, isLimited: true };
}

/** @throws LogboomError BAD_REQUEST when ClickHouse would not read the statement */
function withinBounds(statement: SqlFragment, tableBytes: number): SqlFragment {
  const { text, params } = statement;
  let [level, deepest] = [0, 0];
  for (const character of text) {
    if (character === "(" || character === "[") deepest = Math.max(deepest, (level += 1));
    else if (character === ")" || character === "]") level -= 1;
  }
  const size = Buffer.byteLength(JSON.stringify(params)) - tableBytes;
  if (text.length <= maxTextCharacters && size <= maxParameterBytes && deepest <= maxLevels) {
    return statement;
  }
  throw new LogboomError(
    "BAD_REQUEST",
    "the query becomes too large; write a smaller one, at offset 0",
    {
      details: { offset: 0 },
    },
  );
}
