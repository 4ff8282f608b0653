// Every metric of the service, declared once: name, help, labels and the closed list of their values.

import { errorCatalogue, type ErrorCode } from "./errors.ts";
import { maxPartitions } from "./partition.ts";

interface MetricDeclaration {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly buckets?: readonly number[];
}

const errorCodes = Object.keys(errorCatalogue) as readonly ErrorCode[];
const doors = [
  "native",
  "loggly",
  "loggly-syslog",
  "logentries",
  "logentries-token",
  "logtrace",
  "logtrace-logstash",
  "scalyr-upload-logs",
  "scalyr-add-events",
] as const;
const socketDoors = ["loggly-syslog", "logentries-token", "logtrace-logstash"] as const;
const partitions = Array.from({ length: maxPartitions }, (_, partition) => String(partition));
const latencyBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const metricDeclarations = {
  logboom_ingest_events_total: {
    type: "counter",
    help: "Events acknowledged, by door.",
    labels: { door: doors },
  },
  logboom_ingest_encoded_bytes_total: {
    type: "counter",
    help: "Encoded bytes of acknowledged events, by door.",
    labels: { door: doors },
  },
  logboom_ingest_body_bytes_total: {
    type: "counter",
    help: "Decompressed bytes of request bodies that were read whole, by door and outcome.",
    labels: { door: doors, outcome: ["accepted", "duplicate", "refused", "failed"] },
  },
  logboom_ingest_requests_total: {
    type: "counter",
    help: "Ingest requests, by door and outcome.",
    labels: { door: doors, outcome: ["accepted", "duplicate", "refused", "failed"] },
  },
  logboom_ingest_refused_total: {
    type: "counter",
    help: "Ingest requests of which nothing was stored, by door and error code.",
    labels: { door: doors, code: errorCodes },
  },
  logboom_ingest_invalid_utf8_events_total: {
    type: "counter",
    help: "Events in which invalid UTF-8 was replaced by U+FFFD, by door.",
    labels: { door: doors },
  },
  logboom_ingest_mended_events_total: {
    type: "counter",
    help: "Acknowledged events of which a label, an attribute, the message or the date was cut to its limit, by door.",
    labels: { door: doors },
  },
  logboom_ingest_dropped_events_total: {
    type: "counter",
    help: "Events that were received and not stored, by door and reason, where the protocol does not refuse.",
    labels: {
      door: doors,
      reason: [
        "repeated",
        "malformed",
        "unknown-key",
        "forbidden",
        "too-long",
        "overloaded",
        "receive-buffer",
        "stopped",
      ],
    },
  },
  logboom_socket_connections: {
    type: "gauge",
    help: "Open connections of raw sockets, by door.",
    labels: { door: socketDoors },
  },
  logboom_socket_refused_connections_total: {
    type: "counter",
    help: "Connections that were closed to stay within the limit, by raw door, or over HTTP.",
    labels: { door: [...socketDoors, "http"] },
  },
  logboom_ingest_pending_bytes: {
    type: "gauge",
    help: "Bytes received and not yet acknowledged.",
  },
  logboom_ingest_acknowledge_seconds: {
    type: "histogram",
    help: "Time from the end of a request's body to its acknowledgement.",
    labels: { door: doors },
    buckets: latencyBuckets,
  },
  logboom_key_refusals_total: {
    type: "counter",
    help: "Requests refused on account of their key, by reason.",
    labels: {
      reason: [
        "missing",
        "unknown",
        "expired",
        "wrong-kind",
        "bad-signature",
        "clock-skew",
        "replayed",
        "too-many-failures",
        "unavailable",
      ],
    },
  },
  logboom_log_size_bytes: { type: "gauge", help: "Bytes of records kept in the embedded log." },
  logboom_log_limit_bytes: { type: "gauge", help: "Bound of the embedded log." },
  logboom_consumer_lag_records: {
    type: "gauge",
    help: "Log records not yet stored, by partition.",
    labels: { partition: partitions },
  },
  logboom_consumer_lag_seconds: {
    type: "gauge",
    help: "Age of the oldest log record not yet stored; 0 when all are.",
  },
  logboom_consumer_stored_events_total: { type: "counter", help: "Events stored." },
  logboom_consumer_repeats_total: {
    type: "counter",
    help: "Log records not stored, because an earlier one of the partition has their block id.",
  },
  logboom_consumer_inserts_total: {
    type: "counter",
    help: "Inserts into the store, by outcome.",
    labels: { outcome: ["stored", "retried", "split"] },
  },
  logboom_consumer_insert_seconds: {
    type: "histogram",
    help: "Time of one insert into the store.",
    buckets: latencyBuckets,
  },
  logboom_consumer_batch_events: {
    type: "histogram",
    help: "Events of one insert into the store.",
    buckets: [1, 10, 100, 1_000, 10_000, 50_000, 100_000, 200_000],
  },
  logboom_consumer_batch_bytes: {
    type: "histogram",
    help: "Encoded bytes of one insert into the store.",
    buckets: [1e3, 1e4, 1e5, 1e6, 4e6, 16e6, 64e6],
  },
  logboom_consumer_fresh_seconds: {
    type: "histogram",
    help: "Age of a batch's oldest record when its events had become searchable.",
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800],
  },
  logboom_dead_letters_total: {
    type: "counter",
    help: "Events or records set aside because the store refuses them for good, by reason.",
    labels: { reason: ["unreadable", "refused"] },
  },
  logboom_dead_letter_replays_total: {
    type: "counter",
    help: "Dead letters that operators wanted to go through the log again, by outcome.",
    labels: { outcome: ["appended", "unreadable"] },
  },
  logboom_store_up: { type: "gauge", help: "Whether the store answers: 1 or 0." },
  logboom_store_restarts_total: {
    type: "counter",
    help: "Starts of the embedded store after it was lost.",
  },
  logboom_maintenance_runs_total: {
    type: "counter",
    help: "Runs of retention and index maintenance, by outcome.",
    labels: { outcome: ["done", "failed"] },
  },
  logboom_search_requests_total: {
    type: "counter",
    help: "Search requests, by type and outcome.",
    labels: {
      type: [
        "UNSORTED_RESULTS",
        "BACKWARD_RESULTS",
        "EXACT_COUNTS_BINNED",
        "EXACT_XY_HISTOGRAM_BINNED",
        "BACKWARD_RESULTS_ONE_PER_KEY31",
        "unknown",
      ],
      outcome: ["complete", "partial", "refused", "failed"],
    },
  },
  logboom_vendor_requests_total: {
    type: "counter",
    help: "Requests of the vendors' retrieval APIs, by API and outcome; gone: the client did not wait.",
    labels: {
      api: ["loggly", "logentries", "logtrace", "scalyr"],
      outcome: ["answered", "refused", "failed", "gone"],
    },
  },
  logboom_scalyr_query_seconds_total: {
    type: "counter",
    help: "Seconds that statements of Scalyr's queries ran in the store, which query budgets are charged.",
  },
  logboom_scalyr_budget_refusals_total: {
    type: "counter",
    help: "Scalyr queries refused because the customer's query budget was spent.",
  },
  logboom_search_scans: { type: "gauge", help: "Searches that are scanning." },
  logboom_search_blocks_total: {
    type: "counter",
    help: "Blocks of searches, by outcome.",
    labels: { outcome: ["scanned", "reused", "failed"] },
  },
  logboom_search_reuse_bytes: {
    type: "gauge",
    help: "Memory of the partial results that are kept for later searches.",
  },
  logboom_search_scanned_bytes_total: {
    type: "counter",
    help: "Message bytes that searches scanned.",
  },
  logboom_search_seconds: {
    type: "histogram",
    help: "Scanning time of a search, from its first request to its last block.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
} as const satisfies Record<string, MetricDeclaration>;

export type MetricName = keyof typeof metricDeclarations;
