#!/bin/sh
# Prints schemas/users.sql for one database:
#   INGEST_PASSWORD_FILE=… QUERY_PASSWORD_FILE=… [DATABASE=logboom] [CLUSTER=name] render-users.sh users.sql | clickhouse-client
# Only hashes leave the files. Passwords must be long random ones: the hash has no salt.
set -eu
database=${DATABASE:-logboom}
cluster=${CLUSTER:-}
case "$database$cluster" in *[!A-Za-z0-9_]*)
  echo "DATABASE and CLUSTER may hold letters, digits and _ only" >&2
  exit 2
  ;;
esac

# The file's text without its line feed, as every other reader of these secrets takes it.
hash_of() {
  password=$(cat "$1")
  if [ "${#password}" -lt 16 ]; then
    echo "the password in $1 has fewer than 16 characters" >&2
    exit 2
  fi
  printf %s "$password" | sha256sum | cut -d ' ' -f 1
}

ingest=$(hash_of "$INGEST_PASSWORD_FILE")
query=$(hash_of "$QUERY_PASSWORD_FILE")
sed -e "s/{{database}}/$database/g" \
  -e "s/{{on_cluster}}/${cluster:+ ON CLUSTER $cluster}/g" \
  -e "s/{{ingest_password_sha256}}/$ingest/" \
  -e "s/{{query_password_sha256}}/$query/" \
  "$1"
