#!/usr/bin/env bash
# Docker from the distribution. Its networks are fixed, so that MySQL's accounts, the firewall and the
# address that containers reach the host by are the same on every machine and after every boot.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "docker" "$@"

names=(docker.io docker-cli docker-buildx docker-compose iptables)
[[ $(os ID) != ubuntu ]] || names=(docker.io docker-buildx docker-compose-v2 iptables)

file /etc/docker/daemon.json 644 root:root <<CONF
{
  "bip": "$HOST_BRIDGE/24",
  "default-address-pools": [{"base": "${HOST_SUBNET%.0.0/16}.128.0/17", "size": 24}],
  "icc": false,
  "live-restore": true,
  "no-new-privileges": true,
  "log-driver": "json-file",
  "log-opts": {"max-size": "5m", "max-file": "2"}
}
CONF
packages "${names[@]}"
enabled docker.service
newer docker.service /etc/docker/daemon.json
conclude
