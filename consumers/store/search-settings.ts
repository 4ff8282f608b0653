// The settings of every statement of a search. They bound it, and stop it when its client leaves.
import type { ClickHouseSettings } from "@clickhouse/client";

export const searchSettings = {
  readonly: "2",
  // with readonly=2 a closed socket stops the query within 10 ms; without, it runs on
  cancel_http_readonly_queries_on_client_close: 1,
  // else the regex is evaluated before the prefixes: four times the bytes
  move_primary_key_columns_to_end_of_prewhere: 0,
  // of what is asked beside the pool of statements, which gives each its own
  max_threads: 1,
  max_execution_time: 120,
  use_query_cache: 0,
} as const satisfies ClickHouseSettings;
