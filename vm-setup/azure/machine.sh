#!/usr/bin/env bash
# The machine: Debian 13, secure boot, encrypted disks (Azure's do that by themselves), one disk for MySQL's
# data, and an identity of its own that may write backups and nothing else.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=../cloud.sh
source "$here/cloud.sh"
# shellcheck source=azure.sh
source "$here/azure/azure.sh"
begin "machine: Azure" "$@"

in_group=(--resource-group "$azure_group")

address() { azure network public-ip create "${in_group[@]}" --name "$2" --sku Standard --allocation-method Static; }
[[ -z $VM_SSH_FROM ]] || ensure "a public address, which lets in SSH from $VM_SSH_FROM only" made address "network public-ip" "$VM_NAME"

interface() {
  local -a public=()
  [[ -z $VM_SSH_FROM ]] || public=(--public-ip-address "$VM_NAME")
  azure network nic create "${in_group[@]}" --name "$VM_NAME" --vnet-name "$VM_NAME" --subnet "$VM_NAME" \
    --network-security-group "$VM_NAME" "${public[@]}"
}
ensure "network interface $VM_NAME" made interface "network nic" "$VM_NAME"

machine() {
  local told
  told=$(mktemp)
  user_data >"$told"
  azure vm create "${in_group[@]}" --name "$VM_NAME" --location "$AZURE_REGION" --size "$AZURE_SIZE" \
    --image Debian:debian-13:13-gen2:latest --security-type TrustedLaunch --enable-secure-boot true --enable-vtpm true \
    --nics "$VM_NAME" --admin-username "$VM_USER" --authentication-type ssh --ssh-key-values "$VM_SSH_KEY" \
    --custom-data "$told" --assign-identity '[system]' --os-disk-name "$VM_NAME" --data-disk-sizes-gb "$VM_DATA_GB" \
    --os-disk-delete-option Delete --data-disk-delete-option Detach
  rm -f "$told"
}
ensure "virtual machine $VM_NAME" made machine "vm" "$VM_NAME"

container() { asked storage container-rm show --resource-group "$azure_backups" --storage-account "$(azure_account)" --name "$azure_container" --query id; }
allowed() { [[ -n $(asked role assignment list --scope "$(container)" --role "$azure_role" --query "[?principalId=='$(identity)'].id") ]]; }
identity() { asked vm show "${in_group[@]}" --name "$VM_NAME" --query identity.principalId; }
allow() {
  azure role assignment create --assignee-object-id "$(identity)" --assignee-principal-type ServicePrincipal \
    --role "$azure_role" --scope "$(container)"
}
[[ $BACKUP_REPOSITORY != "$BACKUP_REPOSITORY_DEFAULT" ]] || ensure "it may write backups" allowed allow
conclude
