#!/bin/sh
# Print the SQL that makes the accounts, each with its grants and no more; made again, it changes nothing.
#
#   accounts.sh SECRETS HOST [APP_CONNECTIONS] | mysql
#
# SECRETS is the folder with the passwords, HOST where accounts may come from. A password reaches the
# client on its standard input only.
set -eu

secrets=$1 host=$2 app_connections=${3:-0}
app=$(cat "$secrets/app_password")
migrator=$(cat "$secrets/migrator_password")
exporter=$(cat "$secrets/exporter_password")

cat <<SQL
CREATE USER IF NOT EXISTS app@'$host' IDENTIFIED BY '$app' REQUIRE SSL
  WITH MAX_USER_CONNECTIONS $app_connections;
GRANT SELECT, INSERT, UPDATE, DELETE ON clinic.* TO app@'$host';

CREATE USER IF NOT EXISTS migrator@'$host' IDENTIFIED BY '$migrator' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES
  ON clinic.* TO migrator@'$host';
-- Where it tries a change before it makes it, and what shows who blocks it.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES
  ON \`clinic\_plan\`.* TO migrator@'$host';
GRANT PROCESS ON *.* TO migrator@'$host';
GRANT SELECT ON performance_schema.* TO migrator@'$host';

CREATE USER IF NOT EXISTS exporter@'$host' IDENTIFIED BY '$exporter' REQUIRE SSL
  WITH MAX_USER_CONNECTIONS 5;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO exporter@'$host';
GRANT SELECT ON performance_schema.* TO exporter@'$host';
SQL
