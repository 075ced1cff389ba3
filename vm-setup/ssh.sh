# shellcheck shell=bash
# How the machine is reached; sourced. SSH_OPTIONS are the user's own, as `-p 2222 -i KEY`.

ssh_target=""
declare -a ssh_options=()

# reach TARGET HOST: prepare for it; the only kind of target is ssh so far.
reach() {
  case $1 in
    ssh)
      [[ -n ${2-} ]] || die "usage: $(basename "$0") ssh USER@HOST"
      ssh_target=$2
      ;;
    *) die "usage: $(basename "$0") ssh USER@HOST" ;;
  esac
  local -a given=()
  [[ -z ${SSH_OPTIONS-} ]] || eval "given=($SSH_OPTIONS)"
  # A host key that changes is refused; one that was never seen is remembered.
  ssh_options+=(-o StrictHostKeyChecking=accept-new -o ServerAliveInterval=15 "${given[@]}")
}

# remote COMMAND: run it there; standard input and output are its own.
# shellcheck disable=SC2029  # what is to be expanded there is quoted where it stands
remote() { ssh "${ssh_options[@]}" "$ssh_target" "$@"; }
