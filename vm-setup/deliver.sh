#!/usr/bin/env bash
# The project and its settings, to the machine: the commit that is checked out here, and no other file.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=settings.sh
source "$here/settings.sh"
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=ssh.sh
source "$here/ssh.sh"

read_target "deliver.sh azure|gcp|ssh USER@HOST  [--check | --dry-run]" "$@"
begin "deliver" "${rest[@]}"
[[ $target == ssh ]] || cloud_settings
reach

revision=$(git -C "$here" rev-parse HEAD)
names=(HOST_PROJECT HOST_DATA_DISK HOST_SUBNET HOST_BRIDGE MYSQL_SERIES MYSQL_SOURCE BACKUP_REPOSITORY
  BACKUP_ENVIRONMENT APP_SETTINGS STACK_SERVICES)

answers() { remote "cloud-init status --wait >/dev/null 2>&1 || true; sudo -n true" 2>/dev/null; }
wait_for_it() {
  local deadline=$((SECONDS + 600))
  until answers; do
    ((SECONDS < deadline)) || die "$ssh_target does not answer, or lets nobody become root without a password."
    sleep 5 # it tells nobody when it has booted
  done
}

delivered() { [[ $(remote "cat $HOST_PROJECT/REVISION 2>/dev/null") == "$revision" ]]; }
deliver() {
  # REVISION comes last: where it is, all of it is.
  run remote "sudo rm -f $HOST_PROJECT/REVISION && sudo mkdir -p $HOST_PROJECT && sudo tar -x --no-same-owner -C $HOST_PROJECT" \
    < <(git -C "$here/.." archive HEAD)
  run remote "sudo tee $HOST_PROJECT/REVISION >/dev/null" <<<"$revision"
}

settings() { for name in "${names[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done; }
told() { [[ $(remote "sudo cat /etc/poolsight/settings.sh 2>/dev/null") == "$(settings)" ]]; }
tell() { run remote "sudo install -D --mode 600 /dev/stdin /etc/poolsight/settings.sh" < <(settings); }

ensure "$ssh_target answers" answers wait_for_it
ensure "commit $revision is in $HOST_PROJECT" delivered deliver
ensure "its settings are in /etc/poolsight/settings.sh" told tell
conclude
