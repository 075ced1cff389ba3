#!/usr/bin/env bash
# The schema and the accounts: those of the containers' stack, from Docker's networks only, and backup.
# Nobody needs a password on this machine: root and backup are its root, over the socket.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "accounts" "$@"

# Of max_connections = 100, see compose/mysql/my.cnf: with those of accounts.sql and the exporter, 98.
app_connections=84
digest=/etc/poolsight/accounts.sha256

wanted() {
  sh "$HOST_PROJECT/compose/mysql/accounts.sh" "$(secrets_volume)" "$accounts_from" "$app_connections"
  sed "s|@FROM@|$accounts_from|g" "$_here/mysql/accounts.sql"
}
wanted_digest() { wanted | sed -E "s/IDENTIFIED BY '[^']*'//" | sha256sum; }

has_schema() { [[ $(root_sql --execute="SHOW DATABASES LIKE 'clinic'" 2>/dev/null) == clinic ]]; }
make_schema() { run root_sql --execute="CREATE DATABASE clinic CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"; }

has_component() { root_sql --execute="SELECT component_urn FROM mysql.component" 2>/dev/null | grep --quiet "component_$1"; }
add_component() { run root_sql --execute="INSTALL COMPONENT 'file://component_$1'"; }

root_by_socket() { [[ $(root_sql --execute="SELECT GROUP_CONCAT(host, plugin) FROM mysql.user WHERE user = 'root'" 2>/dev/null) == localhostauth_socket ]]; }
bind_root() { run root_sql --execute="ALTER USER root@localhost IDENTIFIED WITH auth_socket"; }

# What accounts.sh says may have changed, an account may be missing. Grants that somebody added are the
# audit's to tell.
as_wanted() {
  [[ $(cat "$digest" 2>/dev/null) == "$(wanted_digest)" ]] &&
    [[ $(root_sql --execute="SELECT COUNT(*) FROM mysql.user WHERE user IN ('app', 'migrator', 'exporter', 'backup')") == 4 ]]
}
make_accounts() {
  run root_sql < <(wanted)
  [[ $mode == dry-run ]] || wanted_digest >"$digest"
}

# Which one the server was told last, as a digest: it cannot be asked.
known() { echo "/etc/poolsight/$1_password.sha256"; }
takes_it() { sha256sum --check --status "$(known "$1")" 2>/dev/null; }
tell_it() {
  local password
  password=$(secrets_volume)/$1_password
  run root_sql < <(printf "ALTER USER %s@'%s' IDENTIFIED BY '%s'" "$1" "$accounts_from" "$(cat "$password")")
  [[ $mode == dry-run ]] || sha256sum "$password" >"$(known "$1")"
}

# Debian's package makes an account for its own scripts, with every privilege. Flushing logs is all that
# is left for them to do, which backup may.
no_distributions() {
  [[ $(root_sql --execute="SELECT COUNT(*) FROM mysql.user WHERE user = 'debian-sys-maint'" 2>/dev/null) == 0 ]] &&
    ! grep --quiet '^user *= *debian-sys-maint' /etc/mysql/debian.cnf 2>/dev/null
}
replace_it() {
  run sed -i 's/^user *=.*/user = backup/' /etc/mysql/debian.cnf
  run root_sql --execute="DROP USER IF EXISTS 'debian-sys-maint'@localhost"
}

ensure "schema clinic" has_schema make_schema
ensure "passwords are looked at (validate_password)" has_component add_component validate_password
ensure "root comes by the socket only" root_by_socket bind_root
ensure "accounts and grants" as_wanted make_accounts
ensure "no account of the distribution's" no_distributions replace_it
for account in app migrator exporter; do
  ensure "$account's password is the stack's" takes_it tell_it "$account"
done
conclude
