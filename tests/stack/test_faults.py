"""Toxiproxy between the application and MySQL, as scenarios use it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from loadtest.lab.compose import Compose
from tests.stack.stack import Stack
from tests.waiting import eventually

SEARCH = "/api/v1/slots?limit=5"
# A connection that was idle is given up after the connect timeout of 2 s, then a new one is.
LOST = 6.0  # seconds


@pytest.fixture(scope="module")
def proxied(stack: Stack) -> Iterator[Compose]:
    """The stack, whose application meets MySQL through the proxy meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", stack.project)
        for name, port in stack.ports.items():
            patch.setenv(name, str(port))
        with Compose({}, proxied=True) as target:
            yield target
    environment = stack.containers("app")[0]["Config"]["Env"]
    assert "CLINIC_DB_HOST=mysql" in environment, "it is as it was before"
    assert not stack.containers("toxiproxy")


def test_every_connection_leads_through_the_proxy_and_is_encrypted(
    stack: Stack, proxied: Compose
) -> None:
    assert proxied.settings()["CLINIC_DB_HOST"] == "toxiproxy"
    assert stack.get(SEARCH)[0] == 200
    connections = stack.sql(
        "SELECT DISTINCT processlist_host, connection_type FROM performance_schema.threads "
        "WHERE processlist_user = 'app'"
    )
    assert connections == [[address(stack, "toxiproxy"), "SSL/TLS"]]


def test_the_server_is_verified_by_name_through_the_proxy(stack: Stack, proxied: Compose) -> None:
    # The proxy's address leads to the same server, but is not among its certificate's names.
    other = f"CLINIC_DB_HOST={address(stack, 'toxiproxy')} flask pool budget 2>&1"
    assert "IP address mismatch" in stack.shell("app", other, check=False)
    assert "Fits" in stack.shell("app", "flask pool budget")


def test_latency_is_seen_by_who_asks(stack: Stack, proxied: Compose) -> None:
    with proxied.toxic("latency", {"latency": 200}):
        began = time.monotonic()
        assert stack.get(SEARCH)[0] == 200
        assert time.monotonic() - began >= 0.2


def test_lost_packets_are_answered_503_and_heal_by_themselves(
    stack: Stack, proxied: Compose
) -> None:
    started = [container["State"]["StartedAt"] for container in stack.containers("app")]
    with proxied.toxic("timeout", {"timeout": 0}):
        began = time.monotonic()
        assert stack.get(SEARCH)[0] == 503
        assert time.monotonic() - began < LOST
    assert eventually(lambda: stack.get(SEARCH)[0] == 200, within=20)
    assert [container["State"]["StartedAt"] for container in stack.containers("app")] == started


def address(stack: Stack, service: str) -> str:
    """Return where the service's container is met in the database's network."""
    networks = stack.containers(service)[0]["NetworkSettings"]["Networks"]
    found: str = networks[f"{stack.project}_database"]["IPAddress"]
    return found
