"""`docker compose scale app=N` up and down is followed by nginx and by the gauges."""

from __future__ import annotations

from functools import partial

import pytest

from tests.stack.stack import Stack
from tests.stack.traffic import Traffic
from tests.waiting import eventually

REPLICAS = "count(count by (instance) (db_client_connection_max))"
TARGETS = 'count(up{job="app"})'  # one that is gone is shown as down for two scrapes
LIMIT = "sum(db_client_connection_max)"
ANSWERING = "count(sum by (instance) (rate(flask_http_request_total[15s])) > 0.5)"
NAMED = (
    "SELECT COUNT(DISTINCT attr_value) FROM performance_schema.session_connect_attrs "
    "WHERE attr_name = 'program_name' AND attr_value LIKE 'clinic@%'"
)
FOLLOWED = 60.0  # seconds; a replica may take 20 of them to finish its requests


@pytest.fixture(scope="module")
def traffic(stack: Stack) -> Traffic:
    """Go from one replica to three and back under load, and see each step followed."""
    with Traffic(stack) as found:
        for replicas in (3, 1):
            stack.compose("scale", f"app={replicas}")
            for query, wanted in (
                (TARGETS, replicas),
                (REPLICAS, replicas),
                (ANSWERING, replicas),
                (LIMIT, replicas * 2 * (4 + 2)),
            ):
                eventually(partial(stack.shows, query, wanted), within=FOLLOWED)
            eventually(partial(names, stack, replicas), within=FOLLOWED)
    return found


def names(stack: Stack, replicas: int) -> bool:
    """Whether MySQL can tell so many replicas from each other."""
    return stack.sql(NAMED) == [[str(replicas)]]


def test_no_request_failed(traffic: Traffic) -> None:
    assert set(traffic.statuses) <= {200, 201, 409}, traffic.statuses


def test_nobody_waited_long(traffic: Traffic) -> None:
    assert traffic.slowest < 5


def test_connections_of_the_removed_replicas_are_gone(stack: Stack, traffic: Traffic) -> None:
    rows = stack.sql("SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'app'")
    assert int(rows[0][0]) <= 2 * (4 + 2)
