#!/bin/sh
# The accounts, each with its grants and no more. Runs once, when the data directory is made.
# Passwords come from this container's own volume and reach the client on its standard input.
set -eu

secrets=/run/secrets/clinic
password() { cat "$secrets/$1_password"; }

mysql --defaults-file="$secrets/root.cnf" --protocol=socket <<SQL
ALTER DATABASE clinic CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE USER app@'%' IDENTIFIED BY '$(password app)' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE ON clinic.* TO app@'%';

CREATE USER migrator@'%' IDENTIFIED BY '$(password migrator)' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES
  ON clinic.* TO migrator@'%';
-- Where it tries a change before it makes it, and what shows who blocks it.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES
  ON \`clinic\_plan\`.* TO migrator@'%';
GRANT PROCESS ON *.* TO migrator@'%';
GRANT SELECT ON performance_schema.* TO migrator@'%';

CREATE USER exporter@'%' IDENTIFIED BY '$(password exporter)' REQUIRE SSL
  WITH MAX_USER_CONNECTIONS 5;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO exporter@'%';
GRANT SELECT ON performance_schema.* TO exporter@'%';
SQL

rm -f /var/lib/mysql/.unfinished    # see start.sh
