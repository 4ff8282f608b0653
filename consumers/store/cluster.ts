// Renders the store's statements for a ClickHouse cluster: replicated tables on every shard, and tables over all shards.
import { LogboomError } from "../../schemas/errors.ts";

export interface Cluster {
  readonly name: string;
  /** Of the tables that hold data; they have the same names as on one server. */
  readonly database: string;
}

/** The database of the tables that span the shards, under the same names: searches use it. */
export function distributedDatabase(database: string): string {
  return `${database}_distributed`;
}

export function renderDatabases({ name, database }: Cluster): string[] {
  return [database, distributedDatabase(database)].map(
    (one) => `CREATE DATABASE IF NOT EXISTS ${one} ON CLUSTER ${name}`,
  );
}

/**
 * The statements that do on a cluster what a file of schemas/tables does on one server. Paths of
 * replicas are the server's default (`default_replica_path`), which holds the macro {shard}.
 *
 * @throws LogboomError INTERNAL for a statement of a kind that no file has had yet.
 */
export function renderForCluster(statement: string, cluster: Cluster): string[] {
  const created =
    /^(?<comments>(?:\s*--.*\n)*)\s*CREATE (?<kind>TABLE|MATERIALIZED VIEW) IF NOT EXISTS (?<name>\w+)/.exec(
      statement,
    );
  const { kind, name } = created?.groups ?? {};
  if (created === null || name === undefined) {
    throw new LogboomError("INTERNAL", `cannot render for a cluster: ${statement.slice(0, 200)}`);
  }
  const local = statement
    .replace(created[0], `${created[0]} ON CLUSTER ${cluster.name}`)
    .replace(/^ENGINE = (\w*MergeTree)$/m, "ENGINE = Replicated$1")
    .replace(
      /\bnon_replicated_deduplication_window = (\d+)/,
      // by number alone: a batch may be repeated after a week without consumers
      "replicated_deduplication_window = $1, replicated_deduplication_window_seconds = 31536000",
    );
  const isSearched = kind === "TABLE" && name !== "migrations";
  return isSearched ? [local, renderDistributed(name, cluster)] : [local];
}

function renderDistributed(table: string, { name, database }: Cluster): string {
  return `CREATE TABLE IF NOT EXISTS ${distributedDatabase(database)}.${table} ON CLUSTER ${name}
AS ${database}.${table}
ENGINE = Distributed(${name}, ${database}, ${table})`;
}
