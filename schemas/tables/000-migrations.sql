-- Which of these files have been applied; always run first. One statement a file, safe to repeat.
CREATE TABLE IF NOT EXISTS migrations
(
  name     String,
  checksum String,
  applied  DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY name
SETTINGS non_replicated_deduplication_window = 1000
