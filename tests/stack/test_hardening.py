"""How every container is held down, as the files say it; needs no running stack."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.stack.stack import ROOT, Stack

ONE_SHOT = {"init", "migrate", "loadtest", "loadtest-worker"}
PUBLISHING = {"toxiproxy", "nginx", "prometheus", "alertmanager", "grafana"}
OWN_IMAGES = {"poolsight-app:local", "poolsight-loadtest:local"}
READS_SECRETS = {
    "init": {"init-state", "secrets-mysql", "secrets-app", "secrets-migrate",
             "secrets-exporter", "secrets-grafana"},
    "mysql": {"secrets-mysql"},
    "migrate": {"secrets-migrate"},
    "app": {"secrets-app"},
    "mysqld-exporter": {"secrets-exporter"},
    "grafana": {"secrets-grafana"},
}  # fmt: skip


def model(settings: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the resolved Compose model with every profile on."""
    config = Stack("poolsight-config", grafana=True, ports={}).compose(
        "--profile", "*", "config", "--format", "json", settings=settings
    )
    found: dict[str, Any] = json.loads(config.stdout)
    return found


ALL_FILES = {"COMPOSE_FILE": "docker-compose.yml:compose/vm.yml"}
MODEL = model(ALL_FILES)
SERVICES = sorted(MODEL["services"].items())


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_each_service_is_held_down(name: str, service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "init" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert int(service["mem_limit"]) >= 128 << 20
    assert service["pids_limit"] >= 50
    assert service["logging"]["options"] == {"max-size": "5m", "max-file": "2"}
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    assert all("docker.sock" not in mount["source"] for mount in service.get("volumes", []))


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_each_image_is_pinned_or_built_here(name: str, service: dict[str, Any]) -> None:
    if "build" in service:
        assert service["image"] in OWN_IMAGES
    else:
        assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"])


def test_only_what_people_open_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES if service.get("ports")}
    assert set(published) == PUBLISHING
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}
    on_edge = {name for name, service in SERVICES if "edge" in (service.get("networks") or ())}
    assert on_edge == PUBLISHING


def test_only_the_publishers_network_leads_out() -> None:
    internal = {name for name, network in MODEL["networks"].items() if network.get("internal")}
    assert set(MODEL["networks"]) - internal == {"edge"}
    assert MODEL["services"]["init"]["network_mode"] == "none"


def test_each_secret_volume_has_one_consumer_and_is_read_only_there() -> None:
    for name, service in SERVICES:
        mounts = [m for m in service.get("volumes", []) if m["type"] == "volume"]
        secret = [m for m in mounts if m["source"].startswith(("secrets-", "init-"))]
        assert {m["source"] for m in secret} == READS_SECRETS.get(name, set()), name
        assert name == "init" or all(m.get("read_only") for m in secret), name


def test_no_secret_is_in_an_environment_variable() -> None:
    for name, service in SERVICES:
        for variable in service.get("environment") or {}:
            secret = re.search(r"PASSWORD|SECRET|KEY|TOKEN", variable)
            assert not secret or variable.endswith("_FILE"), f"{name}: {variable}"


def test_the_same_files_run_against_a_mysql_on_the_host() -> None:
    found = model(
        {
            "COMPOSE_PROFILES": "",
            "CLINIC_DB_HOST": "host.docker.internal",
            "CLINIC_DB_NETWORK_INTERNAL": "false",
        }
    )
    for name in ("app", "migrate"):
        service = found["services"][name]
        assert service["environment"]["CLINIC_DB_HOST"] == "host.docker.internal"
        assert service["depends_on"]["mysql"]["required"] is False
        assert service["extra_hosts"] == ["host.docker.internal=host-gateway"]
    assert not found["networks"]["database"].get("internal")


def test_the_committed_env_file_switches_mysql_on_and_nothing_else() -> None:
    lines = (ROOT / ".env").read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert settings == ["COMPOSE_PROFILES=mysql"]
