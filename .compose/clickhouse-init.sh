#!/bin/sh
# Run once by the image on an empty volume: makes the two users of schemas/users.sql.
set -eu
sh /logboom/render-users.sh /logboom/users.sql | clickhouse-client --host 127.0.0.1 --multiquery
