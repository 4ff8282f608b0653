// The configuration of every process: one typed schema of the environment.
import { z } from "zod";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { bucketCount, maxPartitions } from "./partition.ts";

const MIB = 1024 * 1024;

const whole = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "expected a whole number")
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum));

/** Long enough that guessing it over the network is hopeless. */
const bootstrapToken = z
  .string()
  .min(16)
  .max(255)
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")
  .optional();

/** `http://host:port`, or one of each shard. Credentials have variables of their own: URLs are shown. */
const storeUrls = z
  .string()
  .transform((text) => text.split(",").map((url) => url.trim()))
  .refine((urls) => urls.every(isStoreUrl), {
    error: "must be http(s)://host:port, without user, password, path or query",
  })
  .optional();

function isStoreUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return false;
  return url.origin === text.replace(/\/$/, "").toLowerCase();
}

const identifier = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,47}$/,
    "must be a letter or _, then up to 47 letters, digits, _",
  );

/** A network of all addresses would let every client write its own. */
function isProxy(entry: string): boolean {
  if (["loopback", "linklocal", "uniquelocal"].includes(entry)) return true;
  const [, address = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128));
}

/** Raw connections are off unless their port is set; 0 is any free one. */
const rawPort = whole(0, 65535).optional();

const maxDataHubs = 16;

/** `PORT=TOKEN`, several parted by commas. */
const dataHubs = z
  .string()
  .transform((text) =>
    text.split(",").map((one) => /^\s*(\d{1,5})=([\x21-\x7e]{16,255})\s*$/.exec(one)),
  )
  .refine((all) => all.every((one) => one !== null && Number(one[1]) <= 65535), {
    error: "must be PORT=TOKEN, several parted by commas",
  })
  .refine((all) => all.length <= maxDataHubs, { error: `must be ${maxDataHubs} ports at most` })
  .transform((all) => all.map((one) => ({ port: Number(one?.[1]), token: one?.[2] ?? "" })))
  .optional();

