#!/usr/bin/env bash
# The application's image, built from the commit that lies here. An image of the same commit that was
# brought in otherwise (docker load) is taken as it is.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "images" "$@"

POOLSIGHT_REVISION=$(cat "$HOST_PROJECT/REVISION")
export POOLSIGHT_REVISION
label='{{index .Config.Labels "org.opencontainers.image.revision"}}'

of_this_commit() { [[ $(docker image inspect --format "$label" poolsight-app:local 2>/dev/null) == "$POOLSIGHT_REVISION" ]]; }
build() { run compose build --quiet app; }

# This machine's settings for Compose: MySQL is the host's, not a container.
file "$HOST_PROJECT/.env" 644 root:root <<CONF
# Written by vm-setup/host/images.sh.
COMPOSE_PROFILES=
COMPOSE_FILE=docker-compose.yml:compose/vm.yml
CLINIC_DB_HOST=host.docker.internal
CLINIC_DB_NETWORK_INTERNAL=false
$APP_SETTINGS
CONF
ensure "the application's image is of commit $POOLSIGHT_REVISION" of_this_commit build
conclude
