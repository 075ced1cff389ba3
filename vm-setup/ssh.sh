# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# Which machine, and how it is reached; sourced. SSH_OPTIONS are the user's own, as `-p 2222 -i KEY`.

ssh_target=""
declare -a ssh_options=() where=() rest=()

# read_target USAGE ARGUMENT...: azure, gcp or ssh USER@HOST into `target` and `where`, what follows into `rest`.
read_target() {
  usage="usage: $1"
  shift
  target=${1-}
  case $target in
    azure | gcp)
      where=("$target")
      # shellcheck source=/dev/null
      source "$(dirname "${BASH_SOURCE[0]}")/$target/$target.sh"
      ;;
    ssh)
      [[ -n ${2-} && $2 != -* ]] || die "$usage"
      where=(ssh "$2")
      ;;
    *) die "$usage" ;;
  esac
  rest=("${@:${#where[@]}+1}")
}

# reach: find out how.
reach() {
  local -a given=()
  [[ -z ${SSH_OPTIONS-} ]] || eval "given=($SSH_OPTIONS)"
  # A host key that changes is refused; one that was never seen is remembered.
  ssh_options=(-o StrictHostKeyChecking=accept-new -o ServerAliveInterval=15 "${given[@]}")
  if [[ $target == ssh ]]; then
    ssh_target=${where[1]}
  else
    reach_cloud
  fi
}

# remote COMMAND: run it there; standard input and output are its own.
# shellcheck disable=SC2029  # what is to be expanded there is quoted where it stands
remote() { ssh "${ssh_options[@]}" "$ssh_target" "$@"; }
