// Makes ClickHouse clients, and tells errors that a retry cannot cure from those it can.
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from "@clickhouse/client";

export type StoreClient = ClickHouseClient;

/** Where a store is and as whom to use it; `url` without a path: `http://host:8123`. */
export interface StoreConnection {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

export interface StoreClientOptions {
  /** Requests at once; more wait. Default 8. */
  readonly maxConnections?: number;
  /** How long one request may take, ms. Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** Of every statement. */
  readonly settings?: ClickHouseSettings;
}

/** A client over HTTP; close() it before the embedded store, which waits for kept connections. */
export function createStoreClient(
  { url, username, password, database }: StoreConnection,
  options: StoreClientOptions = {},
): StoreClient {
  return createClient({
    url,
    username,
    password,
    database,
    application: "logboom",
    clickhouse_settings: options.settings ?? {},
    max_open_connections: options.maxConnections ?? 8,
    request_timeout: options.requestTimeoutMs ?? 60_000,
    // shorter than the server's 10 s (ClickHouse's own default): the client must let go first
    keep_alive: { enabled: true, idle_socket_ttl: 5000 },
    // errors are thrown to us: logging them here would say them twice, and to stdout
    log: { level: ClickHouseLogLevel.OFF },
  });
}

// ClickHouse's ErrorCodes.cpp: the faults of the bytes sent, not of the server's condition.
// 252 (too many parts) is absent: with max_partitions_per_insert_block=0 it only means "later".
const permanentCodes: ReadonlySet<string> = new Set([
  "6", // CANNOT_PARSE_TEXT
  "25", // CANNOT_PARSE_ESCAPE_SEQUENCE
  "26", // CANNOT_PARSE_QUOTED_STRING
  "27", // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  "33", // CANNOT_READ_ALL_DATA
  "38", // CANNOT_PARSE_DATE
  "41", // CANNOT_PARSE_DATETIME
  "53", // TYPE_MISMATCH
  "69", // ARGUMENT_OUT_OF_BOUND
  "70", // CANNOT_CONVERT_TYPE
  "72", // CANNOT_PARSE_NUMBER
  "117", // INCORRECT_DATA
  "128", // TOO_LARGE_ARRAY_SIZE
  "130", // CANNOT_READ_ARRAY_FROM_TEXT
  "131", // TOO_LARGE_STRING_SIZE
  "190", // SIZES_OF_ARRAYS_DONT_MATCH
  "321", // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  "349", // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  "407", // DECIMAL_OVERFLOW: a time outside 1900..2262
  "441", // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
  "469", // VIOLATED_CONSTRAINT
]);

// The client makes no ClickHouseError of foreign exceptions: "std::exception. Code: 1001, type: avro::Exception, …".
const avroFault = /\bCode: 1001, type: avro::Exception\b/;

/** Whether sending the same bytes again must fail again: the batch then holds a bad event. */
export function isPermanentStoreError(error: unknown): boolean {
  if (error instanceof ClickHouseError) return permanentCodes.has(error.code);
  return error instanceof Error && avroFault.test(error.message);
}
