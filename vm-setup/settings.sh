# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# Every setting of vm-setup/ with its default; the environment says otherwise. No secret is one.

# --- a machine in a cloud
: "${VM_NAME:=poolsight}"             # of the machine, and the start of all other names
: "${VM_USER:=ops}"                   # who comes by SSH, and may become root
: "${VM_SSH_KEY:=$HOME/.ssh/id_ed25519.pub}"   # the public key's file
: "${VM_SSH_FROM:=}"                  # as 203.0.113.7/32: a public address, and SSH from there only; empty:
                                      # no public address, SSH through Bastion (Azure) or IAP (GCP)
: "${VM_DATA_GB:=64}"                 # the disk for /var/lib/mysql
: "${AZURE_SUBSCRIPTION:=}"           # empty: the one that az has chosen
: "${AZURE_REGION:=germanywestcentral}"
: "${AZURE_SIZE:=Standard_D2as_v5}"
: "${GCP_PROJECT:=}"
: "${GCP_ZONE:=europe-west3-a}"
: "${GCP_TYPE:=e2-standard-2}"

# --- on the machine
: "${HOST_PROJECT:=/opt/poolsight}"
: "${HOST_DATA_DISK:=}"               # a block device for /var/lib/mysql; empty: none, stay on the system's
: "${HOST_SUBNET:=172.30.0.0/16}"     # of all of Docker's networks
: "${HOST_BRIDGE:=172.30.0.1}"        # docker0, where containers reach MySQL
: "${MYSQL_SERIES:=mysql-9.7-lts}"    # component of MySQL's apt repository; or mysql-8.4-lts
: "${MYSQL_SOURCE:=mysql}"            # mysql: MySQL's own repository; else a line for sources.list
BACKUP_REPOSITORY_DEFAULT=/var/backups/poolsight   # in a cloud: storage that storage.sh makes
: "${BACKUP_REPOSITORY:=$BACKUP_REPOSITORY_DEFAULT}"   # restic's: a path, azure:CONTAINER:/ or gs:BUCKET:/
: "${BACKUP_ENVIRONMENT:=}"           # lines that restic wants beside, as AZURE_ACCOUNT_NAME=...
: "${APP_SETTINGS:=}"                 # lines of docs/settings.md, as CLINIC_POOL_SIZE=8
: "${STACK_SERVICES:=}"               # services of Compose to start; empty: all but load and faults
