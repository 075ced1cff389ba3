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

# What is wanted of them, as a digest. Not by Compose's dry run: it waits for ever where a container that
# runs once is not there.
digest=/etc/poolsight/stack.sha256
wanted_digest() { { cat "$HOST_PROJECT/REVISION" && compose config "${services[@]}"; } | sha256sum; }
up() { run compose up --detach --wait --wait-timeout 600 "$@" "${services[@]}"; }

as_wanted() { [[ $(cat "$digest" 2>/dev/null) == "$(wanted_digest)" ]]; }
# Also what Compose would leave: a container keeps the file that was mounted when it was made.
make_anew() {
  up --force-recreate
  [[ $mode == dry-run ]] || wanted_digest >"$digest"
}
all_run() {
  local running service
  running=$(compose ps --services --status running)
  for service in "${services[@]}"; do
    grep --quiet --line-regexp "$service" <<<"$running" || return 1
  done
}

present() { [[ -d $1 ]]; }
make_folder() { run install -d --mode 755 "$1"; }

ensure "a folder for what backups say of themselves" present make_folder "$metrics"
ensure "the stack as this commit has it: ${services[*]}" as_wanted make_anew
ensure "all of it runs" all_run up
conclude
