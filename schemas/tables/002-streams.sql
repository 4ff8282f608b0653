-- What each stream holds in each hour: plans searches for labels, answers counts, lists streams, feeds usage.
CREATE TABLE IF NOT EXISTS streams
(
  customer        LowCardinality(String) CODEC(ZSTD(1)),
  tb              Int32 CODEC(ZSTD(1)),
  prefix0         LowCardinality(String) CODEC(ZSTD(1)),
  prefix1         LowCardinality(String) CODEC(ZSTD(1)),
  prefix2         LowCardinality(String) CODEC(ZSTD(1)),
  prefix3         LowCardinality(String) CODEC(ZSTD(1)),
  rows            SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  bytes           SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  min_time        SimpleAggregateFunction(min, DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
  max_time        SimpleAggregateFunction(max, DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
  newest_ingested SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
-- the partitions of events, so that both are dropped together
PARTITION BY (intDiv(tb, 24), toUInt8(CRC32(concat(customer, '\0', prefix0)) % 4))
-- labels first: hours without them are summed up in the table hours
ORDER BY (customer, prefix0, prefix1, prefix2, prefix3, tb)
SETTINGS
  index_granularity = 2048,
  non_replicated_deduplication_window = 10000,
  fsync_after_insert = 1,
  fsync_part_directory = 1,
  -- merged parts are synced, too, so what they were made of need not wait 8 minutes for the page cache
  min_rows_to_fsync_after_merge = 1,
  old_parts_lifetime = 1,
  auto_statistics_types = ''