/** Every variable with its default and what it is for; the README's table is rendered from this. */
export const environment = {
  LOGBOOM_HOST: z.string().min(1).default("127.0.0.1").describe("address to listen on"),
  LOGBOOM_PORT: whole(0, 65535).default(7024).describe("port of ingest, search and operations"),
  LOGBOOM_TRUSTED_PROXIES: z
    .string()
    .transform((text) => text.split(",").map((entry) => entry.trim()))
    .refine((entries) => entries.every(isProxy), {
      error: "must be addresses, networks as 10.1.0.0/16, or loopback, linklocal, uniquelocal",
    })
    .optional()
    .describe(
      "proxies whose X-Forwarded-For tells a client's address: addresses, networks, `loopback`, `uniquelocal`",
    ),
  LOGBOOM_TOKEN_TCP_PORT: rawPort.describe("port of Logentries' token lines, TCP and UDP"),
  LOGBOOM_TOKEN_TLS_PORT: rawPort.describe("port of Logentries' token lines over TLS"),
  LOGBOOM_DATAHUB: dataHubs.describe(
    "ports of Logentries' DataHub, TCP, each with the token of its log: `10000=TOKEN,10001=TOKEN`",
  ),
  LOGBOOM_SYSLOG_PORT: rawPort.describe(
    "port of Loggly's syslog over TCP, and over TLS given a certificate",
  ),
  LOGBOOM_LOGSTASH_PORT: rawPort.describe("port of LogTrace's Logstash lines, TCP and UDP"),
  LOGBOOM_LOGSTASH_KEY: z
    .string()
    .min(16)
    .optional()
    .describe("LogTrace key of Logstash events that name none"),
  LOGBOOM_TLS_CERT: z.string().optional().describe("file of the raw ports' certificate chain, PEM"),
  LOGBOOM_TLS_KEY: z.string().optional().describe("file of the certificate's private key, PEM"),
  LOGBOOM_DATA_DIR: z.string().min(1).default("./data").describe("folder of the log and the store"),
  LOGBOOM_CUSTOMER: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, . _ or -")
    .default("default")
    .describe("customer of the bootstrap tokens"),
  LOGBOOM_WRITE_TOKEN: bootstrapToken.describe("bootstrap write token; generated when absent"),
  LOGBOOM_READ_TOKEN: bootstrapToken.describe("bootstrap read token; generated when absent"),
  LOGBOOM_MASTER_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, "must be 64 hex digits")
    .optional()
    .describe("encrypts owner keys; generated into the data folder when absent"),
  LOGBOOM_RETENTION_DAYS: whole(1, 36500)
    .default(30)
    .describe("days an event is kept, from its time or its arrival, whichever is later"),
  LOGBOOM_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "silent"])
    .default("info")
    .describe("lowest level of the service's own logs: fatal, error, warn, info, debug, silent"),
  LOGBOOM_LOG_MAX_BYTES: whole(16 * MIB, 2 ** 50)
    .default(4096 * MIB)
    .describe("bound of the embedded log on disk; beyond it ingest answers 503"),
  LOGBOOM_KAFKA_BROKERS: z
    .string()
    .regex(
      /^[^\s,:/]+:\d{1,5}(,[^\s,:/]+:\d{1,5})*$/,
      "expected host:port, several separated by commas",
    )
    .transform((text) => text.split(","))
    .optional()
    .describe("host:port,… of Kafka, which is then the log in place of the embedded one"),
  LOGBOOM_KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,200}$/, "must be 1 to 200 letters, digits, . _ or -")
    .default("logboom")
    .describe("what the names of the topics begin with"),
  LOGBOOM_KAFKA_PARTITIONS: whole(bucketCount, maxPartitions)
    .refine((count) => count % bucketCount === 0, `must be a multiple of ${bucketCount}`)
    .default(12)
    .describe("partitions of a new events topic: the most consumers that share the work"),
  LOGBOOM_KAFKA_REPLICATION: whole(1, 15)
    .default(3)
    .describe("replicas of new topics; an acknowledged event is on more than half of them"),
  LOGBOOM_KAFKA_RETENTION_HOURS: whole(1, 87_600)
    .default(168)
    .describe("hours that a new events topic keeps what consumers may still have to store"),
  LOGBOOM_KAFKA_SASL: z
    .string()
    .regex(
      /^(plain|scram-sha-256|scram-sha-512):[^\s]+$/,
      "expected plain:USER, scram-sha-256:USER or scram-sha-512:USER",
    )
    .optional()
    .describe("mechanism and user, as `scram-sha-512:logboom`"),
  LOGBOOM_KAFKA_PASSWORD: z
    .string()
    .min(1)
    .optional()
    .describe("the user's password, or `file:PATH` of a file that holds it"),
  LOGBOOM_KAFKA_TLS: z
    .enum(["off", "on"])
    .default("off")
    .describe("whether brokers are reached by TLS"),
  LOGBOOM_KAFKA_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("certificates (PEM) to trust in place of the system's"),
  LOGBOOM_MAX_EVENT_BYTES: whole(1, 16 * MIB)
    .default(MIB)
    .describe("largest message of one event"),
  LOGBOOM_MAX_BODY_BYTES: whole(1, 256 * MIB)
    .default(16 * MIB)
    .describe("largest request body as sent"),
  LOGBOOM_MAX_DECODED_BODY_BYTES: whole(1, 512 * MIB)
    .default(64 * MIB)
    .describe("largest request body after decompression"),
  LOGBOOM_BODY_TIMEOUT_MS: whole(10, 600_000)
    .default(30_000)
    .describe("longest pause within a request body"),
  LOGBOOM_INGEST_MEMORY_BYTES: whole(MIB, 2 ** 40)
    .default(256 * MIB)
    .describe("bytes received and not yet acknowledged; beyond it ingest answers 503"),
  LOGBOOM_LINGER_MS: whole(0, 1000)
    .default(3)
    .describe("how long small requests wait to share one log record"),
  LOGBOOM_BATCH_ROWS: whole(1, 1_000_000)
    .default(200_000)
    .describe("most events of one insert into the store"),
  LOGBOOM_BATCH_BYTES: whole(64 * 1024, 128 * MIB)
    .default(32 * MIB)
    .describe("most bytes of one insert into the store"),
  LOGBOOM_BATCH_AGE_MS: whole(1, 60_000)
    .default(1_500)
    .describe("longest wait of an event for its insert; half of it when few events come"),
  LOGBOOM_STORE_MEMORY_BYTES: whole(256 * MIB, 2 ** 50)
    .default(1024 * MIB)
    .describe("memory bound of the embedded ClickHouse server"),
  LOGBOOM_CLICKHOUSE_URL: storeUrls.describe(
    "ClickHouse in place of the embedded one; for a cluster one server of each shard, comma-separated",
  ),
  LOGBOOM_CLICKHOUSE_USER: z.string().min(1).default("default").describe("user of that server"),
  LOGBOOM_CLICKHOUSE_PASSWORD: z.string().default("").describe("password of that user"),
  LOGBOOM_CLICKHOUSE_DATABASE: identifier.default("logboom").describe("database on that server"),
  LOGBOOM_CLICKHOUSE_CLUSTER: identifier
    .optional()
    .describe("cluster of that server: tables are replicated, searches ask every shard"),
  LOGBOOM_INDEX_QUIET_MS: whole(1_000, 86_400_000)
    .default(600_000)
    .describe("a past day without new events for so long gets its message index"),
  LOGBOOM_SEARCH_IDLE_MS: whole(100, 3_600_000)
    .default(10_000)
    .describe("a search that nobody polls for so long stops"),
  LOGBOOM_SEARCH_CONCURRENCY: whole(1, 256)
    .default(availableParallelism())
    .describe("threads of the store that searches use at a time"),
  LOGBOOM_SEARCH_CUSTOMER_SCANS: whole(1, 10_000)
    .default(50)
    .describe("searches of one customer that scan or wait for it at a time; more get 429"),
  LOGBOOM_SEARCH_REUSE_BYTES: whole(0, 2 ** 40)
    .default(128 * MIB)
    .describe("memory of the partial results that are kept for later searches"),
  LOGBOOM_SCALYR_QUERY_BUDGET_MS: whole(0, 3_600_000_000)
    .default(30_000)
    .describe(
      "ms of the store that a customer's Scalyr queries may take at once; 1.2 times as much comes back in an hour; 0 for no limit",
    ),
  LOGBOOM_DRAIN_TIMEOUT_MS: whole(100, 600_000)
    .default(20_000)
    .describe("longest wait for requests in flight at shutdown"),
} as const;

