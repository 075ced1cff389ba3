#!/bin/sh
# The schema and the accounts. Runs once, when the data directory is made.
set -eu

secrets=/run/secrets/clinic
accounts=$(sh /opt/accounts.sh "$secrets" '%')
mysql --defaults-file="$secrets/root.cnf" --protocol=socket <<SQL
ALTER DATABASE clinic CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
$accounts
SQL

rm -f /var/lib/mysql/.unfinished    # see start.sh
