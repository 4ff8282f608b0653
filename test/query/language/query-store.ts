// A table with the columns of events in a real ClickHouse, asked many predicates in one statement.
import type { StoreClient } from "../../../consumers/store/client.ts";
import type { QueryEvent } from "../../../query/language/event-reader.ts";
import { compilePredicateSearch } from "../../../query/language/predicate-search.ts";
import type { Predicate } from "../../../query/language/predicate.ts";
import {
  joinSql,
  raw,
  sql,
  SqlParameters,
  type SqlFragment,
} from "../../../query/language/sql-fragment.ts";
import { openTestStore, type TestStore } from "../../consumers/store/store-fixture.ts";

export interface PlainEvent {
  readonly time: bigint;
  readonly message: string;
  readonly prefixes: readonly [string, string, string, string];
  readonly attributes: Readonly<Record<string, string>>;
}

export function toQueryEvent(event: PlainEvent): QueryEvent {
  return { ...event, message: Buffer.from(event.message) };
}

export class QueryStore {
  readonly #opened: TestStore;
  readonly #table: string;
  readonly #labels: readonly (readonly string[])[];
  #asked = 0;

  private constructor(opened: TestStore, table: string, events: readonly PlainEvent[]) {
    this.#opened = opened;
    this.#table = table;
    this.#labels = [0, 1, 2, 3].map((index) => [
      ...new Set(events.map(({ prefixes }) => prefixes[index] ?? "")),
    ]);
  }

  /** Small granules and the n-gram index of the product, so that pruning takes part. */
  static async open(events: readonly PlainEvent[]): Promise<QueryStore> {
    const opened = await openTestStore();
    const table = `asked_${String(process.pid)}`;
    await opened.writer.command({
      query: `CREATE TABLE ${table} (n UInt32, time DateTime64(9, 'UTC'), ingested Int64,
        prefix0 LowCardinality(String), prefix1 LowCardinality(String),
        prefix2 LowCardinality(String), prefix3 LowCardinality(String),
        message String, attributes Map(LowCardinality(String), String),
        INDEX grams message TYPE ngrambf_v1(4, 10240, 1, 0) GRANULARITY 1)
        ENGINE = MergeTree ORDER BY n SETTINGS index_granularity = 8`,
    });
    await opened.writer.insert({
      table,
      values: events.map(({ time, message, prefixes, attributes }, n) => ({
        n,
        ingested: n,
        time: `${String(time / 1_000_000_000n)}.${String(time % 1_000_000_000n).padStart(9, "0")}`,
        prefix0: prefixes[0],
        prefix1: prefixes[1],
        prefix2: prefixes[2],
        prefix3: prefixes[3],
        message,
        attributes,
      })),
      format: "JSONEachRow",
    });
    return new QueryStore(opened, table, events);
  }

  get #client(): StoreClient {
    return this.#opened.reader;
  }

  /** For each predicate the numbers of the events that ClickHouse passes, and whether these are exact. */
  async ask(
    predicates: readonly Predicate[],
  ): Promise<{ passed: Set<number>; isExact: boolean; where: SqlFragment | undefined }[]> {
    const parameters = new SqlParameters();
    // Every other time, the values of the labels are known.
    this.#asked += 1;
    const options = this.#asked % 2 === 0 ? { parameters, labels: this.#labels } : { parameters };
    const searches = predicates.map((each) => compilePredicateSearch(each, options));
    const selects = searches.map(
      ({ where }, index) =>
        `SELECT ${String(index)} AS q, groupArray(n) AS found FROM ${this.#table} WHERE ${where?.text ?? "1"}`,
    );
    const result = await this.#client.query({
      query: selects.join(" UNION ALL "),
      query_params: Object.assign({}, ...searches.map(({ where }) => where?.params)) as Record<
        string,
        unknown
      >,
      format: "JSONEachRow",
    });
    const rows = await result.json<{ q: number; found: number[] }>();
    const found = new Map(rows.map((row) => [row.q, row.found]));
    return searches.map(({ isExact, where }, index) => ({
      passed: new Set(found.get(index)),
      isExact,
      where,
    }));
  }

  /** The table and the condition of a predicate on it. */
  sourceOf(predicate: Predicate, parameters: SqlParameters): SqlFragment {
    const { where } = compilePredicateSearch(predicate, { parameters });
    const from = raw(this.#table);
    return where === undefined ? from : sql`${from} WHERE ${where}`;
  }

  /** The rows of a statement. */
  async rowsOf({ text, params }: SqlFragment): Promise<unknown[][]> {
    const result = await this.#client.query({
      query: text,
      query_params: params,
      format: "JSONCompactEachRow",
    });
    return result.json<unknown[]>();
  }

  /** The values of expressions for each event, in order. */
  async read(columns: readonly SqlFragment[]): Promise<unknown[][]> {
    return this.rowsOf(sql`SELECT ${joinSql(columns, ", ")} FROM ${raw(this.#table)} ORDER BY n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}
