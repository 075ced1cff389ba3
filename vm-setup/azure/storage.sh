#!/usr/bin/env bash
# Where the backups go: a container of blobs in a resource group of its own, which outlives the machine.
# No key opens it, only identities; what is deleted can be had back for two weeks.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=azure.sh
source "$here/azure/azure.sh"
begin "storage for backups: Azure" "$@"

if [[ $BACKUP_REPOSITORY != "$BACKUP_REPOSITORY_DEFAULT" ]]; then
  say "BACKUP_REPOSITORY is $BACKUP_REPOSITORY: none is made here"
  exit 0
fi
account=$(azure_account)
in_group=(--resource-group "$azure_backups")

ensure "resource group $azure_backups" grouped group "$azure_backups"

stored() { [[ $(asked storage account show "${in_group[@]}" --name "$account" --query provisioningState) == Succeeded ]]; }
store() {
  azure storage account create "${in_group[@]}" --name "$account" --location "$AZURE_REGION" --sku Standard_LRS --kind StorageV2 \
    --https-only true --min-tls-version TLS1_2 --allow-blob-public-access false --allow-shared-key-access false
}
ensure "storage account $account" stored store

kept() { [[ $(asked storage account blob-service-properties show "${in_group[@]}" --account-name "$account" --query deleteRetentionPolicy.enabled) == true ]]; }
keep() {
  azure storage account blob-service-properties update "${in_group[@]}" --account-name "$account" \
    --enable-delete-retention true --delete-retention-days 14
}
ensure "what is deleted is kept for 14 days" kept keep

contained() { [[ -n $(asked storage container-rm show "${in_group[@]}" --storage-account "$account" --name "$azure_container" --query id) ]]; }
contain() { azure storage container-rm create "${in_group[@]}" --storage-account "$account" --name "$azure_container"; }
ensure "container $azure_container" contained contain
conclude
