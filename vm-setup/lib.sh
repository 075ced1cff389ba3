# shellcheck shell=bash
# What every step is written with; sourced, never run.
#
# A step is a list of `ensure WHAT HOLDS MAKE`: HOLDS tells whether it is so already, MAKE makes it so,
# and afterwards HOLDS must agree. So a step that was cut short anywhere is finished by running it again,
# and one that is finished changes nothing. With --check a step only tells, and ends 1 when something
# is missing; with --dry-run it prints the commands that MAKE would run.

set -euo pipefail
shopt -s lastpipe    # `... | file PATH` is counted here, and not in a shell of its own

mode=apply
missing=0

# begin TITLE ARGUMENTS...: read the step's one option.
begin() {
  local title=$1
  case "${2-}" in
    "") ;;
    --check) mode=check ;;
    --dry-run) mode=dry-run ;;
    *) die "usage: $(basename "$0") [--check | --dry-run]" ;;
  esac
  say "== $title"
}

# ensure WHAT HOLDS MAKE [ARGUMENT...]: the arguments go to both functions.
ensure() {
  local what=$1 holds=$2 make=$3
  shift 3
  if "$holds" "$@"; then
    [[ $mode != check ]] || say "ok       $what"
    return 0
  fi
  missing=$((missing + 1))
  case $mode in
    check) say "missing  $what" ;;
    dry-run) say "would    $what" && "$make" "$@" ;;
    apply)
      say "making   $what"
      "$make" "$@"
      "$holds" "$@" || die "$what: this was made, and is not so. See the messages above; running the step again is safe."
      ;;
  esac
}

# conclude: the last line of a step.
conclude() {
  case $mode in
    check) ((missing == 0)) || { say "$missing missing" && exit 1; } ;;
    dry-run) say "$missing to make" ;;
    apply) say "$missing made" ;;
  esac
}

# run COMMAND...: print it, and run it unless this is a dry run. All that changes something goes through here.
run() {
  printf '  +%s\n' "$(printf ' %q' "$@")" >&2
  [[ $mode == dry-run ]] || "$@"
}

# file PATH MODE OWNER:GROUP: ensure that standard input is what PATH holds, readable as told. The
# content is not printed, as it may be a secret.
file() {
  local path=$1 mode_wanted=$2 owner=$3 content
  content=$(cat && printf .)
  ensure "$path" _file_holds _file_write "$path" "$mode_wanted" "$owner" "${content%.}"
}

_file_holds() {
  [[ -f $1 && $(stat --format '%a %U:%G' "$1") == "$2 $3" ]] && cmp --quiet "$1" <(printf '%s' "$4")
}

_file_write() {
  local draft="$1.draft"
  printf '  + write %s (%s, %s)\n' "$1" "$2" "$3" >&2
  [[ $mode != dry-run ]] || return 0
  install -D --mode 600 /dev/null "$draft"
  printf '%s' "$4" >"$draft"
  chown "$3" "$draft"
  chmod "$2" "$draft"
  mv --force "$draft" "$1"
}

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
