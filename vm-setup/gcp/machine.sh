#!/usr/bin/env bash
# The machine: Debian 13, secure boot, encrypted disks (Google's do that by themselves), one disk for
# MySQL's data, and an identity of its own that may write backups and nothing else.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=../cloud.sh
source "$here/cloud.sh"
# shellcheck source=gcp.sh
source "$here/gcp/gcp.sh"
begin "machine: GCP" "$@"

account() { gcp iam service-accounts create "$VM_NAME" --description "$gcp_mark"; }
ensure "identity $gcp_account" ours account "iam service-accounts" "$gcp_account"

allowed() {
  [[ -n $(asked storage buckets get-iam-policy "gs://$gcp_bucket" --flatten "bindings[].members" \
    --filter "bindings.members=serviceAccount:$gcp_account" --format "value(bindings.role)") ]]
}
allow() {
  gcp storage buckets add-iam-policy-binding "gs://$gcp_bucket" --member "serviceAccount:$gcp_account" \
    --role roles/storage.objectAdmin
}
[[ $BACKUP_REPOSITORY != "$BACKUP_REPOSITORY_DEFAULT" ]] || ensure "it may write backups" allowed allow

disk() { gcp compute disks create "$VM_NAME-data" --zone "$GCP_ZONE" --size "${VM_DATA_GB}GB" --type pd-balanced --description "$gcp_mark"; }
ensure "disk $VM_NAME-data" ours disk "compute disks" "$VM_NAME-data" --zone "$GCP_ZONE"

# Google's image of Debian makes users from the key `ssh-keys`; one with cloud-init reads `user-data`.
machine() {
  local told
  local -a public=(--no-address)
  [[ -z $VM_SSH_FROM ]] || public=()
  told=$(mktemp)
  user_data >"$told"
  gcp compute instances create "$VM_NAME" --zone "$GCP_ZONE" --machine-type "$GCP_TYPE" --image-family debian-13 \
    --image-project debian-cloud --subnet "$VM_NAME" "${public[@]}" --tags "$VM_NAME" --service-account "$gcp_account" \
    --scopes cloud-platform --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring \
    --disk "name=$VM_NAME-data,device-name=data" --metadata-from-file "user-data=$told" \
    --metadata "block-project-ssh-keys=true,ssh-keys=$VM_USER:$(<"$VM_SSH_KEY")" --description "$gcp_mark"
  rm -f "$told"
}
ensure "virtual machine $VM_NAME" ours machine "compute instances" "$VM_NAME" --zone "$GCP_ZONE"
conclude