const schema = z.object(environment);

/** The validated environment. */
export type Config = z.infer<typeof schema>;

/** Every fault of the environment, a line each; the process exits with 2. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/**
 * Reads the configuration. An empty variable counts as absent, as docker compose passes unset ones. A
 * secret may be in a file that the variable with `_FILE` after its name names.
 *
 * @throws ConfigError naming every fault; values of secrets are not repeated.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const faults: string[] = [];
  const given = Object.fromEntries(
    Object.keys(environment).flatMap((name) => {
      const value = env[name];
      const path = isSecret(name) ? env[`${name}_FILE`] : undefined;
      if (path !== undefined && path !== "") {
        if (value !== undefined && value !== "") {
          faults.push(`${name}: given as ${name}_FILE, too; give one of them`);
        }
        try {
          return [[name, readFileSync(path, "utf8").replace(/\r?\n$/, "")]];
        } catch (error) {
          faults.push(unreadable(`${name}_FILE`, path, error));
          return [];
        }
      }
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  ) as Record<string, string>;
  const result = schema.safeParse(given);
  if (result.success) faults.push(...faultsBetween(result.data));
  if (result.success && faults.length === 0) return result.data;
  for (const issue of result.error?.issues ?? []) {
    const name = String(issue.path[0]);
    const value = given[name] ?? "";
    // A URL with an "@" holds credentials, even where it is none of ours.
    const shown = isSecret(name) || value.includes("@") ? "" : ` "${value}"`;
    faults.push(`${name}${shown}: ${issue.message}`);
  }
  throw new ConfigError(faults);
}

/**
 * The file that a variable names.
 *
 * @throws ConfigError when it cannot be read.
 */
export function readNamedFile(name: keyof Config, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError([unreadable(name, path, error)]);
  }
}

function unreadable(name: string, path: string, error: unknown): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  return `${name} "${path}": cannot be read (${code})`;
}

/** Variables that look like ours and are not: most often a slip of the pen, whose default then holds unseen. */
export function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(
    Object.keys(environment).flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name])),
  );
  return Object.keys(env).filter((name) => name.startsWith("LOGBOOM_") && !known.has(name));
}

function isSecret(name: string): boolean {
  return /_(TOKEN|PASSWORD)$/.test(name) || /^LOGBOOM_((MASTER|LOGSTASH)_KEY|DATAHUB)$/.test(name);
}

/** What no single variable shows. */
function faultsBetween(config: z.infer<typeof schema>): string[] {
  const faults: string[] = [];
  const { LOGBOOM_TLS_CERT: cert, LOGBOOM_TLS_KEY: key, LOGBOOM_TOKEN_TLS_PORT: port } = config;
  if ((cert === undefined) !== (key === undefined)) {
    faults.push("LOGBOOM_TLS_CERT, LOGBOOM_TLS_KEY: one is of no use without the other");
  } else if (port !== undefined && cert === undefined) {
    faults.push("LOGBOOM_TOKEN_TLS_PORT: needs LOGBOOM_TLS_CERT and LOGBOOM_TLS_KEY");
  }
  const { LOGBOOM_WRITE_TOKEN: write, LOGBOOM_READ_TOKEN: read } = config;
  if (write !== undefined && write === read) {
    faults.push("LOGBOOM_WRITE_TOKEN, LOGBOOM_READ_TOKEN: are the same; give two");
  }
  if (config.LOGBOOM_KAFKA_SASL !== undefined && config.LOGBOOM_KAFKA_PASSWORD === undefined) {
    faults.push("LOGBOOM_KAFKA_SASL: needs LOGBOOM_KAFKA_PASSWORD");
  }
  // Who names certificates means TLS: without it the password would go over the network in clear.
  if (config.LOGBOOM_KAFKA_CA_FILE !== undefined && config.LOGBOOM_KAFKA_TLS === "off") {
    faults.push("LOGBOOM_KAFKA_CA_FILE: needs LOGBOOM_KAFKA_TLS=on");
  }
  const { LOGBOOM_CLICKHOUSE_CLUSTER: cluster, LOGBOOM_CLICKHOUSE_URL: urls } = config;
  if (cluster !== undefined && urls === undefined) {
    faults.push("LOGBOOM_CLICKHOUSE_CLUSTER: needs LOGBOOM_CLICKHOUSE_URL");
  }
  return faults;
}
