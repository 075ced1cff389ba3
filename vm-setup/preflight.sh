# shellcheck shell=bash
# What every cloud's preflight is written with; sourced. It changes nothing.

unmet=0

# must WHAT REMEDY CHECK...: all misses are told, each with its remedy, and not only the first.
must() {
  local what=$1 remedy=$2
  shift 2
  if "$@" >/dev/null 2>&1; then
    say "ok       $what"
  else
    unmet=$((unmet + 1))
    say "missing  $what"
    say "         $remedy"
  fi
}

# settle: end here when anything was missing.
settle() { ((unmet == 0)) || die "$unmet missing; nothing was changed."; }

named_well() { [[ $VM_NAME =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]]; }
has_key() { ssh-keygen -l -f "$VM_SSH_KEY" && ! grep -q PRIVATE "$VM_SSH_KEY"; }
from_somewhere() { python3 -c 'import ipaddress, sys; sys.exit(ipaddress.ip_network(sys.argv[1]).prefixlen < 8)' "$VM_SSH_FROM"; }

must "VM_NAME is a name ($VM_NAME)" "6 to 30 of a-z, 0-9 and -, from a letter: VM_NAME=clinic-db" named_well
must "VM_SSH_KEY is a public key ($VM_SSH_KEY)" "Make one with: ssh-keygen -t ed25519" has_key
[[ -z $VM_SSH_FROM ]] ||
  must "VM_SSH_FROM is a network of at most a 256th of the internet ($VM_SSH_FROM)" \
    "Name your own address: VM_SSH_FROM=203.0.113.7/32" from_somewhere
must "VM_DATA_GB is a size ($VM_DATA_GB)" "At least 10 gigabytes: VM_DATA_GB=64" test "$VM_DATA_GB" -ge 10
