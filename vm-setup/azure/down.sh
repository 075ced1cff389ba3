#!/usr/bin/env bash
# Removes what the steps made, and that only: the group with the machine, its network and its data. The
# backups stay, unless --with-backups.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=../cloud.sh
source "$here/cloud.sh"
# shellcheck source=azure.sh
source "$here/azure/azure.sh"
read_down "$@"

gone() { ! grouped "$1"; }
remove() {
  say "$(asked resource list --resource-group "$1" --query '[].[type, name]')"
  confirm "the resource group $1 with all that is listed" "$1"
  azure group delete --name "$1" --yes
}

container() { asked storage container-rm show --resource-group "$azure_backups" --storage-account "$(azure_account)" --name "$azure_container" --query id; }
granted() { asked role assignment list --scope "$1" --role "$azure_role" --query '[].id'; }
forbidden() { [[ -z $1 || -z $(granted "$1") ]]; }
forbid() { azure role assignment delete --role "$azure_role" --scope "$1"; }

# The machine first: while it runs, it is what may write there.
ensure "resource group $azure_group is gone" gone remove "$azure_group"
if [[ -n $with_backups ]]; then
  ensure "resource group $azure_backups is gone, and the backups with it" gone remove "$azure_backups"
else
  ensure "nobody may write backups any more" forbidden forbid "$(container)"
  gone "$azure_backups" || say "The backups stay, in the resource group $azure_backups. They go with: vm-setup/down azure --with-backups"
fi
conclude
