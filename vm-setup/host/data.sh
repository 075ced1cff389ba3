#!/usr/bin/env bash
# MySQL's data on a disk of its own: it survives the machine, and cannot fill the system's.
# XFS, as its root directory is empty and mysqld wants an empty one. Never formats what holds anything.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "data disk" "$@"

target=/var/lib/mysql

has_filesystem() { [[ $(blkid --match-tag TYPE --output value "$1") == xfs ]]; }
format() {
  [[ -b $1 ]] || die "HOST_DATA_DISK: $1 is not a block device. See lsblk and /dev/disk/by-id/."
  [[ -z $(lsblk --noheadings --output FSTYPE,PTTYPE "$1" | tr -d '[:space:]') ]] ||
    die "$1 holds something already ($(lsblk --noheadings --output FSTYPE,PTTYPE "$1")). Nothing is formatted here that is not blank."
  run mkfs.xfs -q "$1"
}

in_fstab() { findmnt --fstab --noheadings "$target" >/dev/null; }
add_to_fstab() {
  [[ ! -d $target || -z $(ls -A "$target") ]] || die "$target holds data already; move it to the disk by hand, see docs/vm-setup.md."
  run sed -i "\$a UUID=$(blkid --match-tag UUID --output value "$1") $target xfs defaults,nodev,nosuid,noexec 0 2" /etc/fstab
}

mounted() { mountpoint --quiet "$target"; }
mount_it() {
  run mkdir --parents "$target"
  run systemctl daemon-reload
  run mount "$target"
}

if [[ -z $HOST_DATA_DISK ]]; then
  say "no HOST_DATA_DISK: $target stays on the system's disk"
  exit 0
fi
packages xfsprogs
ensure "$HOST_DATA_DISK has a file system" has_filesystem format "$HOST_DATA_DISK"
ensure "$target is in /etc/fstab" in_fstab add_to_fstab "$HOST_DATA_DISK"
ensure "$target is mounted" mounted mount_it
conclude
