#!/usr/bin/env bash
# From outside only SSH; from Docker's networks also MySQL. A table of its own, so that Docker's rules
# stay untouched; published ports, which Docker forwards past it, are on loopback only.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "firewall" "$@"

packages nftables
file /etc/poolsight/firewall.nft 644 root:root <<CONF
table inet poolsight
delete table inet poolsight
table inet poolsight {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ct state invalid drop
    meta l4proto { icmp, ipv6-icmp } accept
    udp dport { 68, 546 } accept    # DHCP
    tcp dport 22 accept
    iifname "docker0" ip saddr $HOST_SUBNET ip daddr $HOST_BRIDGE tcp dport 3306 accept
    iifname "br-*" ip saddr $HOST_SUBNET ip daddr $HOST_BRIDGE tcp dport 3306 accept
  }
}
CONF
file /etc/systemd/system/poolsight-firewall.service 644 root:root <<'CONF'
[Unit]
Description=From outside only SSH
Before=network-pre.target
Wants=network-pre.target
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=/usr/sbin/nft --check --file /etc/poolsight/firewall.nft
ExecStart=/usr/sbin/nft --file /etc/poolsight/firewall.nft

[Install]
WantedBy=sysinit.target
CONF
enabled poolsight-firewall.service
newer poolsight-firewall.service /etc/poolsight/firewall.nft /etc/systemd/system/poolsight-firewall.service
conclude
