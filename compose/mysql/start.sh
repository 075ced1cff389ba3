#!/bin/sh
# Start the server, after removing what a first start left that was cut short. The image takes any
# data directory for a finished one: the server would run without its accounts, or not at all.
# Nothing can be lost, as nobody but the image's own script reaches the server until initdb.d/clinic.sh ends.
set -eu

data=/var/lib/mysql
unfinished="$data/.unfinished"    # initdb.d/clinic.sh removes it; the server ignores names with a dot

if [ -e "$unfinished" ]; then
  echo "The first start was cut short: beginning again."
  find "$data" -mindepth 1 ! -path "$unfinished" -delete
elif [ ! -d "$data/mysql" ]; then
  touch "$unfinished"
fi
exec docker-entrypoint.sh mysqld
