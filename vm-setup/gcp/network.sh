#!/usr/bin/env bash
# A private subnet. In: SSH, from IAP or from VM_SSH_FROM; all else is refused, as a network of one's own
# refuses what no rule allows. Out: NAT, as the machine has no public address.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=gcp.sh
source "$here/gcp/gcp.sh"
begin "network: GCP" "$@"

network() { gcp compute networks create "$VM_NAME" --subnet-mode custom --description "$gcp_mark"; }
ensure "network $VM_NAME" ours network "compute networks" "$VM_NAME"

subnet() {
  gcp compute networks subnets create "$VM_NAME" --network "$VM_NAME" --region "$gcp_region" --range 10.20.0.0/24 \
    --enable-private-ip-google-access --description "$gcp_mark"
}
ensure "subnet $VM_NAME" ours subnet "compute networks subnets" "$VM_NAME" --region "$gcp_region"

rule=(compute firewall-rules describe "$VM_NAME-ssh")
ruled() { [[ $(asked "${rule[@]}" --format "value(sourceRanges.list())") == "$1" ]]; }
allow_ssh() {
  if [[ -n $(asked "${rule[@]}" --format "value(name)") ]]; then
    gcp compute firewall-rules update "$VM_NAME-ssh" --source-ranges "$1"
  else
    gcp compute firewall-rules create "$VM_NAME-ssh" --network "$VM_NAME" --direction INGRESS --allow tcp:22 --source-ranges "$1" \
      --target-tags "$VM_NAME" --description "$gcp_mark"
  fi
}
ensure "SSH from ${VM_SSH_FROM:-IAP}" ruled allow_ssh "${VM_SSH_FROM:-$gcp_iap}"

router() { gcp compute routers create "$VM_NAME" --network "$VM_NAME" --region "$gcp_region" --description "$gcp_mark"; }
translated() { [[ -n $(asked compute routers nats describe "$VM_NAME" --router "$VM_NAME" --region "$gcp_region" --format "value(name)") ]]; }
nat() {
  gcp compute routers nats create "$VM_NAME" --router "$VM_NAME" --region "$gcp_region" --nat-all-subnet-ip-ranges \
    --auto-allocate-nat-external-ips
}
if [[ -z $VM_SSH_FROM ]]; then
  ensure "router $VM_NAME" ours router "compute routers" "$VM_NAME" --region "$gcp_region"
  ensure "a way out: NAT $VM_NAME" translated nat
fi
conclude
