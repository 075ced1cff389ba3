"""What a thread has spent on a pool is told to this thread, and to no other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.pool import ThreadSeconds, layout, measured_pool, thread_seconds
from app.pool.recorder import recorder
from tests.pool.conftest import Reading, python
from tests.pool.oracle import Recording
from tests.waiting import eventually

NOTHING = ThreadSeconds(wait=0, queue_wait=0, use=0)
WAIT = "db_client_connection_wait_time_seconds_sum"
QUEUE_WAIT = "sqlalchemy_pool_queue_wait_seconds_sum"
USE = "db_client_connection_use_time_seconds_sum"


def seconds(pool: str) -> ThreadSeconds:
    found = thread_seconds(pool)
    assert found is not None
    return found


def borrow(engine: Engine, name: str) -> ThreadSeconds:
    """What a checkout and return cost the thread that calls this."""
    before = seconds(name)
    engine.connect().close()
    return seconds(name).since(before)


def test_equal_what_is_exported(engine: Engine, name: str, read: Reading) -> None:
    assert seconds(name) == NOTHING
    for _ in range(3):
        engine.connect().close()
    spent = seconds(name)
    assert spent.wait == pytest.approx(read(WAIT))
    assert spent.use == pytest.approx(read(USE))
    assert spent.queue_wait == 0
    assert min(spent.wait, spent.use) > 0


def test_connection_counts_when_it_is_returned(engine: Engine, name: str) -> None:
    connection = engine.connect()
    assert seconds(name).use == 0
    connection.close()
    assert seconds(name).use > 0


def test_waiting_is_the_waiting_threads(engine: Engine, name: str, read: Reading) -> None:
    held = [engine.connect() for _ in range(3)]
    before = seconds(name)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(borrow, engine, name)
        eventually(lambda: read("db_client_connection_pending_requests") == 1, every=0.01)
        assert seconds(name) == before
        held.pop().close()
        spent = waiting.result()
    assert spent.queue_wait == pytest.approx(read(QUEUE_WAIT))
    assert 0 < spent.queue_wait <= spent.wait
    for connection in held:
        connection.close()


def test_waiting_in_vain_counts(engine: Engine, name: str) -> None:
    held = [engine.connect() for _ in range(3)]
    before = seconds(name)
    with pytest.raises(PoolTimeoutError):
        engine.connect()
    spent = seconds(name).since(before)
    assert 0.3 <= spent.queue_wait <= spent.wait
    assert spent.use == 0
    for connection in held:
        connection.close()


def test_failed_connect_counts(name: str) -> None:
    database = Recording()
    engine = database.engine(measured_pool(name))
    database.refuse()
    before = seconds(name)
    with pytest.raises(Exception, match="away"):
        engine.connect()
    spent = seconds(name).since(before)
    assert spent.wait > 0
    assert spent.queue_wait == 0


def test_threads_that_share_their_counts_are_told_nothing(engine: Engine, name: str) -> None:
    threads = layout.THREADS.rows + 2
    all_have_one = threading.Barrier(threads)

    def work() -> ThreadSeconds | None:
        thread_seconds(name)
        all_have_one.wait(30)
        return thread_seconds(name)

    with ThreadPoolExecutor(threads) as pool:
        found = [one.result() for one in [pool.submit(work) for _ in range(threads)]]
    assert found.count(None) == 3
    engine.connect().close()
    assert seconds(name).use > 0


@pytest.mark.parametrize("part", ["_cells", "_mine"])
def test_fault_inside_tells_nothing(
    engine: Engine, name: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.connect().close()
    with monkeypatch.context() as patch:
        patch.setattr(recorder(name), part, None)
        assert thread_seconds(name) is None
    assert thread_seconds(name) is not None


SUCCESSOR = """
from app.pool import measured_pool, thread_seconds
from tests.pool.oracle import Recording

engine = Recording().engine(measured_pool("one"))
before = thread_seconds("one")
engine.connect().close()
print(before.use, thread_seconds("one").since(before).use)
"""


def test_counts_of_a_predecessor_are_no_difference(tmp_path: Path) -> None:
    """A worker takes over its slot's counts before they are first read, and not in between."""
    before, _ = map(float, python(SUCCESSOR, tmp_path).stdout.split())
    assert before == 0
    before, spent = map(float, python(SUCCESSOR, tmp_path).stdout.split())
    assert before > 0
    assert spent > 0
