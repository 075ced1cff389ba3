"""The audit's rules on small inputs; test_audit_sql.py has those that ask a server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitoring import thresholds
from tests.vm_setup.audit import AUDIT

facts, controls, files = AUDIT["facts"], AUDIT["controls"], AUDIT["files"]
leftovers, machine, backup = AUDIT["leftovers"], AUDIT["machine"], AUDIT["backup"]
RULES = {rule.id: rule for rule in controls.CONTROLS}
Database, Account, Grant = facts.Database, facts.Account, facts.Grant


# Section 2 has subsections.
CIS = {1: 7, 3: 8, 4: 9, 5: 12, 6: 4, 7: 9, 8: 3, 9: 3, 10: 2}
CIS_2 = [*(f"2.1.{each}" for each in range(1, 8)), "2.2.1", *(f"2.{each}" for each in range(3, 20))]
DEV_SEC = [f"conf-0{each}" for each in ("2", "3", "3b", "4", "5", "6", "7", "8", "9")]
DEV_SEC += [f"db-0{each}" for each in ("1", "2", "3", "4", "5", "5b", "6", "7", "8")]


def test_every_item_of_both_catalogues_has_its_control() -> None:
    known = {name for rule in controls.CONTROLS for name in (rule.id, *rule.also)}
    numbers = [f"{section}.{item}" for section, last in CIS.items() for item in range(1, last + 1)]
    assert {f"cis-{number}" for number in numbers + CIS_2} - known == set()
    assert {f"mysql-{name}" for name in DEV_SEC} - known == set()
    assert len(RULES) == len(controls.CONTROLS)


def test_a_control_that_can_fail_says_what_to_do() -> None:
    judged = {entry[0] for entry in AUDIT["judged"].JUDGED}
    silent = {rule.id for rule in controls.CONTROLS if not rule.remedy}
    assert silent == judged | {"cis-2.2.1", "cis-4.9"}


def test_controls_are_in_the_order_of_their_numbers() -> None:
    order = [rule.id for rule in sorted(controls.CONTROLS, key=lambda one: one.order)]
    assert order.index("cis-2.9") < order.index("cis-2.10") < order.index("cis-10.1")


def test_limits_are_those_of_the_alerts() -> None:
    assert backup.BACKUP_AGE == thresholds.BACKUP_AGE
    assert backup.BINLOGS_AGE == thresholds.BINLOGS_AGE
    assert backup.DRILL_AGE == thresholds.DRILL_AGE


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("cis-2.14", {"bind_address": "*"}),
        ("cis-2.14", {"bind_address": "127.0.0.1,0.0.0.0"}),
        ("cis-2.15", {"tls_version": "TLSv1.2,TLSv1.3"}),
        ("cis-4.6", {"have_symlink": "YES"}),
        ("cis-4.7", {"secure_file_priv": ""}),
        ("cis-6.1", {"log_error": "stderr"}),
        ("mysql-db-01", {"version": "8.0.45"}),
        ("own-admin-address", {"admin_address": "10.0.0.4"}),
        ("own-no-names", {"skip_name_resolve": "OFF"}),
    ],
)
def test_variables_that_only_a_restart_changes(name: str, variables: dict[str, str]) -> None:
    assert controls.evaluate(RULES[name], Database(variables)).outcome == "fail"


def test_what_an_older_series_does_not_know_is_accepted() -> None:
    verdict = controls.evaluate(RULES["cis-7.8"], Database({"version": "8.4.6"}))
    assert verdict.outcome == "accepted"
    assert "MySQL 8.4" in verdict.reason


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("localhost", True),
        ("172.30.0.0/255.255.0.0", True),
        ("172.30.0.9", True),
        ("10.0.0.0/255.0.0.0", False),
        ("203.0.113.7", False),
        ("172.30.%", False),
        ("db.example.com", False),
    ],
)
def test_hosts(host: str, inside: bool) -> None:
    assert AUDIT["accounts"].is_inside(Account("app", host)) is inside


def test_grants_differ_both_ways() -> None:
    found = [Grant("app@x", "clinic.*", "SELECT"), Grant("app@x", "clinic.*", "DROP")]
    assert AUDIT["grants"].differences(found, "app@x", {"clinic.*": {"SELECT", "INSERT"}}) == [
        "app@x also has DROP ON clinic.*",
        "app@x lacks INSERT ON clinic.*",
    ]


INTERFACES = [
    {"ifname": "enp0s2", "addr_info": [{"local": "10.0.2.15"}]},
    {"ifname": "docker0", "addr_info": [{"local": "172.30.0.1"}]},
]
LISTENING = """\
udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*
udp UNCONN 0 0 10.0.2.15%enp0s2:68 0.0.0.0:*
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
tcp LISTEN 0 128 [::]:22 [::]:*
tcp LISTEN 0 4096 127.0.0.1:8080 0.0.0.0:*
tcp LISTEN 0 70 172.30.0.1:3306 0.0.0.0:*
"""


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("", []),
        ("tcp LISTEN 0 4096 0.0.0.0:3306 0.0.0.0:*", ["tcp 0.0.0.0:3306"]),
        ("tcp LISTEN 0 4096 10.0.2.15:3306 0.0.0.0:*", ["tcp 10.0.2.15:3306"]),
        ("tcp LISTEN 0 4096 *:33060 *:*", ["tcp *:33060"]),
        ("udp UNCONN 0 0 0.0.0.0:5355 0.0.0.0:*", ["udp 0.0.0.0:5355"]),
        ("udp UNCONN 0 0 [fe80::1]%enp0s2:546 [::]:*", []),
        ("tcp LISTEN 0 5 [::1]:631 [::]:*", []),
    ],
)
def test_ports(line: str, seen: list[str]) -> None:
    found = machine.listeners(LISTENING + line)
    bridges = machine.bridge_addresses(INTERFACES)
    assert [str(one) for one in found if not (one.is_loopback or one.is_meant(bridges))] == seen


def test_published_ports() -> None:
    said = "nginx 127.0.0.1:8080->8080/tcp, [::1]:8080->8080/tcp, 9113/tcp"
    assert machine.published(said) == []
    assert machine.published("grafana 0.0.0.0:3000->3000/tcp, [::]:3000->3000/tcp") == [
        "0.0.0.0",
        "[::]",
    ]


def rule(*matches: tuple[dict[str, Any], Any]) -> dict[str, Any]:
    steps = [{"match": {"op": "==", "left": left, "right": right}} for left, right in matches]
    return {"rule": {"chain": "input", "expr": [*steps, {"accept": None}]}}


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


DROPPED = {"chain": {"name": "input", "hook": "input", "policy": "drop"}}
INTERFACE = {"meta": {"key": "iifname"}}
SOURCE = (payload("ip", "saddr"), {"prefix": {"addr": "172.30.0.0", "len": 16}})
MEANT = [
    DROPPED,
    rule((INTERFACE, "lo")),
    rule(({"ct": {"key": "state"}}, ["established", "related"])),
    rule(({"meta": {"key": "l4proto"}}, {"set": ["icmp", "ipv6-icmp"]})),
    rule((payload("udp", "dport"), {"set": [68, 546]})),
    rule((payload("tcp", "dport"), 22)),
    rule((INTERFACE, "br-*"), SOURCE, (payload("tcp", "dport"), 3306)),
]
NEGATED = rule((INTERFACE, "lo"))
NEGATED["rule"]["expr"][0]["match"]["op"] = "!="


@pytest.mark.parametrize(
    ("ruleset", "gaps"),
    [
        (MEANT, 0),
        (MEANT[1:], 1),
        ([*MEANT, rule((payload("tcp", "dport"), 3306))], 1),
        ([*MEANT, rule((INTERFACE, "eth0"), SOURCE, (payload("tcp", "dport"), 3306))], 1),
        ([*MEANT, rule((payload("tcp", "dport"), {"range": [1, 65535]}))], 1),
        ([*MEANT, rule((payload("ip", "saddr"), "203.0.113.1"))], 1),
        ([*MEANT, rule()], 1),
        ([*MEANT, NEGATED], 1),
    ],
)
def test_firewall(ruleset: list[dict[str, Any]], gaps: int) -> None:
    assert len(machine.gaps({"nftables": ruleset})) == gaps


@pytest.mark.parametrize(
    ("mode", "owner", "kept"),
    [
        (0o750, "mysql:mysql", True),
        (0o700, "mysql:mysql", True),
        (0o755, "mysql:mysql", False),
        (0o750, "root:root", False),
    ],
)
def test_modes(mode: int, owner: str, kept: bool) -> None:
    entry = files.Entry(Path("/var/lib/mysql"), mode, owner)
    assert entry.within(0o750, "mysql:mysql") is kept


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ([], False),
        (["--skip-grant-tables"], True),
        (["--loose_skip_grant_tables=ON"], True),
        (["--skip-grant-tables", "--skip-grant-tables=FALSE"], False),
    ],
)
def test_options(given: list[str], on: bool) -> None:
    assert leftovers.is_on("skip-grant-tables", given) is on


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mysql -psecret clinic", True),
        ("sudo mysqldump --password=secret clinic", True),
        ("mysql -p clinic", False),
        ("mysql --protocol=socket --port=3306", False),
    ],
)
def test_typed_passwords(line: str, found: bool) -> None:
    assert bool(leftovers.PASSWORD_TYPED.search(line)) is found


@pytest.mark.parametrize(
    ("line", "found"),
    [("password = secret", True), ("password_history = 5", False), ("# password = x", False)],
)
def test_written_passwords(line: str, found: bool) -> None:
    assert bool(leftovers.PASSWORD_SET.search(f"[client]\n{line}\n")) is found


def test_certificates_and_keys_end() -> None:
    certificates, day = AUDIT["certificates"], 86400
    assert certificates.days_left("notAfter=Jan  2 00:00:00 1970 GMT\n", 0) == 1
    assert certificates.key_left("tru::1:\npub:e:4096:1:X:1698019200:864000:::\n", day) == 9
    assert certificates.key_left("pub:-:4096:1:X:1698019200::::\n", day) is None


def test_what_backups_publish() -> None:
    values = backup.read('# HELP\na_seconds 1000.5\nb{name="apt key"} 1\n')
    assert values == {"a_seconds": 1000.5, 'b{name="apt key"}': 1.0}
    assert backup.is_recent("a_seconds", 60, values, 1050.0).outcome == "pass"
    assert backup.is_recent("a_seconds", 60, values, 9000.0).evidence == "2 hours ago"
    assert backup.is_recent("a_seconds", 60, values, 9000.0).outcome == "fail"
    assert backup.is_recent("c", 60, values, 0.0).evidence == "never"
    assert backup.repository("RESTIC_REPOSITORY=azure:backups:/\nTZ=UTC\n") == "azure:backups:/"


def test_apt_policy() -> None:
    policy = "mysql-server:\n  Installed: 9.7.3-1\n  Candidate: 9.7.4-1\n  Version table:\n"
    assert machine.versions(policy) == ("9.7.3-1", "9.7.4-1")


def test_exposure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine, "run", lambda *_: "→ Overall exposure level for mysql.service: 1.2 OK 🙂\n"
    )
    assert machine.exposure() == 1.2


def test_ssl_files_follow_the_data_directory() -> None:
    variables = {"datadir": "/data/", "ssl_key": "key.pem", "ssl_ca": "/etc/ca.pem", "ssl_crl": ""}
    assert files._tls_files(variables) == [Path("/etc/ca.pem"), Path("/data/key.pem")]


def test_what_cannot_be_looked_at_has_failed() -> None:
    for error in (KeyError("ssl_ca"), FileNotFoundError(2, "gone", "ss"), ValueError("no level")):
        verdict = controls.evaluate(replace(RULES["cis-1.5"], check=raising(error)), Database({}))
        assert verdict.outcome == "fail"
        assert "could not be looked at" in verdict.evidence
    broken = subprocess.CalledProcessError(1, ["nft"], stderr="no such table\n")
    verdict = controls.evaluate(replace(RULES["cis-1.5"], check=raising(broken)), Database({}))
    assert verdict.evidence == "could not be looked at: nft: no such table"


def raising(error: Exception) -> Callable[[Any], Any]:
    def check(_: Any) -> Any:
        raise error

    return check


def test_the_report_begins_with_the_verdict_and_what_failed() -> None:
    report = AUDIT["report"]
    found = [
        (RULES["cis-4.4"], controls.passed("local_infile = OFF")),
        (RULES["cis-2.2.1"], controls.accepted("it needs a keyring.", "OFF")),
        (RULES["cis-7.7"], controls.failed("''@localhost")),
    ]
    lines = report.as_text(found, colour=False).splitlines()
    assert lines[0] == "1 pass, 1 accepted, 1 fail"
    assert lines[2].startswith("fail      cis-7.7 (mysql-db-04)")
    assert "remedy: DROP USER ''@HOST." in lines[4]
    assert any("accepted, because it needs a keyring." in line for line in lines)
    data = json.loads(report.as_json(found))
    assert data["summary"] == {"pass": 1, "accepted": 1, "fail": 1}
    assert [one["outcome"] for one in data["controls"]] == ["pass", "accepted", "fail"]
    assert [bool(one["remedy"]) for one in data["controls"]] == [False, False, True]
