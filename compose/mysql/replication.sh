#!/bin/sh
# Print the SQL by which a MySQL server becomes a source, and another one a replica of it: docs/scale.md.
#
#   replication.sh source SECRETS REPLICAS         REPLICAS is where replicas may come from: %, 10.0.0.%
#   replication.sh clone  SECRETS SOURCE [PORT]    on an empty server, which is started again afterwards
#   replication.sh follow SECRETS SOURCE [PORT]    then
#
# SECRETS is the folder with the passwords and the authority's certificate, the same on all servers.
# GTIDs are on by default from MySQL 9 on; 8.4 needs gtid_mode and enforce_gtid_consistency.
set -eu

step=$1 secrets=$2 host=$3 port=${4:-3306}
replicator=$(cat "$secrets/replicator_password")

case $step in
source)
  cat <<SQL
CREATE USER IF NOT EXISTS replicator@'$host' IDENTIFIED BY '$replicator' REQUIRE SSL;
GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO replicator@'$host';
INSTALL PLUGIN clone SONAME 'mysql_clone.so';
SQL
  ;;
clone)
  cat <<SQL
INSTALL PLUGIN clone SONAME 'mysql_clone.so';
SET GLOBAL clone_ssl_ca = '$secrets/ca.pem';
SET GLOBAL clone_valid_donor_list = '$host:$port';
CLONE INSTANCE FROM replicator@'$host':$port IDENTIFIED BY '$replicator' REQUIRE SSL;
SQL
  ;;
follow)
  cat <<SQL
SET PERSIST server_id = $(od -An -N3 -tu4 /dev/urandom | tr -d ' ');
CHANGE REPLICATION SOURCE TO SOURCE_HOST = '$host', SOURCE_PORT = $port,
  SOURCE_USER = 'replicator', SOURCE_PASSWORD = '$replicator', SOURCE_AUTO_POSITION = 1,
  SOURCE_SSL = 1, SOURCE_SSL_CA = '$secrets/ca.pem', SOURCE_SSL_VERIFY_SERVER_CERT = 1,
  SOURCE_CONNECT_RETRY = 5;
SET PERSIST super_read_only = ON;
START REPLICA;
SQL
  ;;
*)
  echo "usage: replication.sh source|clone|follow SECRETS HOST [PORT]" >&2
  exit 2
  ;;
esac
