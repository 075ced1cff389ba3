#!/usr/bin/env bash
# Removes what the steps made, in reverse, and that only: each thing by its name and its mark. The backups
# stay, unless --with-backups.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=../cloud.sh
source "$here/cloud.sh"
# shellcheck source=gcp.sh
source "$here/gcp/gcp.sh"
[[ -n $GCP_PROJECT ]] || die "GCP_PROJECT is not set. See: gcloud projects list"
read_down "$@"

confirm "the machine $VM_NAME, its disk with MySQL's data and its network${with_backups:+, and all backups}" "$VM_NAME"

gone() { ! ours "$@"; }
# remove KIND NAME [OPTION...]
remove() {
  local kind=$1
  shift
  # shellcheck disable=SC2086  # a kind is several words
  gcp $kind delete "$@"
}
ensure "virtual machine $VM_NAME is gone" gone remove "compute instances" "$VM_NAME" --zone "$GCP_ZONE"
ensure "disk $VM_NAME-data is gone" gone remove "compute disks" "$VM_NAME-data" --zone "$GCP_ZONE"
ensure "router $VM_NAME is gone, and NAT with it" gone remove "compute routers" "$VM_NAME" --region "$gcp_region"
ensure "the rule for SSH is gone" gone remove "compute firewall-rules" "$VM_NAME-ssh"
ensure "subnet $VM_NAME is gone" gone remove "compute networks subnets" "$VM_NAME" --region "$gcp_region"
ensure "network $VM_NAME is gone" gone remove "compute networks" "$VM_NAME"

bound() {
  [[ -n $(asked storage buckets get-iam-policy "gs://$gcp_bucket" --flatten "bindings[].members" \
    --filter "bindings.members=serviceAccount:$gcp_account" --format "value(bindings.role)") ]]
}
unbound() { ! bound; }
unbind() {
  gcp storage buckets remove-iam-policy-binding "gs://$gcp_bucket" --member "serviceAccount:$gcp_account" \
    --role roles/storage.objectAdmin
}
ensure "nobody may write backups any more" unbound unbind
ensure "identity $gcp_account is gone" gone remove "iam service-accounts" "$gcp_account"

stored() { [[ -n $(asked storage buckets describe "gs://$gcp_bucket" --format "value(name)") ]]; }
emptied() { ! stored; }
empty() { gcp storage rm "gs://$gcp_bucket" --recursive; }
if [[ -n $with_backups ]]; then
  ensure "bucket $gcp_bucket is gone, and the backups with it" emptied empty
elif stored; then
  say "The backups stay, in gs://$gcp_bucket. They go with: vm-setup/down gcp --with-backups"
fi
conclude
