// Brings a store's tables up to date: applies the numbered files of schemas/tables in order.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { LogboomError } from "../../schemas/errors.ts";
import { renderDatabases, renderForCluster, type Cluster } from "./cluster.ts";
import { createStoreClient, type StoreClient, type StoreConnection } from "./client.ts";

const shippedTables = fileURLToPath(new URL("../../schemas/tables/", import.meta.url));

/** ON CLUSTER waits up to 180 s for every server. */
const REQUEST_TIMEOUT_MS = 200_000;

interface MigrateOptions {
  readonly tablesDir?: string;
  /** The cluster's name, when the store is one. */
  readonly cluster?: string | undefined;
}

interface Migration {
  readonly name: string;
  readonly statement: string;
  readonly checksum: string;
}

/**
 * Makes the database and applies every file that is not recorded yet. Safe when several processes
 * start at once: each file is one statement that may be repeated (IF NOT EXISTS), and a crash
 * between a statement and its record only repeats it.
 * Throws LogboomError INTERNAL when a file was changed after it had been applied, or the tables there
 * are of one server while a cluster is asked for, or the reverse.
 */
export async function migrateStore(
  connection: StoreConnection,
  logger: Logger,
  options: MigrateOptions = {},
): Promise<void> {
  const { database } = connection;
  const cluster = options.cluster === undefined ? undefined : { name: options.cluster, database };
  await createDatabase(connection, cluster);
  const client = createStoreClient(connection, { requestTimeoutMs: REQUEST_TIMEOUT_MS });
  try {
    const tablesDir = options.tablesDir ?? shippedTables;
    const [first, ...rest] = await readMigrations(tablesDir);
    if (!first) throw new LogboomError("INTERNAL", `no migrations in "${tablesDir}"`);
    await refuseOtherKind(client, cluster);
    // the table of migrations cannot be looked up in itself
    await run(client, first, cluster);
    const applied = await readApplied(client);
    for (const migration of [first, ...rest]) {
      const checksum = applied.get(migration.name);
      if (checksum === undefined) {
        await run(client, migration, cluster);
        await record(client, migration);
        logger.info({ migration: migration.name }, "migration applied");
      } else if (checksum !== migration.checksum) {
        throw editedError(migration, checksum);
      }
    }
  } finally {
    await client.close();
  }
}

/** The database may be made by an administrator, and the user not allowed to: look before. */
async function createDatabase(
  connection: StoreConnection,
  cluster: Cluster | undefined,
): Promise<void> {
  // a request that names an absent database is refused
  const client = createStoreClient(
    { ...connection, database: "default" },
    { requestTimeoutMs: REQUEST_TIMEOUT_MS },
  );
  try {
    const found = await client.query({
      query: "SELECT 1 FROM system.databases WHERE name = {database:String}",
      query_params: { database: connection.database },
      format: "JSONEachRow",
    });
    if ((await found.json()).length > 0) return;
    if (cluster === undefined) {
      await client.command({
        query: "CREATE DATABASE IF NOT EXISTS {database:Identifier}",
        query_params: { database: connection.database },
      });
    }
    for (const query of cluster === undefined ? [] : renderDatabases(cluster)) {
      await client.command({ query });
    }
  } finally {
    await client.close();
  }
}

/** Tables of one server do not become a cluster's by IF NOT EXISTS: the shards' events would stay apart. */
async function refuseOtherKind(client: StoreClient, cluster: Cluster | undefined): Promise<void> {
  const result = await client.query({
    query: `SELECT engine FROM system.tables
            WHERE database = currentDatabase() AND name = 'migrations'`,
    format: "JSONEachRow",
  });
  const [table] = await result.json<{ engine: string }>();
  const isReplicated = table?.engine.startsWith("Replicated");
  if (table === undefined || isReplicated === (cluster !== undefined)) return;
  const found = isReplicated ? "are a cluster's" : "are one server's";
  throw new LogboomError(
    "INTERNAL",
    `the tables in the database ${found}, and LOGBOOM_CLICKHOUSE_CLUSTER is ${cluster === undefined ? "not set" : "set"}; use another database`,
  );
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => /^\d{3}-.+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const statement = await readFile(new URL(name, `file://${dir}/`), "utf8");
      return { name, statement, checksum: createHash("sha256").update(statement).digest("hex") };
    }),
  );
}

async function readApplied(client: StoreClient): Promise<Map<string, string>> {
  const result = await client.query({
    query: "SELECT name, checksum FROM migrations ORDER BY applied DESC",
    format: "JSONEachRow",
  });
  const rows = await result.json<{ name: string; checksum: string }>();
  return new Map(rows.map(({ name, checksum }) => [name, checksum]));
}

async function run(
  client: StoreClient,
  { statement }: Migration,
  cluster: Cluster | undefined,
): Promise<void> {
  const statements = cluster === undefined ? [statement] : renderForCluster(statement, cluster);
  for (const query of statements) await client.command({ query });
}

async function record(client: StoreClient, { name, checksum }: Migration): Promise<void> {
  await client.insert({
    table: "migrations",
    columns: ["name", "checksum"],
    values: [{ name, checksum }],
    format: "JSONEachRow",
    // two processes that apply it at once record it once
    clickhouse_settings: { async_insert: 0, insert_deduplication_token: `${name}/${checksum}` },
  });
}

function editedError({ name, checksum }: Migration, applied: string): LogboomError {
  return new LogboomError(
    "INTERNAL",
    `migration "${name}" was edited after it was applied: its checksum is ${checksum}, applied was ${applied}`,
    { details: { migration: name } },
  );
}
