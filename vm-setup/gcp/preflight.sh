#!/usr/bin/env bash
# Can it be made? Looks at everything that would stop the next steps half-way, and changes nothing.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=gcp.sh
source "$here/gcp/gcp.sh"
begin "preflight: GCP" "$@"
# shellcheck source=../preflight.sh
source "$here/preflight.sh"

must "gcloud, Google's command line" "Install it: https://cloud.google.com/sdk/docs/install" command -v gcloud
must "GCP_PROJECT is set ($GCP_PROJECT)" "See: gcloud projects list" test -n "$GCP_PROJECT"
[[ -n $GCP_PROJECT && -n $(command -v gcloud) ]] || settle # as nothing can be asked
must "gcloud is logged in" "Run: gcloud auth login" test -n "$(asked auth list --filter status:ACTIVE --format "value(account)")"
project=$(asked projects describe "$GCP_PROJECT" --format "value(projectNumber)")
must "project $GCP_PROJECT" "See: gcloud projects list" test -n "$project"
[[ -n $project ]] || settle

enabled() { [[ -n $(asked services list --enabled --filter "config.name=$1" --format "value(config.name)") ]]; }
for service in compute.googleapis.com iam.googleapis.com storage.googleapis.com iap.googleapis.com; do
  must "service $service" "Run: gcloud services enable $service --project $GCP_PROJECT" enabled "$service"
done
must "GCP_ZONE is one ($GCP_ZONE)" "See: gcloud compute zones list" \
  test -n "$(asked compute zones describe "$GCP_ZONE" --format "value(name)")"
cores=$(asked compute machine-types describe "$GCP_TYPE" --zone "$GCP_ZONE" --format "value(guestCpus)")
must "GCP_TYPE can be had there ($GCP_TYPE)" "See: gcloud compute machine-types list --zones $GCP_ZONE" test -n "$cores"

exists() { [[ -n $(asked compute instances describe "$VM_NAME" --zone "$GCP_ZONE" --format "value(id)") ]]; }
left() {
  local used limit
  IFS=, read -r used limit < <(asked compute regions describe "$gcp_region" --flatten quotas --filter quotas.metric=CPUS \
    --format "csv[no-heading](quotas.usage, quotas.limit)")
  [[ -n ${limit-} ]] && ((${limit%.*} - ${used%.*} >= cores))
}
[[ -z $cores ]] || exists ||
  must "$cores cores are left of the quota CPUS in $gcp_region" "Ask for more: console, IAM & Admin, Quotas; or take another GCP_TYPE" left

foreign() { [[ -n $(asked compute networks describe "$VM_NAME" --format "value(id)") ]] && ! ours "compute networks" "$VM_NAME"; }
free() { ! foreign; }
must "network $VM_NAME is free, or was made here" "Choose another VM_NAME" free

# Settings that were given once and are forgotten now must not open another way in.
way_in() {
  local public
  public=$(asked compute instances describe "$VM_NAME" --zone "$GCP_ZONE" --format "value(networkInterfaces[0].accessConfigs[0].natIP)")
  ! exists || [[ ${public:+yes} == "${VM_SSH_FROM:+yes}" ]]
}
must "VM_SSH_FROM is set as it was when $VM_NAME was made" "With a public address then: VM_SSH_FROM=NETWORK; without: empty" way_in
settle
