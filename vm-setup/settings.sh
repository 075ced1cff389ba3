# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# Every setting of vm-setup/ with its default; the environment says otherwise. No secret is one.

# --- the machine, in either cloud
: "${VM_NAME:=poolsight}"             # everything made in a cloud is named after it
: "${VM_IMAGE:=ubuntu-24.04}"         # or debian-13
: "${VM_USER:=ops}"
: "${VM_SSH_KEY:=$HOME/.ssh/id_ed25519.pub}"
: "${VM_DATA_DISK_GB:=32}"

# --- Azure
: "${AZURE_LOCATION:=westeurope}"
: "${AZURE_SIZE:=Standard_B2s}"       # 2 cores, 4 GiB
: "${AZURE_SSH:=bastion}"             # or a CIDR, which gives the machine a public address

# --- GCP
: "${GCP_PROJECT:=}"                  # default: gcloud's own setting
: "${GCP_ZONE:=europe-west1-b}"
: "${GCP_MACHINE_TYPE:=e2-medium}"    # 2 cores, 4 GiB
: "${GCP_SSH:=iap}"                   # or a CIDR, which gives the machine a public address

# --- on the machine
: "${HOST_PROJECT:=/opt/poolsight}"
: "${HOST_DATA_DISK:=}"               # a block device for /var/lib/mysql; empty: none, stay on the system's
: "${HOST_SUBNET:=172.30.0.0/16}"     # of all of Docker's networks
: "${HOST_BRIDGE:=172.30.0.1}"        # docker0, where containers reach MySQL
: "${MYSQL_SERIES:=mysql-9.7-lts}"    # component of MySQL's apt repository; or mysql-8.4-lts
: "${MYSQL_SOURCE:=mysql}"            # mysql: MySQL's own repository; else a line for sources.list
: "${BACKUP_REPOSITORY:=/var/backups/poolsight}"   # restic's: a path, azure:CONTAINER:/ or gs:BUCKET:/
: "${BACKUP_ENVIRONMENT:=}"           # lines that restic wants beside, as AZURE_ACCOUNT_NAME=...
: "${STACK_SERVICES:=}"               # services of Compose to start; empty: all but load and faults
