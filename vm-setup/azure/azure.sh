# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# Azure: the names of what is made, how az is called, and how the machine is reached; sourced.

azure_group=$VM_NAME             # the machine and its network; `down` deletes it
azure_backups=$VM_NAME-backups   # the backups outlive the machine
azure_mark="poolsight=$VM_NAME"  # a tag of both: what lacks it was not made here, and is left alone
azure_bastion=$VM_NAME-bastion
azure_container=backups
azure_role="Storage Blob Data Contributor"
azure_where=()
[[ -z $AZURE_SUBSCRIPTION ]] || azure_where=(--subscription "$AZURE_SUBSCRIPTION")

# azure COMMAND: all that changes something; printed, then run.
azure() { run az "$@" "${azure_where[@]}" --only-show-errors --output none; }

# asked COMMAND: what az answers, as text; nothing when there is no such thing.
asked() { az "$@" "${azure_where[@]}" --only-show-errors --output tsv 2>/dev/null || true; }

# made KIND NAME [OPTION...]: is it there and whole? A creation that was cut short leaves `Failed`.
made() {
  local kind=$1 name=$2
  shift 2
  # shellcheck disable=SC2086  # a kind is several words
  [[ $(asked $kind show --resource-group "$azure_group" --name "$name" "$@" --query provisioningState) == Succeeded ]]
}

# Storage accounts share one namespace with the whole world.
azure_account() {
  local subscription
  subscription=$(asked account show --query id)
  printf 'poolsight%s' "$(printf '%s' "$subscription/$VM_NAME" | sha256sum | cut -c 1-12)"
}

# The group NAME is there, and ours.
grouped() { [[ $(asked group show --name "$1" --query tags.poolsight) == "$VM_NAME" ]]; }
group() {
  [[ -z $(asked group show --name "$1" --query id) ]] ||
    die "There is a resource group $1 already, without the tag $azure_mark: it was not made here. Choose another VM_NAME."
  azure group create --name "$1" --location "$AZURE_REGION" --tags "$azure_mark"
}

# What the machine is told of its cloud, unless the user says otherwise.
cloud_settings() {
  HOST_DATA_DISK=${HOST_DATA_DISK:-/dev/disk/azure/scsi1/lun0}
  if [[ $BACKUP_REPOSITORY == "$BACKUP_REPOSITORY_DEFAULT" ]]; then
    BACKUP_REPOSITORY=azure:$azure_container:/
    BACKUP_ENVIRONMENT=AZURE_ACCOUNT_NAME=$(azure_account)
  fi
}

# How it is reached: sets ssh_target, and ssh_options.
reach_cloud() {
  if [[ -n $VM_SSH_FROM ]]; then
    ssh_target=$VM_USER@$(asked network public-ip show --resource-group "$azure_group" --name "$VM_NAME" --query ipAddress)
  else
    _tunnel
  fi
}

# Bastion's tunnel has no form that ssh could use as a ProxyCommand, so it listens meanwhile.
_tunnel() {
  local machine port pid deadline=$((SECONDS + 60))
  machine=$(asked vm show --resource-group "$azure_group" --name "$VM_NAME" --query id)
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  az network bastion tunnel --resource-group "$azure_group" --name "$azure_bastion" "${azure_where[@]}" \
    --target-resource-id "$machine" --resource-port 22 --port "$port" >/dev/null 2>&1 &
  pid=$!
  # shellcheck disable=SC2064  # this process, whatever pid is by then
  trap "kill $pid 2>/dev/null || true" EXIT
  until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || die "Bastion's tunnel ended. Try: az network bastion tunnel --help (it is az's extension bastion)."
    ((SECONDS < deadline)) || die "Bastion's tunnel does not listen after a minute."
    sleep 0.5 # it tells nobody when it listens
  done
  ssh_target=$VM_USER@127.0.0.1
  ssh_options+=(-p "$port" -o "HostKeyAlias=$VM_NAME.azure")
}
