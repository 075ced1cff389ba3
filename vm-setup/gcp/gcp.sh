# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# GCP: the names of what is made, how gcloud is called, and how the machine is reached; sourced.
# gcloud cannot be had for tests: see docs/vm-setup.md.

gcp_region=${GCP_ZONE%-*}
gcp_mark="made by poolsight's vm-setup for $VM_NAME"   # as description: what lacks it is left alone
gcp_account=$VM_NAME@$GCP_PROJECT.iam.gserviceaccount.com
gcp_bucket=$GCP_PROJECT-$VM_NAME-backups
gcp_iap=35.235.240.0/20   # Google's proxy for SSH; it asks who one is

# gcp COMMAND: all that changes something; printed, then run.
gcp() { run gcloud "$@" --project "$GCP_PROJECT" --quiet; }

# asked COMMAND: what gcloud answers; nothing when there is no such thing.
asked() { gcloud "$@" --project "$GCP_PROJECT" --quiet 2>/dev/null || true; }

# ours KIND NAME [OPTION...]: is it there, and made here?
ours() {
  local kind=$1 name=$2
  shift 2
  # shellcheck disable=SC2086  # a kind is several words
  [[ $(asked $kind describe "$name" "$@" --format "value(description)") == "$gcp_mark" ]]
}

# What the machine is told of its cloud, unless the user says otherwise.
cloud_settings() {
  HOST_DATA_DISK=${HOST_DATA_DISK:-/dev/disk/by-id/google-data}
  [[ $BACKUP_REPOSITORY != "$BACKUP_REPOSITORY_DEFAULT" ]] || BACKUP_REPOSITORY=gs:$gcp_bucket:/
}

# How it is reached: sets ssh_target, and ssh_options.
reach_cloud() {
  local instance=(compute instances describe "$VM_NAME" --zone "$GCP_ZONE")
  if [[ -n $VM_SSH_FROM ]]; then
    ssh_target=$VM_USER@$(asked "${instance[@]}" --format "value(networkInterfaces[0].accessConfigs[0].natIP)")
  else
    ssh_target=$VM_USER@$VM_NAME.gcp
    ssh_options+=(-o "ProxyCommand=gcloud compute start-iap-tunnel $VM_NAME 22 --listen-on-stdin --zone $GCP_ZONE --project $GCP_PROJECT --verbosity=error")
  fi
}
