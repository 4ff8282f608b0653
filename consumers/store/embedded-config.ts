// Renders the embedded ClickHouse's configuration and users: bounded memory and disk, two users, loopback only.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { searchSettings } from "./search-settings.ts";

/** The user that writes, migrates and maintains. */
export const writerUser = "logboom_writer";
/** The user that searches: cannot write, is bounded in time and memory, stops when its client leaves. */
export const readerUser = "logboom_reader";

export interface EmbeddedConfig {
  readonly dir: string;
  readonly database: string;
  /** What ClickHouse may allocate in all; resident memory is about 150 MB more. */
  readonly maxMemoryBytes: number;
  readonly writerPassword: string;
  readonly readerPassword: string;
}

/** A tree of elements; an array repeats its element. */
interface XmlTree {
  readonly [element: string]: XmlTree | string | number | readonly string[];
}

const mebibyte = 1024 * 1024;

/** The server's configuration file. */
export function renderServerConfig(config: EmbeddedConfig): string {
  return renderXml({
    users_config: usersPath(config.dir),
    logger: { log: join(config.dir, "server.log"), size: "4M", count: 2 },
    max_server_memory_usage: config.maxMemoryBytes,
    merges_mutations_memory_usage_soft_limit: Math.round(config.maxMemoryBytes * 0.6),
    // the machine's other processes share the cgroup: its figures are not ours
    memory_worker_use_cgroup: 0,
    cgroups_memory_usage_observer_wait_time: 0,
    mark_cache_size: 64 * mebibyte,
    index_mark_cache_size: 16 * mebibyte,
    primary_index_cache_size: 32 * mebibyte,
    uncompressed_cache_size: 0,
    index_uncompressed_cache_size: 0,
    mmap_cache_size: 0,
    compiled_expression_cache_size: 16 * mebibyte,
    query_cache: { max_size_in_bytes: 0 },
    // four merges take turns on two threads: a long one does not hold up the short
    background_pool_size: 2,
    background_merges_mutations_concurrency_ratio: 2,
    merge_tree: {
      number_of_free_entries_in_pool_to_lower_max_size_of_merge: 2,
      // building an index waits for an idle pool, so one part at a time is built
      number_of_free_entries_in_pool_to_execute_mutation: 4,
    },
    asynchronous_metrics_update_period_s: 30,
    keep_alive_timeout: 10,
  });
}

/** The users file: passwords only as SHA-256, every user on loopback, grants instead of trust. */
export function renderUsers(config: EmbeddedConfig): string {
  const { database } = config;
  return renderXml({
    profiles: {
      default: { async_insert: 0, log_queries: 0 },
      // The server's own blocking query runs as "default", whose name and password are fixed in the
      // library. It holds the one session this user may have, so nobody else can be it.
      listen: { max_sessions_for_user: 1 },
      writer: { max_threads: 1, max_insert_threads: 1 },
      reader: {
        ...searchSettings,
        // by itself a thread is for each GiB that the server has free, which is one here
        max_threads_min_free_memory_per_thread: 0,
        max_memory_usage: Math.round(config.maxMemoryBytes * 0.4),
        constraints: {
          max_memory_usage: { max: Math.round(config.maxMemoryBytes * 0.4) },
          max_execution_time: { min: 1, max: 600 },
        },
      },
    },
    quotas: { default: {} },
    users: {
      default: {
        no_password: "",
        networks: { ip: "127.0.0.1" },
        profile: "listen",
        quota: "default",
        grants: { query: ["GRANT SYSTEM ON *.*", "GRANT CREATE TEMPORARY TABLE, FILE ON *.*"] },
      },
      [writerUser]: {
        password_sha256_hex: sha256(config.writerPassword),
        networks: { ip: "127.0.0.1" },
        profile: "writer",
        quota: "default",
        grants: {
          query: [
            `GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, CHECK ON ${database}.*`,
            "GRANT TABLE ENGINE ON *",
            "GRANT SELECT ON system.*",
            "GRANT KILL QUERY, SYSTEM MERGES ON *.*",
          ],
        },
      },
      [readerUser]: {
        password_sha256_hex: sha256(config.readerPassword),
        networks: { ip: "127.0.0.1" },
        profile: "reader",
        quota: "default",
        grants: { query: [`GRANT SELECT ON ${database}.*`, "GRANT SELECT ON system.processes"] },
      },
    },
  });
}

export function configPath(dir: string): string {
  return join(dir, "config.xml");
}

export function usersPath(dir: string): string {
  return join(dir, "users.xml");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function renderXml(tree: XmlTree): string {
  return `<clickhouse>\n${renderElements(tree)}</clickhouse>\n`;
}

function renderElements(tree: XmlTree): string {
  return Object.entries(tree)
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? (value as readonly string[]) : [value]).map((one) => {
        const inner =
          typeof one === "object" ? `\n${renderElements(one as XmlTree)}` : escapeText(one);
        return `<${name}>${inner}</${name}>\n`;
      }),
    )
    .join("");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function escapeText(value: string | number): string {
  return String(value).replace(/[&<>]/g, (character) => entities[character] ?? character);
}
