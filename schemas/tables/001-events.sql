-- Every event, sorted for search: a customer's lines of one form, then the hour, then its stream, then time.
CREATE TABLE IF NOT EXISTS events
(
  customer   LowCardinality(String) CODEC(ZSTD(1)),
  -- GCD: most clocks tick in ms or us; a third less than Delta alone, never more
  time       DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
  -- The hour since 1970, truncated toward zero as BigInt division does. A real column, since a
  -- function in the sorting key does not prune. toUnixTimestamp() would throw beyond 2106.
  tb         Int32 MATERIALIZED toInt32(intDiv(toUnixTimestamp64Nano(time), 3600000000000)) CODEC(ZSTD(1)),
  -- What is left of the first 48 bytes without letters, digits and blanks tells one log format from
  -- another. Sorted by it, a granule holds lines of one form: the index prunes frequent texts, too, and
  -- lines compress better. 64 forms at most, so that an hour or a stream stays within so many runs.
  form       UInt8 MATERIALIZED toUInt8(cityHash64(translate(left(message, 48),
    'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \t', '')) % 64) CODEC(ZSTD(1)),
  prefix0    LowCardinality(String) CODEC(ZSTD(1)),
  prefix1    LowCardinality(String) CODEC(ZSTD(1)),
  prefix2    LowCardinality(String) CODEC(ZSTD(1)),
  prefix3    LowCardinality(String) CODEC(ZSTD(1)),
  message    String CODEC(ZSTD(1)),
  attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  -- When the edge received it, ns since 1970, unique and increasing for an edge: the tie-break of equal times.
  ingested   Int64 CODEC(Delta, ZSTD(1)),
  INDEX time_range time TYPE minmax GRANULARITY 1,
  -- Prunes match() by itself; built once per closed partition (consumers/maintain.ts), since at
  -- every insert and merge it would cost four times the rest. A third of the foreign 4-grams pass
  -- where lines hold random ids, far fewer elsewhere; 8 KiB let half pass.
  INDEX message_ngrams message TYPE ngrambf_v1(4, 10240, 1, 0) GRANULARITY 1
)
ENGINE = MergeTree
-- (day since 1970, bucket of customer and prefix0); toDate would saturate outside 1970..2149
PARTITION BY (
  toInt32(intDiv(toUnixTimestamp64Nano(time), 86400000000000)),
  toUInt8(CRC32(concat(customer, '\0', prefix0)) % 4)
)
ORDER BY (customer, form, tb, prefix0, prefix1, prefix2, prefix3, time)
SETTINGS
  index_granularity = 2048,
  -- far more than the batches in flight: a replayed insert is dropped by its token
  non_replicated_deduplication_window = 10000,
  fsync_after_insert = 1,
  fsync_part_directory = 1,
  -- merged parts are synced, too, so what they were made of need not wait 8 minutes for the page cache
  min_rows_to_fsync_after_merge = 1,
  old_parts_lifetime = 1,
  exclude_materialize_skip_indexes_on_merge = 'message_ngrams',
  -- messages are most of the bytes and not in the key: merging column by column costs a tenth less
  vertical_merge_algorithm_min_columns_to_activate = 1,
  vertical_merge_algorithm_min_rows_to_activate = 1,
  -- no query of ours is planned by column statistics
  auto_statistics_types = ''
