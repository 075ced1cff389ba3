#!/usr/bin/env bash
# The system: packages, security updates by themselves, SSH by key only, one clock.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "base" "$@"

somebody_else_may_log_in() {
  find /home -maxdepth 3 -path '*/.ssh/authorized_keys' -size +0 2>/dev/null | grep --quiet .
}
nobody_made() { die "no user but root has an authorized key, and root's login is about to be closed. Make one with sudo first."; }

valid_sshd() { sshd -t && systemctl --quiet is-active ssh; }
reload_sshd() { run sshd -t && run systemctl reload ssh; }

time_is_kept() { timedatectl show --property=NTP --value | grep --quiet yes; }
keep_time() { run timedatectl set-ntp true; }

packages ca-certificates curl gnupg logrotate openssh-server python3 systemd-timesyncd unattended-upgrades

file /etc/apt/apt.conf.d/52poolsight 644 root:root <<'CONF'
// Security updates by themselves. MySQL is not among them: it is upgraded by a person, who has a backup.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Package-Blacklist { "mysql-"; };
Unattended-Upgrade::Automatic-Reboot "false";
CONF
enabled unattended-upgrades.service

ensure "a user who may log in" somebody_else_may_log_in nobody_made
file /etc/ssh/sshd_config.d/10-poolsight.conf 644 root:root <<'CONF'
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
MaxAuthTries 4
LoginGraceTime 30
X11Forwarding no
AllowAgentForwarding no
# The way to the dashboards.
AllowTcpForwarding local
CONF
ensure "sshd accepts its configuration" valid_sshd reload_sshd
newer ssh.service /etc/ssh/sshd_config.d/10-poolsight.conf

# It would listen to the whole network for names nobody uses here.
if systemctl --quiet is-active systemd-resolved; then
  file /etc/systemd/resolved.conf.d/poolsight.conf 644 root:root <<'CONF'
[Resolve]
LLMNR=no
MulticastDNS=no
CONF
  newer systemd-resolved.service /etc/systemd/resolved.conf.d/poolsight.conf
fi

ensure "the clock is kept" time_is_kept keep_time
conclude
