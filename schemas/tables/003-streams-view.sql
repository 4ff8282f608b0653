-- Fills streams from every insert into events, under the same deduplication token.
CREATE MATERIALIZED VIEW IF NOT EXISTS streams_view TO streams AS
SELECT
  customer,
  tb,
  prefix0,
  prefix1,
  prefix2,
  prefix3,
  count() AS rows,
  sum(length(message)) AS bytes,
  min(time) AS min_time,
  max(time) AS max_time,
  max(ingested) AS newest_ingested
FROM events
GROUP BY customer, tb, prefix0, prefix1, prefix2, prefix3
