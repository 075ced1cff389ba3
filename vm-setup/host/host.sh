# shellcheck shell=bash
# What the steps on the machine have in common; sourced.
_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
[[ ! -r /etc/poolsight/settings.sh ]] || source /etc/poolsight/settings.sh
# shellcheck source=../settings.sh
source "$_here/../settings.sh"
# shellcheck source=../lib.sh
source "$_here/../lib.sh"

[[ $(id -u) == 0 ]] || die "this changes the system: run it with sudo"

export DEBIAN_FRONTEND=noninteractive

os() { sed -n "s/^$1=//p" /etc/os-release | tr -d '"'; }

# --- packages. A machine that just booted may hold apt's lock for its own updates.
apt() { run apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

# Nobody waits for the lock of the lists: Lock::Timeout is for dpkg's.
apt_update() {
  local deadline=$((SECONDS + 300)) said
  printf '  + apt-get update\n' >&2
  [[ $mode != dry-run ]] || return 0
  until said=$(apt-get -qq update 2>&1); do
    if [[ $said != *"Could not get lock"* ]] || ((SECONDS > deadline)); then
      die "apt-get update: $said"
    fi
    sleep 2 # a lock tells nobody when it is free
  done
}

packages() { ensure "packages: $*" _installed _install "$@"; }

_installed() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || return 1
  done
}

_install() {
  # What was cut short is finished first.
  [[ -z $(dpkg --audit 2>&1) ]] || run dpkg --configure -a
  # The lists are fetched again when they lack something: a slow machine takes a minute for that.
  apt install --yes --no-install-recommends "$@" >/dev/null || {
    apt_update
    apt install --yes --no-install-recommends "$@" >/dev/null
  }
}

# --- systemd units
# enabled UNIT: ensure that it runs, now and after a boot.
enabled() { ensure "$1 runs, also after a boot" _enabled _enable "$1"; }

_enabled() { systemctl --quiet is-enabled "$1" 2>/dev/null && systemctl --quiet is-active "$1"; }

_enable() {
  run systemctl daemon-reload
  run systemctl enable --quiet --now "$1"
}

# newer UNIT FILE...: ensure that it was started after the last change to each file. An interruption
# between a change and its restart is mended here.
newer() {
  local unit=$1
  shift
  ensure "$unit runs with its present files" _newer _restart "$unit" "$@"
}

_newer() {
  local started file
  started=$(date --date "$(systemctl show --value --property ActiveEnterTimestamp "$1")" +%s 2>/dev/null) || return 1
  systemctl --quiet is-active "$1" || return 1
  for file in "${@:2}"; do
    [[ $(stat --format %Y "$file") -le $started ]] || return 1
  done
}

_restart() {
  run systemctl daemon-reload
  run systemctl restart "$1"
}

# --- the database and the stack
root_sql() { mysql --user=root --protocol=socket --batch --skip-column-names "$@"; }

compose() { (cd "$HOST_PROJECT" && docker compose "$@"); }

# Where init puts what the server and its accounts need; see compose/init.yml.
secrets_volume() { docker volume inspect --format '{{.Mountpoint}}' poolsight_secrets-mysql 2>/dev/null || echo /nonexistent; }

# shellcheck disable=SC2034  # by accounts.sh and rotate
accounts_from="${HOST_SUBNET%/16}/255.255.0.0"    # the same in MySQL's writing
