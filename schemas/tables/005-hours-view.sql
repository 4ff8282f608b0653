-- Fills hours from what streams_view has summed up already, under the same deduplication token.
CREATE MATERIALIZED VIEW IF NOT EXISTS hours_view TO hours AS
SELECT
  customer,
  tb,
  toUInt8(CRC32(concat(customer, '\0', prefix0)) % 4) AS bucket,
  sum(rows) AS rows,
  sum(bytes) AS bytes,
  min(min_time) AS min_time,
  max(max_time) AS max_time,
  max(newest_ingested) AS newest_ingested
FROM streams
GROUP BY customer, tb, bucket
