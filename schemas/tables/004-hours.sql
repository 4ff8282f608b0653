-- What each customer has in each hour: plans searches that no label narrows, which is a sum over few rows.
CREATE TABLE IF NOT EXISTS hours
(
  customer        LowCardinality(String) CODEC(ZSTD(1)),
  tb              Int32 CODEC(ZSTD(1)),
  -- of customer and prefix0, as in events
  bucket          UInt8 CODEC(ZSTD(1)),
  rows            SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  bytes           SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
  min_time        SimpleAggregateFunction(min, DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
  max_time        SimpleAggregateFunction(max, DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
  newest_ingested SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
-- the partitions of events, so that all are dropped together
PARTITION BY (intDiv(tb, 24), bucket)
ORDER BY (customer, tb, bucket)
SETTINGS
  index_granularity = 2048,
  non_replicated_deduplication_window = 10000,
  fsync_after_insert = 1,
  fsync_part_directory = 1,
  min_rows_to_fsync_after_merge = 1,
  old_parts_lifetime = 1,
  auto_statistics_types = ''
