"""Toxiproxy between the application and MySQL, as scenarios use it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from loadtest.lab.compose import Compose
from tests.stack.stack import Stack
from tests.waiting import eventually

SEARCH = "/api/v1/slots?limit=5"


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


def test_the_server_is_verified_by_name_through_the_proxy(stack: Stack, proxied: Compose) -> None:
    assert proxied.settings()["CLINIC_DB_HOST"] == "toxiproxy"
    assert stack.get(SEARCH)[0] == 200
    plain = stack.sql(
        "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_USER = 'app' "
        "AND CONNECTION_TYPE <> 'SSL/TLS'"
    )
    assert plain == [["0"]]


def test_latency_is_seen_by_who_asks(stack: Stack, proxied: Compose) -> None:
    with proxied.toxic("latency", {"latency": 200}):
        began = time.monotonic()
        assert stack.get(SEARCH)[0] == 200
        assert time.monotonic() - began >= 0.2


def test_lost_packets_are_answered_503_and_heal_by_themselves(
    stack: Stack, proxied: Compose
) -> None:
    with proxied.toxic("timeout", {"timeout": 0}):
        assert stack.get(SEARCH)[0] == 503
    assert eventually(lambda: stack.get(SEARCH)[0] == 200, within=20)
