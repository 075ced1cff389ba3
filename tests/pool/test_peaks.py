"""The highest values of the last seconds, which reading does not reset."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from app.pool import collector, measured_pool
from app.pool.layout import PEAK_SECONDS
from tests.pool.conftest import Reading
from tests.pool.oracle import Recording
from tests.waiting import eventually

USED = "sqlalchemy_pool_used_peak"
PENDING = "sqlalchemy_pool_pending_peak"
WAIT = "sqlalchemy_pool_wait_peak_seconds"


Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """``later(seconds)``: read from now on as if it were so long after the test began."""
    began = monotonic()

    def at(seconds: float) -> None:
        monkeypatch.setattr(collector, "monotonic", lambda: began + seconds)

    return at


def test_peak_outlives_what_it_counts(name: str, read: Reading, later: Later) -> None:
    engine = Recording().engine(measured_pool(name))
    for connection in [engine.connect() for _ in range(3)]:
        connection.close()
    engine.connect().close()
    assert read(USED) == read(USED) == 3
    later(PEAK_SECONDS - 2)
    assert read(USED) == 3
    later(PEAK_SECONDS + 600)
    assert read(USED) == 0


def test_what_is_still_held_counts(name: str, read: Reading, later: Later) -> None:
    engine = Recording().engine(measured_pool(name))
    held = [engine.connect() for _ in range(2)]
    later(PEAK_SECONDS + 600)
    assert read(USED) == 2
    for connection in held:
        connection.close()


def test_waiters_and_their_wait(name: str, read: Reading, later: Later) -> None:
    engine = Recording().engine(measured_pool(name), pool_timeout=10)
    held = [engine.raw_connection() for _ in range(3)]
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(engine.raw_connection) for _ in range(2)]
        eventually(lambda: read("sqlalchemy_pool_oldest_wait_seconds") > 0.1)
        assert read(PENDING) == 2
        for connection in held:
            connection.close()
        for future in waiting:
            future.result().close()
    assert read("db_client_connection_pending_requests") == 0
    assert read(PENDING) == 2
    assert 0.1 < read(WAIT) < 10
    later(PEAK_SECONDS + 600)
    assert read(PENDING) == read(WAIT) == 0
