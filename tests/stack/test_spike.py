"""The spike is seen in the pool's numbers, and they are true."""

from __future__ import annotations

import pytest

from tests.stack.conftest import Spike
from tests.stack.stack import Stack
from tests.waiting import eventually

RISE_AND_FALL = {
    "in use": 'sum(db_client_connection_count{db_client_connection_state="used"})',
    "waiting": "sum(db_client_connection_pending_requests)",
    "overflow": "sum(sqlalchemy_pool_overflow)",
    "longest wait": "max(sqlalchemy_pool_oldest_wait_seconds)",
}
OPEN = "sum(db_client_connection_count)"
LIMIT = "sum(db_client_connection_max)"
PROCESSES = 'sum(mysql_info_schema_processlist_processes_by_user{mysql_user="app"})'


def test_the_spike_ran_to_its_end(spike: Spike) -> None:
    # 1 is a missed service level, which on a small machine says nothing about the stack.
    assert spike.status in (0, 1), spike.output
    assert "SLO" in spike.output


@pytest.mark.parametrize("name", RISE_AND_FALL)
def test_rises_with_the_spike_and_falls_to_zero(stack: Stack, spike: Spike, name: str) -> None:
    expression = RISE_AND_FALL[name]
    assert (stack.value(f"max_over_time({spike.during(expression)})") or 0) > 0
    assert eventually(lambda: stack.value(expression) == 0, within=20)


def test_waiting_took_time(stack: Stack, spike: Spike) -> None:
    waited = "sum(db_client_connection_wait_time_seconds_sum)"
    before = stack.value(f"min_over_time({spike.during(waited)})")
    after = stack.value(f"max_over_time({spike.during(waited)})")
    assert before is not None
    assert after is not None
    assert after - before > 1


def test_connections_never_exceed_the_limit(stack: Stack, spike: Spike) -> None:
    assert stack.value(LIMIT) == 2 * (4 + 2)
    worst = stack.value(f"max_over_time({spike.during(f'{OPEN} - {LIMIT}', '1s')})")
    assert worst is not None
    assert worst <= 0


def test_mysql_sees_as_many_connections_as_the_pools_count(stack: Stack, spike: Spike) -> None:
    def agree() -> bool:
        rows = stack.sql("SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'app'")
        return stack.value(OPEN) == float(rows[0][0]) == stack.value(PROCESSES)

    assert eventually(agree, within=15)


def test_under_load_they_differ_by_what_one_scrape_cannot_see(stack: Stack, spike: Spike) -> None:
    typical = stack.value(f"quantile_over_time(0.5, {spike.during(f'abs({OPEN} - {PROCESSES})')})")
    assert typical is not None
    assert typical <= 2


def test_every_acknowledged_booking_is_in_the_database(stack: Stack, spike: Spike) -> None:
    stored = {int(row[0]) for row in stack.sql("SELECT id FROM appointment")}
    assert spike.booked
    assert set(spike.booked) - stored == set()


def test_no_slot_is_booked_twice(stack: Stack, spike: Spike) -> None:
    assert double_bookings(stack) == []


def double_bookings(stack: Stack) -> list[list[str]]:
    """Return slots with more than one standing appointment."""
    return stack.sql(
        "SELECT slot_id, COUNT(*) FROM appointment WHERE cancelled_at IS NULL "
        "GROUP BY slot_id HAVING COUNT(*) > 1"
    )
