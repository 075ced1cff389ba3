#!/usr/bin/env bash
# MySQL from MySQL's own repository, its configuration, TLS and sandbox.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
# shellcheck source=memory.sh
source "$(dirname "$0")/memory.sh"
begin "mysql" "$@"

too_little() {
  die "$(machine_memory) MiB are too little: MySQL takes up to $(memory_max), the containers and the system $_others. Take a larger machine."
}
ensure "memory for MySQL and what shares the machine" enough_memory too_little

# MySQL's signing key: fetched over HTTPS, and refused unless it is this one.
key_url=https://repo.mysql.com/RPM-GPG-KEY-mysql-2025
key_fingerprint=BCA43417C3B485DD128EC6D4B7B3B788A8D3785C
key=/etc/apt/keyrings/mysql.asc

fingerprint() { gpg --batch --show-keys --with-colons "$1" 2>/dev/null | awk -F: '$1 == "fpr" {print $10; exit}'; }
has_key() { [[ -s $key && $(fingerprint "$key") == "$key_fingerprint" ]]; }
fetch_key() {
  local draft
  draft=$(mktemp)
  run curl --fail --silent --show-error --proto '=https' --tlsv1.2 --output "$draft" "$key_url"
  [[ $mode == dry-run ]] && return
  [[ $(fingerprint "$draft") == "$key_fingerprint" ]] ||
    die "$key_url holds the key $(fingerprint "$draft"), not $key_fingerprint. Do not go on: see https://dev.mysql.com/doc/refman/en/checking-gpg-signature.html"
  run install -D --mode 644 "$draft" "$key"
}

# --- where it comes from
from=()
if [[ $MYSQL_SOURCE == mysql ]]; then
  packages curl gnupg ca-certificates
  ensure "MySQL's signing key $key_fingerprint" has_key fetch_key
  line="deb [signed-by=$key] https://repo.mysql.com/apt/$(os ID) $(os VERSION_CODENAME) $MYSQL_SERIES"
else
  # Another release's: MySQL and what it needs come from there, and nothing else.
  line=$MYSQL_SOURCE
  read -r _ _ release _ <<<"${line/\[*\]/}"
  from=(--target-release "$release")
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$release" |
    file /etc/apt/preferences.d/poolsight-mysql 644 root:root
fi
file /etc/apt/sources.list.d/poolsight-mysql.list 644 root:root <<<"$line"
install_mysql() { apt_update && _install "${from[@]}" "$@"; } # the source is new
ensure "package: mysql-server" _installed install_mysql mysql-server
series() { [[ $(mysqld --version) == *" ${MYSQL_SERIES//[^0-9.]/}."* ]]; }
wrong_series() { die "$(mysqld --version) is installed, and not $MYSQL_SERIES. Which source has it: apt-cache policy mysql-server"; }
ensure "it is $MYSQL_SERIES" series wrong_series

# --- how it runs
conf=/etc/mysql/mysql.conf.d    # read by name: base, then vm, which has the last word
drop_in=/etc/systemd/system/mysql.service.d/poolsight.conf

file /etc/sysctl.d/60-poolsight.conf 644 root:root <<'CONF'
# mysqld listens on docker0's address, which does not exist yet when it starts after a boot.
net.ipv4.ip_nonlocal_bind = 1
CONF
nonlocal() { [[ $(sysctl --values net.ipv4.ip_nonlocal_bind) == 1 ]]; }
load_sysctl() { run sysctl --quiet --load /etc/sysctl.d/60-poolsight.conf; }
ensure "an address that does not exist yet may be listened on" nonlocal load_sysctl

mysql_secrets=/etc/mysql/poolsight
secret_files=(ca.pem server_cert.pem server_key.pem)
made() { [[ -s $(secrets_volume)/server_key.pem ]]; }
not_made() { [[ $mode == dry-run ]] || die "there is no certificate yet. Run: sudo $_here/secrets.sh"; }
ensure "a certificate to run with" made not_made
for name in "${secret_files[@]}"; do
  file "$mysql_secrets/$name" 400 mysql:mysql < <(cat "$(secrets_volume)/$name" 2>/dev/null)
done
file "$conf/poolsight-base.cnf" 644 root:root <"$HOST_PROJECT/compose/mysql/my.cnf"
file "$conf/poolsight-vm.cnf" 644 root:root < <(sed "s/@BRIDGE@/$HOST_BRIDGE/; s/@POOL@/$(buffer_pool)/" "$_here/mysql/vm.cnf")
file "$drop_in" 644 root:root < <(sed "s|@SUBNET@|$HOST_SUBNET|; s/@MEMORY@/$(memory_max)/" "$_here/mysql/sandbox.conf")
file /etc/logrotate.d/poolsight-mysql 644 root:root <"$_here/mysql/logrotate"

valid() { mysqld --validate-config --user=mysql >/dev/null 2>&1; }
show_invalid() { mysqld --validate-config --user=mysql || die "mysqld refuses its configuration, see above. It still runs with the one before."; }
ensure "mysqld accepts its configuration" valid show_invalid
enabled mysql.service
newer mysql.service "$conf"/poolsight*.cnf "$drop_in" "${secret_files[@]/#/$mysql_secrets/}"
conclude
