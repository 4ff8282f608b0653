// Brings a store's tables up to date: applies the numbered files of schemas/tables in order.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { LogboomError } from "../../schemas/errors.ts";
import { createStoreClient, type StoreClient, type StoreConnection } from "./client.ts";

const shippedTables = fileURLToPath(new URL("../../schemas/tables/", import.meta.url));

interface Migration {
  readonly name: string;
  readonly statement: string;
  readonly checksum: string;
}

/**
 * Makes the database and applies every file that is not recorded yet. Safe when several processes
 * start at once: each file is one statement that may be repeated (IF NOT EXISTS), and a crash
 * between a statement and its record only repeats it.
 * Throws LogboomError INTERNAL when a file was changed after it had been applied.
 */
export async function migrateStore(
  connection: StoreConnection,
  logger: Logger,
  tablesDir: string = shippedTables,
): Promise<void> {
  await createDatabase(connection);
  const client = createStoreClient(connection);
  try {
    const [first, ...rest] = await readMigrations(tablesDir);
    if (!first) throw new LogboomError("INTERNAL", `no migrations in "${tablesDir}"`);
    // the table of migrations cannot be looked up in itself
    await client.command({ query: first.statement });
    const applied = await readApplied(client);
    for (const migration of [first, ...rest]) {
      const checksum = applied.get(migration.name);
      if (checksum === undefined) {
        await apply(client, migration);
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
async function createDatabase(connection: StoreConnection): Promise<void> {
  // a request that names an absent database is refused
  const client = createStoreClient({ ...connection, database: "default" });
  try {
    const found = await client.query({
      query: "SELECT 1 FROM system.databases WHERE name = {database:String}",
      query_params: { database: connection.database },
      format: "JSONEachRow",
    });
    if ((await found.json()).length > 0) return;
    await client.command({
      query: "CREATE DATABASE IF NOT EXISTS {database:Identifier}",
      query_params: { database: connection.database },
    });
  } finally {
    await client.close();
  }
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

async function apply(client: StoreClient, { name, statement, checksum }: Migration): Promise<void> {
  await client.command({ query: statement });
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
