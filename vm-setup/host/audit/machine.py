"""The machine around MySQL: sandbox, open ports, firewall, SSH, updates and clock."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controls import Verdict, accepted, control, failed, holds, none_of, passed
from facts import Database, run

EXPOSURE = 2.0  # of 10, as systemd counts; Debian's own unit has 9.2
PROFILES = Path("/sys/kernel/security/apparmor/profiles")
SSH, MYSQL, DHCP = 22, 3306, {68, 546}
SSHD = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitrootlogin": "no",
    "permitemptypasswords": "no",
    "x11forwarding": "no",
}
TRIES = 4
PERIODIC = ("APT::Periodic::Update-Package-Lists", "APT::Periodic::Unattended-Upgrade")


@control(
    "cis-1.7",
    f"mysqld runs in a sandbox: exposure at most {EXPOSURE:g} of 10",
    "`sudo vm-setup/host/mysql.sh` writes it; `systemd-analyze security mysql` says what is open.",
)
def server_is_sandboxed(_: Database) -> Verdict:
    """As systemd judges it."""
    found = exposure()
    return holds(found <= EXPOSURE, f"exposure {found:g}")


def exposure() -> float:
    """Of mysql.service, between 0 and 10.

    Raises:
        ValueError: systemd does not say.
    """
    said = run("systemd-analyze", "security", "--no-pager", "mysql.service")
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    if found is None:
        raise ValueError("systemd-analyze told no exposure level")
    return float(found[1])


@control("own-apparmor", "AppArmor confines mysqld too", "See cis-1.7.")
def profile_is_enforced(_: Database) -> Verdict:
    """Not every package brings a profile."""
    profiles = PROFILES.read_text().splitlines() if PROFILES.exists() else []
    state = next((line for line in profiles if "mysqld" in line.partition(" (")[0]), "no profile")
    if state.endswith("(enforce)"):
        return passed(state)
    if exposure() > EXPOSURE:
        return failed(f"{state}, and no sandbox")
    return accepted("systemd's sandbox confines it as far, see cis-1.7.", state)


# --- who can reach what


@dataclass(frozen=True)
class Listener:
    """A socket that waits for others."""

    protocol: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.address != "*" and ipaddress.ip_address(self.address).is_loopback

    def is_meant(self, bridges: set[str]) -> bool:
        """Whether it is SSH, DHCP, or MySQL on a bridge."""
        if self.protocol == "udp":
            return self.port in DHCP
        return self.port == SSH or (self.port == MYSQL and self.address in bridges)


def listeners(text: str) -> list[Listener]:
    """Those that ``ss`` printed."""
    found = []
    for line in text.splitlines():
        protocol, _, _, _, local = line.split()[:5]
        address, _, port = local.rpartition(":")
        address = re.sub(r"%[^\]]*", "", address).strip("[]")
        found.append(Listener(protocol, address, int(port)))
    return found


def bridge_addresses(interfaces: list[dict[str, Any]]) -> set[str]:
    """The addresses of Docker's bridges, of what ``ip`` says."""
    return {
        address["local"]
        for one in interfaces
        if one["ifname"].startswith(("docker0", "br-"))
        for address in one["addr_info"]
    }


@control(
    "own-ports",
    "From outside there is SSH and nothing else",
    "ss --listening --processes says whose it is; stop that, or bind it to 127.0.0.1.",
)
def ports_are_closed(_: Database) -> Verdict:
    """And MySQL on the containers' bridge."""
    found = listeners(run("ss", "--no-header", "--listening", "--numeric", "--tcp", "--udp"))
    bridges = bridge_addresses(json.loads(run("ip", "-json", "address", "show")))
    outside = [one for one in found if not one.is_loopback]
    return none_of(
        (str(one) for one in outside if not one.is_meant(bridges)),
        ", ".join(sorted({str(one) for one in outside})),
    )


@control(
    "own-published",
    "Containers' ports are on loopback",
    "Leave BIND_ADDRESS at 127.0.0.1: Docker's ports pass by the firewall.",
)
def containers_are_inside(_: Database) -> Verdict:
    """Docker forwards them past the firewall's input."""
    lines = run("docker", "ps", "--format", "{{.Names}} {{.Ports}}").splitlines()
    return none_of((line for line in lines if published(line)), f"{len(lines)} containers")


def published(line: str) -> list[str]:
    """The addresses beyond loopback in what ``docker ps`` says of ports."""
    return [
        address
        for address in re.findall(r"(\S+):\d+(?:-\d+)?->", line)
        if not ipaddress.ip_address(address.strip("[]")).is_loopback
    ]


