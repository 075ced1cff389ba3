# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced
# Every setting of vm-setup/ with its default; the environment says otherwise. No secret is one.

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
