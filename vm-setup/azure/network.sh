#!/usr/bin/env bash
# A private subnet. In: SSH, from Bastion or from VM_SSH_FROM, and nothing else. Out: a NAT gateway, as
# Azure gives new subnets no way out by default; with VM_SSH_FROM the machine's own address.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=azure.sh
source "$here/azure/azure.sh"
begin "network: Azure" "$@"

in_group=(--resource-group "$azure_group")
bastion_net=10.20.0.64/26

ensure "resource group $azure_group" grouped group "$azure_group"

nsg() { azure network nsg create "${in_group[@]}" --name "$VM_NAME"; }
ensure "network security group $VM_NAME" made nsg "network nsg" "$VM_NAME"

ruled() { [[ $(asked network nsg rule show "${in_group[@]}" --nsg-name "$VM_NAME" --name ssh --query "join(' ', [sourceAddressPrefix, provisioningState])") == "$1 Succeeded" ]]; }
rule_ssh() {
  azure network nsg rule create "${in_group[@]}" --nsg-name "$VM_NAME" --name ssh --priority 100 --direction Inbound \
    --access Allow --protocol Tcp --source-address-prefixes "$1" --destination-port-ranges 22
}
ensure "SSH from ${VM_SSH_FROM:-Bastion}" ruled rule_ssh "${VM_SSH_FROM:-$bastion_net}"
# Azure's own rules would let in whatever else is in the virtual network.
rule_rest() {
  azure network nsg rule create "${in_group[@]}" --nsg-name "$VM_NAME" --name nothing-else --priority 4096 --direction Inbound \
    --access Deny --protocol '*' --source-address-prefixes '*' --destination-port-ranges '*'
}
ensure "nothing else from anywhere" made rule_rest "network nsg rule" nothing-else --nsg-name "$VM_NAME"

vnet() { azure network vnet create "${in_group[@]}" --name "$VM_NAME" --address-prefixes 10.20.0.0/24; }
ensure "virtual network $VM_NAME" made vnet "network vnet" "$VM_NAME"

address() { azure network public-ip create "${in_group[@]}" --name "$2" --sku Standard --allocation-method Static; }
nat() {
  azure network nat gateway create "${in_group[@]}" --name "$VM_NAME" --public-ip-addresses "$VM_NAME-nat" --idle-timeout 4
}
subnet() {
  local -a outwards=()
  [[ -n $VM_SSH_FROM ]] || outwards=(--nat-gateway "$VM_NAME")
  azure network vnet subnet create "${in_group[@]}" --vnet-name "$VM_NAME" --name "$VM_NAME" --address-prefixes 10.20.0.0/26 \
    --network-security-group "$VM_NAME" --default-outbound-access false "${outwards[@]}"
}
if [[ -z $VM_SSH_FROM ]]; then
  ensure "an address to go out with" made address "network public-ip" "$VM_NAME-nat"
  ensure "a way out: NAT gateway $VM_NAME" made nat "network nat gateway" "$VM_NAME"
fi
ensure "subnet $VM_NAME" made subnet "network vnet subnet" "$VM_NAME" --vnet-name "$VM_NAME"

# Azure wants Bastion in a subnet of this name. Only its Standard kind has tunnels for ssh.
bastion_subnet() {
  azure network vnet subnet create "${in_group[@]}" --vnet-name "$VM_NAME" --name AzureBastionSubnet --address-prefixes "$bastion_net"
}
bastion() {
  azure network bastion create "${in_group[@]}" --name "$azure_bastion" --vnet-name "$VM_NAME" --public-ip-address "$azure_bastion" \
    --location "$AZURE_REGION" --sku Standard --enable-tunneling true
}
if [[ -z $VM_SSH_FROM ]]; then
  ensure "Bastion's subnet" made bastion_subnet "network vnet subnet" AzureBastionSubnet --vnet-name "$VM_NAME"
  ensure "Bastion's address" made address "network public-ip" "$azure_bastion"
  ensure "Bastion" made bastion "network bastion" "$azure_bastion"
fi
conclude
