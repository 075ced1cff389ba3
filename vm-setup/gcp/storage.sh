#!/usr/bin/env bash
# Where the backups go: a bucket that outlives the machine. Nothing in it can be made public; what is
# deleted can be had back for two weeks.
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../settings.sh
source "$here/settings.sh"
# shellcheck source=../lib.sh
source "$here/lib.sh"
# shellcheck source=gcp.sh
source "$here/gcp/gcp.sh"
begin "storage for backups: GCP" "$@"

if [[ $BACKUP_REPOSITORY != "$BACKUP_REPOSITORY_DEFAULT" ]]; then
  say "BACKUP_REPOSITORY is $BACKUP_REPOSITORY: none is made here"
  exit 0
fi

stored() { [[ -n $(asked storage buckets describe "gs://$gcp_bucket" --format "value(name)") ]]; }
store() {
  gcp storage buckets create "gs://$gcp_bucket" --location "$gcp_region" --uniform-bucket-level-access \
    --public-access-prevention --soft-delete-duration 14d
}
ensure "bucket $gcp_bucket" stored store
conclude