@control("own-firewall", "The firewall drops what is not meant", "`sudo vm-setup/host/firewall.sh`")
def firewall_is_up(_: Database) -> Verdict:
    """What is in force, not what is in a file."""
    ruleset = json.loads(run("nft", "--json", "list", "table", "inet", "poolsight"))
    return none_of(gaps(ruleset), "input is dropped, but SSH, DHCP and MySQL from containers")


def gaps(ruleset: dict[str, Any]) -> list[str]:
    """What nftables' rules let in, and should not."""
    parts = ruleset["nftables"]
    chains = [part["chain"] for part in parts if "chain" in part]
    found = []
    if not any(one.get("hook") == "input" and one.get("policy") == "drop" for one in chains):
        found.append("input is not dropped by itself")
    for rule in (part["rule"]["expr"] for part in parts if "rule" in part):
        if any("accept" in step for step in rule):
            conditions = [step["match"] for step in rule if "match" in step]
            matches = {_subject(one["left"]): one["right"] for one in conditions}
            positive = all(one["op"] in ("==", "in") for one in conditions)
            if not (positive and _is_meant(matches)):
                found.append(f"lets in {matches or 'everything'}")
    return found


def _subject(left: dict[str, Any]) -> str:
    kind, what = next(iter(left.items()))
    if kind == "payload":
        return f"{what['protocol']} {what['field']}"
    return str(what["key"])


def _is_meant(matches: dict[str, Any]) -> bool:
    if "tcp dport" in matches:
        from_containers = str(matches.get("iifname", "")).startswith(("docker0", "br-"))
        return matches["tcp dport"] == SSH or (
            matches["tcp dport"] == MYSQL and from_containers and "ip saddr" in matches
        )
    if "udp dport" in matches:
        return _all(matches["udp dport"]) <= DHCP
    return (
        matches.get("iifname") == "lo"
        or _all(matches.get("state", "new")) <= {"established", "related"}
        or _all(matches.get("l4proto", "tcp")) <= {"icmp", "ipv6-icmp", "icmpv6"}
    )


def _all(value: Any) -> set[Any]:
    if isinstance(value, dict):
        value = value["set"]
    return set(value) if isinstance(value, list) else {value}


@control("own-ssh", "SSH by key only, and not as root", "`sudo vm-setup/host/base.sh`")
def ssh_is_by_key(_: Database) -> Verdict:
    """As sshd itself understands its files."""
    found = dict(line.partition(" ")[::2] for line in run("sshd", "-T").splitlines())
    wrong = [f"{name} {found.get(name)}" for name, want in SSHD.items() if found.get(name) != want]
    if int(found["maxauthtries"]) > TRIES:
        wrong.append(f"maxauthtries {found['maxauthtries']}")
    return none_of(wrong, "no passwords, no root, no forwarding of X11")


# --- what keeps it so


@control(
    "cis-4.1",
    "MySQL is the newest that its source has",
    "Take a backup (`systemctl start poolsight-dump`), then: apt-get install mysql-server",
)
def server_is_patched(_: Database) -> Verdict:
    """A person upgrades it, so somebody has to tell."""
    installed, candidate = versions(run("apt-cache", "policy", "mysql-server"))
    return holds(
        installed == candidate != "(none)", f"installed {installed}, to be had {candidate}"
    )


def versions(policy: str) -> tuple[str, str]:
    """The installed version and the one to be had, of what ``apt-cache policy`` says."""
    found = dict(re.findall(r"^\s+(Installed|Candidate): (\S+)", policy, re.MULTILINE))
    return found["Installed"], found["Candidate"]


@control(
    "own-updates", "The system takes security updates by itself", "`sudo vm-setup/host/base.sh`"
)
def updates_come(_: Database) -> Verdict:
    """Both the setting and what acts on it."""
    dump = run("apt-config", "dump")
    off = [name for name in PERIODIC if not re.search(rf'^{name} "[1-9]', dump, re.MULTILINE)]
    state = run("systemctl", "is-active", "apt-daily-upgrade.timer").strip()
    return none_of((f"{name} is off" for name in off), f"on, apt-daily-upgrade.timer is {state}")


@control(
    "own-clock",
    "The clock is kept",
    "timedatectl set-ntp true; `timedatectl timesync-status` says which server answers.",
)
def clock_is_kept(_: Database) -> Verdict:
    """TLS and recovery to a second go by it."""
    found = dict(line.partition("=")[::2] for line in run("timedatectl", "show").splitlines())
    kept, synchronised = found["NTP"], found["NTPSynchronized"]
    return holds(kept == synchronised == "yes", f"NTP {kept}, synchronised {synchronised}")
