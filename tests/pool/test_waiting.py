"""What no event tells: who waits, how long, and who gave up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from tests.pool.conftest import Reading
from tests.waiting import eventually

PENDING = "db_client_connection_pending_requests"
OLDEST = "sqlalchemy_pool_oldest_wait_seconds"
TIMEOUTS = "db_client_connection_timeouts_total"
WAIT = "db_client_connection_wait_time_seconds"
QUEUE_WAIT = "sqlalchemy_pool_queue_wait_seconds"


def test_waiter_that_times_out(engine: Engine, read: Reading) -> None:
    assert isinstance(engine.pool, QueuePool)
    engine.pool._timeout = 2.0
    held = [engine.connect() for _ in range(3)]
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(engine.connect)
        eventually(lambda: read(PENDING) == 1 and read(OLDEST) > 0)
        with pytest.raises(PoolTimeoutError):
            waiting.result()
    assert read(PENDING) == 0
    assert read(OLDEST) == 0
    assert read(TIMEOUTS) == 1
    assert read(f"{QUEUE_WAIT}_count") == 1
    assert read(f"{QUEUE_WAIT}_sum") >= 2
    assert read(f"{WAIT}_bucket", le="1.0") == 3
    assert read(f"{WAIT}_bucket", le="+Inf") == 4
    for connection in held:
        connection.close()


def test_waiter_that_is_served(engine: Engine, read: Reading) -> None:
    held = [engine.connect() for _ in range(3)]
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(engine.connect)
        eventually(lambda: read(PENDING) == 1)
        held.pop().close()
        waiting.result().close()
    assert read(PENDING) == 0
    assert read(TIMEOUTS) == 0
    assert read(f"{QUEUE_WAIT}_count") == 1
    for connection in held:
        connection.close()


def test_free_connection_is_not_waited_for(engine: Engine, read: Reading) -> None:
    for _ in range(10):
        engine.connect().close()
    assert read(f"{WAIT}_count") == 10
    assert read(f"{QUEUE_WAIT}_count") == 0


def test_use_time_is_what_passed(engine: Engine, read: Reading) -> None:
    began = monotonic()
    with engine.connect() as connection:
        connection.exec_driver_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                                   "FROM n WHERE i < 100000) SELECT sum(i) FROM n")  # fmt: skip
        outside = monotonic() - began
    assert read("db_client_connection_use_time_seconds_count") == 1
    assert 0 < read("db_client_connection_use_time_seconds_sum") <= monotonic() - began
    assert outside > 0
