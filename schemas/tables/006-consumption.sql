-- What each key consumed in each hour that is over, as each edge counted it.
CREATE TABLE IF NOT EXISTS consumption
(
  customer    LowCardinality(String) CODEC(ZSTD(1)),
  -- since 1970
  hour        Int32 CODEC(Delta, ZSTD(1)),
  environment LowCardinality(String) CODEC(ZSTD(1)),
  key         LowCardinality(String) CODEC(ZSTD(1)),
  family      LowCardinality(String) CODEC(ZSTD(1)),
  -- the process that counted: what it wrote twice is one row, and the rows of several are summed up
  edge        String CODEC(ZSTD(1)),
  requests    SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
  refused     SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
  events      SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
  bytes       SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
  -- requests that the key was allowed
  allowed     SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
-- thirty days at a time, for the retention
PARTITION BY intDiv(hour, 720)
ORDER BY (customer, hour, environment, key, family, edge)
SETTINGS
  index_granularity = 2048,
  non_replicated_deduplication_window = 1000,
  fsync_after_insert = 1,
  fsync_part_directory = 1,
  min_rows_to_fsync_after_merge = 1,
  old_parts_lifetime = 1,
  auto_statistics_types = ''
