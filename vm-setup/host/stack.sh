#!/usr/bin/env bash
# Schema and sample data (flask db upgrade, flask seed), the application and its monitoring: the same
# Compose files as anywhere, with MySQL on the host. Docker starts them again after a boot.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "stack" "$@"

metrics=/var/lib/poolsight/metrics
if [[ -n $STACK_SERVICES ]]; then
  read -r -a services <<<"$STACK_SERVICES"
else
  # All of this machine's profiles; init and migrate run once, as others depend on them.
  mapfile -t services < <(compose config --services | grep --invert-match --extended-regexp '^(init|migrate)$')
fi

# As the files and images that are here want it: Compose says what it would leave as it is.
running() {
  local said service
  said=$(compose --dry-run up --detach "${services[@]}" 2>&1) || return 1
  for service in "${services[@]}"; do
    grep --quiet "poolsight-$service-[0-9]* *Running" <<<"$said" || return 1
  done
}
start() { run compose up --detach --wait --wait-timeout 600 "${services[@]}"; }

present() { [[ -d $1 ]]; }
make_folder() { run install -d --mode 755 "$1"; }

ensure "a folder for what backups say of themselves" present make_folder "$metrics"
ensure "the stack runs: ${services[*]}" running start
conclude
