"""MySQL is killed for ten seconds under load: fast refusals, then bookings again, none lost."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tests.stack.stack import Stack
from tests.stack.test_spike import double_bookings
from tests.stack.traffic import Traffic
from tests.waiting import eventually

DOWN = 10.0  # seconds
# Pool 1 s, connect 2 s, and a statement that was running may take the driver's 10 s to give up.
LONGEST = 13.0


@dataclass(frozen=True)
class Outage:
    """What was seen of one outage."""

    traffic: Traffic
    started_before: list[str]
    recovered_after: float


@pytest.fixture(scope="module")
def outage(stack: Stack) -> Outage:
    """Kill MySQL under load, start it again, and wait for the first booking after that."""
    started = [container["State"]["StartedAt"] for container in stack.containers("app")]
    with Traffic(stack) as traffic:
        eventually(lambda: len(traffic.booked) > 20, within=20)
        killed = time.monotonic()
        stack.compose("kill", "mysql")
        eventually(lambda: traffic.statuses[503] > 0, within=10)
        eventually(lambda: time.monotonic() > killed + DOWN, within=DOWN + 5)
        restarted = time.monotonic()
        stack.compose("start", "mysql")
        eventually(lambda: traffic.booked_since(restarted), within=60)
        recovered = time.monotonic()
        eventually(lambda: len(traffic.booked) > 60, within=30)
    return Outage(traffic, started, recovered - restarted)


def test_nobody_got_a_500_or_no_answer(outage: Outage) -> None:
    assert set(outage.traffic.statuses) <= {200, 201, 409, 503}, outage.traffic.statuses


def test_nobody_waited_beyond_the_timeouts(outage: Outage) -> None:
    assert outage.traffic.slowest < LONGEST


def test_every_refusal_says_what_it_is(outage: Outage) -> None:
    refused = [answer.body for answer in outage.traffic.answers if answer.status == 503]
    assert refused
    assert all(body["status"] == 503 and body["correlation_id"] for body in refused)


def test_it_recovered_without_a_restart_of_the_app(stack: Stack, outage: Outage) -> None:
    containers = stack.containers("app")
    assert [container["State"]["StartedAt"] for container in containers] == outage.started_before
    assert [container["RestartCount"] for container in containers] == [0]
    assert outage.recovered_after < 30


def test_every_booking_that_was_acknowledged_is_there(stack: Stack, outage: Outage) -> None:
    stored = {int(row[0]) for row in stack.sql("SELECT id FROM appointment")}
    assert set(outage.traffic.booked) - stored == set()


def test_no_slot_is_booked_twice(stack: Stack, outage: Outage) -> None:
    assert double_bookings(stack) == []


def test_the_gauges_are_true_again(stack: Stack, outage: Outage) -> None:
    def agree() -> bool:
        rows = stack.sql("SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'app'")
        in_use = stack.value('sum(db_client_connection_count{db_client_connection_state="used"})')
        return stack.value("sum(db_client_connection_count)") == float(rows[0][0]) and in_use == 0

    assert eventually(agree, within=20)
