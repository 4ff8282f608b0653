#!/bin/sh
# Makes the secrets that docker-compose.yml names, random and once: those that are there stay as they are.
# The folder is the owner's alone; the files in it are readable, since containers read them as other users.
set -eu
folder=${1:-"$(dirname "$0")/../secrets"}
mkdir -p "$folder"
chmod 700 "$folder"
for name in write_token read_token clickhouse_ingest_password clickhouse_query_password grafana_admin_password; do
  [ -s "$folder/$name" ] && continue
  head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_' >"$folder/$name"
  chmod 444 "$folder/$name"
done
# 64 hex digits: encrypts owner keys
if [ ! -s "$folder/master_key" ]; then
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$folder/master_key"
  chmod 444 "$folder/master_key"
fi
