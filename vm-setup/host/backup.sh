#!/usr/bin/env bash
# Backups into a restic repository, encrypted: nightly dump, the binary logs every five minutes, and a
# weekly drill that restores both and compares. What they say of themselves is in Prometheus.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "backup" "$@"

password=/etc/poolsight/restic_password

packages restic

has_password() { [[ -s $password ]]; }
make_password() {
  say "  The repository's password is made and is in $password. Without it the backups cannot be read:"
  say "  keep a copy elsewhere, before you need it: sudo cat $password"
  run install -D --mode 600 /dev/null "$password"
  [[ $mode == dry-run ]] || openssl rand -base64 33 >"$password"
}
ensure "a password for the repository" has_password make_password

file /etc/poolsight/backup.env 600 root:root <<CONF
RESTIC_REPOSITORY=$BACKUP_REPOSITORY
RESTIC_PASSWORD_FILE=$password
RESTIC_CACHE_DIR=/var/cache/restic
HOST_PROJECT=$HOST_PROJECT
TZ=UTC
$BACKUP_ENVIRONMENT
CONF

# shellcheck source=/dev/null
with_repository() { (set -a && source /etc/poolsight/backup.env && "$@"); }
has_repository() { with_repository restic cat config >/dev/null 2>&1; }
make_repository() { run with_repository restic init --quiet; }
ensure "the repository $BACKUP_REPOSITORY" has_repository make_repository

for job in dump binlogs drill; do
  file "/etc/systemd/system/poolsight-$job.service" 644 root:root < <(sed "s|@PROJECT@|$HOST_PROJECT|; s/@JOB@/$job/" "$_here/backup/job.service")
done
timer() { printf '[Timer]\n%s\n\n[Install]\nWantedBy=timers.target\n' "$2" | file "/etc/systemd/system/poolsight-$1.timer" 644 root:root; }
timer dump $'OnCalendar=*-*-* 02:30:00\nRandomizedDelaySec=10m\nPersistent=yes'
timer binlogs $'OnBootSec=5m\nOnUnitActiveSec=5m'
timer drill $'OnCalendar=Sun *-*-* 04:30:00\nPersistent=yes'
for job in dump binlogs drill; do
  enabled "poolsight-$job.timer"
done

# AppArmor keeps every mysqld to the paths of its profile, also the one that backups are restored into.
profile=/etc/apparmor.d/usr.sbin.mysqld
addition=/etc/apparmor.d/local/usr.sbin.mysqld
loaded_addition=/etc/poolsight/mysqld.profile.sha256
is_loaded() { sha256sum --check --status "$loaded_addition" 2>/dev/null; }
load_it() {
  run apparmor_parser --replace "$profile"
  [[ $mode == dry-run ]] || sha256sum "$addition" >"$loaded_addition"
}
if [[ -e $profile ]]; then
  file "$addition" 644 root:root <<'CONF'
/var/lib/mysql-recovery/ r,
/var/lib/mysql-recovery/** rwk,
CONF
  ensure "AppArmor lets a server run on restored data" is_loaded load_it
fi

has_first() { [[ -s /var/lib/poolsight/metrics/backup.prom ]]; }
first() { run systemctl start poolsight-dump.service poolsight-binlogs.service; }
ensure "a first backup" has_first first
conclude
