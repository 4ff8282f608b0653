// The statement and settings of every insert of events: one body is one block, known by its token.
import type { ClickHouseSettings } from "@clickhouse/client";

/**
 * To be sent by client.exec with an Avro object container file as `values`; fields go by name.
 * input() parses the labels as plain strings and casts a whole block at once: straight into
 * LowCardinality columns the parser looks up each value, which costs 0.5 us a row more.
 */
export const insertStatement = `
  INSERT INTO events
    (customer, time, prefix0, prefix1, prefix2, prefix3, message, attributes, ingested)
  SELECT customer, time, prefix0, prefix1, prefix2, prefix3, message, attributes, ingested
  FROM input('
    customer String, time DateTime64(9), prefix0 String, prefix1 String, prefix2 String,
    prefix3 String, message String, attributes Map(String, String), ingested Int64')
  FORMAT Avro`;

/**
 * Add `insert_deduplication_token` to these for each batch. The token is checked per block and
 * partition, so a replay is only dropped when it splits into the same blocks: hence one block a body.
 * Holds for bodies of up to 1,000,000 rows and 1 GiB.
 */
export const insertSettings = {
  // the default since 26.x: would collect several bodies into blocks of its own choice
  async_insert: 0,
  insert_deduplicate: 1,
  // the statistics view drops a replay with the events
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // parallel parsers and writers would each make blocks
  input_format_parallel_parsing: 0,
  max_insert_threads: "1",
  // the parser ends a block at max_insert_block_size rows; the writer joins blocks until min_ is reached
  max_insert_block_size: "2000000",
  min_insert_block_size_rows: "2000000",
  min_insert_block_size_bytes: "2147483648",
  // an import of old logs touches many days; the default of 100 would fail it for ever
  max_partitions_per_insert_block: "0",
  // built once per closed partition, see consumers/maintain.ts
  exclude_materialize_skip_indexes_on_insert: "message_ngrams",
} as const satisfies ClickHouseSettings;
