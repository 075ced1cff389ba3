#!/usr/bin/env bash
# Can it be made? Looks at everything that would stop the next steps half-way, and changes nothing.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=azure.sh
source "$here/azure/azure.sh"
begin "preflight: Azure" "$@"
# shellcheck source=../preflight.sh
source "$here/preflight.sh"

must "az, Azure's command line" "Install it: https://learn.microsoft.com/cli/azure/install-azure-cli" command -v az
[[ -n $(command -v az) ]] || settle # as nothing can be asked
account=$(asked account show --query id)
must "az is logged in${AZURE_SUBSCRIPTION:+ to $AZURE_SUBSCRIPTION}" "Run: az login; az account set --subscription NAME" test -n "$account"
[[ -n $account ]] || settle

registered() { [[ $(asked provider show --namespace "$1" --query registrationState) == Registered ]]; }
for namespace in Microsoft.Compute Microsoft.Network Microsoft.Storage; do
  must "provider $namespace" "Run: az provider register --namespace $namespace --wait" registered "$namespace"
done

must "AZURE_REGION is one ($AZURE_REGION)" "See: az account list-locations --query '[].name'" \
  test -n "$(asked account list-locations --query "[?name=='$AZURE_REGION'].name")"
read -r family cores < <(asked vm list-skus --location "$AZURE_REGION" --size "$AZURE_SIZE" --resource-type virtualMachines \
  --query "[?name=='$AZURE_SIZE' && !(restrictions[?type=='Location'])] | [0].[family, capabilities[?name=='vCPUs'].value | [0]]" |
  tr '\n' '\t') || true
must "AZURE_SIZE can be had there ($AZURE_SIZE)" "See: az vm list-skus --location $AZURE_REGION --resource-type virtualMachines --output table" \
  test -n "${cores-}"

# left NAME: is there quota for the machine?
left() {
  local used limit
  read -r used limit < <(asked vm list-usage --location "$AZURE_REGION" --query "[?name.value=='$1'] | [0].[currentValue, limit]" | tr '\n' '\t') || true
  [[ -n ${limit-} ]] && ((limit - used >= cores))
}
if [[ -n ${cores-} && -z $(asked vm show --resource-group "$azure_group" --name "$VM_NAME" --query id) ]]; then
  for quota in cores "$family"; do
    must "$cores cores are left of the quota $quota" "Ask for more: portal, Quotas, Compute, $AZURE_REGION; or take another AZURE_SIZE" left "$quota"
  done
fi

foreign() { [[ -n $(asked group show --name "$1" --query id) ]] && ! grouped "$1"; }
free() { ! foreign "$1"; }
for name in "$azure_group" "$azure_backups"; do
  must "resource group $name is free, or was made here" "Choose another VM_NAME" free "$name"
done

# Settings that were given once and are forgotten now must not open another way in.
way_in() {
  local public
  public=$(asked network public-ip show --resource-group "$azure_group" --name "$VM_NAME" --query id)
  [[ -z $(asked vm show --resource-group "$azure_group" --name "$VM_NAME" --query id) ]] || [[ ${public:+yes} == "${VM_SSH_FROM:+yes}" ]]
}
has_bastion() { az extension show --name bastion; }
must "VM_SSH_FROM is set as it was when $VM_NAME was made" "With a public address then: VM_SSH_FROM=NETWORK; without: empty" way_in
[[ -n $VM_SSH_FROM ]] || must "az's extension bastion" "Run: az extension add --name bastion; or set VM_SSH_FROM" has_bastion
settle
