# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # used where this is sourced, after lib.sh
# What the steps of both clouds share; sourced.

# user_data: what cloud-init is told at the first boot. It holds no secret.
user_data() {
  local text
  text=$(<"$(dirname "${BASH_SOURCE[0]}")/cloud-init.yaml")
  text=${text//@USER@/"$VM_USER"}
  printf '%s\n' "${text//@SSH_KEY@/"$(<"$VM_SSH_KEY")"}"
}

# confirm WHAT NAME: ask whether WHAT is to be deleted, unless `assured` says that it was asked before.
confirm() {
  [[ ${assured-} != yes && $mode == apply ]] || return 0
  local answer=""
  say "This deletes $1, for good. Type $2 to go on:"
  read -r answer || true
  [[ $answer == "$2" ]] || die "nothing was deleted."
}

# read_down ARGUMENTS...: the options of `down`.
read_down() {
  with_backups=""
  local argument option=""
  for argument in "$@"; do
    case $argument in
      --with-backups) with_backups=yes ;;
      --yes) assured=yes ;;
      --check | --dry-run) option=$argument ;;
      *) die "usage: down azure|gcp  [--with-backups] [--yes | --check | --dry-run]" ;;
    esac
  done
  begin "down" ${option:+"$option"}
}
