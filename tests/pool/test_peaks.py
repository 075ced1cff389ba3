"""The highest values of the last seconds, which reading does not reset."""

from __future__ import annotations

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


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Read as if *seconds* had passed."""
    now = monotonic()
    monkeypatch.setattr(collector, "monotonic", lambda: now + seconds)


def test_peak_outlives_what_it_counts(
    name: str, read: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Recording().engine(measured_pool(name))
    for connection in [engine.connect() for _ in range(3)]:
        connection.close()
    engine.connect().close()
    assert read(USED) == read(USED) == 3
    later(monkeypatch, PEAK_SECONDS - 2)
    assert read(USED) == 3
    later(monkeypatch, PEAK_SECONDS + 2)
    assert read(USED) == 0


def test_what_is_still_held_counts(
    name: str, read: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Recording().engine(measured_pool(name))
    held = [engine.connect() for _ in range(2)]
    later(monkeypatch, 10 * PEAK_SECONDS)
    assert read(USED) == 2
    for connection in held:
        connection.close()


def test_waiters_and_their_wait(name: str, read: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
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
    later(monkeypatch, PEAK_SECONDS + 2)
    assert read(PENDING) == read(WAIT) == 0
