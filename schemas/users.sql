-- The two users of a ClickHouse server or cluster that is not the embedded one; .compose/render-users.sh fills in the
-- names in double braces. Run it as an administrator, once; change a password by ALTER USER.

-- Consumers: write, migrate and maintain one database, and nothing else.
CREATE SETTINGS PROFILE IF NOT EXISTS {{database}}_ingest{{on_cluster}} SETTINGS
  max_threads = 1,
  async_insert = 0,
  -- replicated tables only: an insert is stored when most replicas have it
  insert_quorum = 'auto';
CREATE USER IF NOT EXISTS {{database}}_ingest{{on_cluster}}
  IDENTIFIED WITH sha256_hash BY '{{ingest_password_sha256}}'
  SETTINGS PROFILE {{database}}_ingest;
GRANT{{on_cluster}} CREATE DATABASE, CREATE TABLE, CREATE VIEW, SELECT, INSERT, ALTER TABLE ON {{database}}.* TO {{database}}_ingest;
GRANT{{on_cluster}} CREATE DATABASE, CREATE TABLE, ALTER TABLE ON {{database}}_distributed.* TO {{database}}_ingest;
GRANT{{on_cluster}} TABLE ENGINE ON * TO {{database}}_ingest;
GRANT{{on_cluster}} CLUSTER ON *.* TO {{database}}_ingest;
GRANT{{on_cluster}} SELECT ON system.databases TO {{database}}_ingest;
GRANT{{on_cluster}} SELECT ON system.tables TO {{database}}_ingest;
GRANT{{on_cluster}} SELECT ON system.parts TO {{database}}_ingest;
GRANT{{on_cluster}} SELECT ON system.merges TO {{database}}_ingest;
GRANT{{on_cluster}} SELECT ON system.mutations TO {{database}}_ingest;

-- Queries: read the events and what is known of them, within limits that a request cannot lift.
CREATE SETTINGS PROFILE IF NOT EXISTS {{database}}_query{{on_cluster}} SETTINGS
  readonly = 2,
  max_threads = 1 MAX 4,
  max_memory_usage = 2147483648 MAX 2147483648,
  max_execution_time = 120 MIN 1 MAX 600,
  cancel_http_readonly_queries_on_client_close = 1,
  move_primary_key_columns_to_end_of_prewhere = 0;
CREATE USER IF NOT EXISTS {{database}}_query{{on_cluster}}
  IDENTIFIED WITH sha256_hash BY '{{query_password_sha256}}'
  SETTINGS PROFILE {{database}}_query;
GRANT{{on_cluster}} SELECT ON {{database}}.events TO {{database}}_query;
GRANT{{on_cluster}} SELECT ON {{database}}.streams TO {{database}}_query;
GRANT{{on_cluster}} SELECT ON {{database}}.hours TO {{database}}_query;
GRANT{{on_cluster}} SELECT ON {{database}}.consumption TO {{database}}_query;
GRANT{{on_cluster}} SELECT ON {{database}}_distributed.* TO {{database}}_query;
