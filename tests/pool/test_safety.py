"""What goes wrong inside the instrumentation, or around it, is not the application's trouble."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.pool import layout, measured_pool
from app.pool.layout import LAYOUT_ID
from app.pool.recorder import recorder
from tests.pool.conftest import Reading, count, python, reader
from tests.pool.oracle import Recording


class _Broken:
    """Cells that nobody can write to."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("broken")

    def __bool__(self) -> bool:
        raise RuntimeError("broken")


PARTS = ["_cells", "_mine", "_rows", "_names", "_waiting", "tracked", "leased"]


@pytest.mark.parametrize("part", PARTS)
def test_fault_inside_does_not_reach_the_application(name: str, part: str) -> None:
    pool = measured_pool(name)
    engine = Recording().engine(pool, pool_pre_ping=True)
    engine.connect().close()
    whole = getattr(recorder(name), part)
    setattr(recorder(name), part, _Broken())
    held = [engine.raw_connection() for _ in range(3)]
    with pytest.raises(Exception, match="QueuePool limit"):
        engine.raw_connection()
    held.pop().detach()
    held.pop().invalidate()
    held.pop().close()
    setattr(recorder(name), part, whole)
    engine.dispose()


@pytest.mark.parametrize("part", ["_cells", "_rows", "_names", "_waiting", "tracked", "leased"])
def test_fault_inside_is_counted(name: str, read: Reading, part: str) -> None:
    pool = measured_pool(name)
    engine = Recording().engine(pool)
    engine.connect().close()
    whole = getattr(recorder(name), part)
    setattr(recorder(name), part, _Broken())
    for connection in [engine.raw_connection(), engine.raw_connection()]:
        connection.invalidate()
    setattr(recorder(name), part, whole)
    assert read("sqlalchemy_pool_faults_total") > 0
    engine.dispose()


ONE = """
from app.pool import measured_pool
from tests.pool.oracle import Recording

engine = Recording().engine(measured_pool("one"))
held = engine.connect()
print("connected")
"""


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = python(ONE, tmp_path / "file" / "below")
    assert done.stdout == "connected\n"
    assert "The pool 'one' cannot publish its metrics." in done.stderr


@pytest.mark.parametrize(
    "content",
    [b"x" * 100, b"\xff" * 5_000_000, LAYOUT_ID.hex().encode(), b""],
    ids=["torn", "of another layout", "short", "empty"],
)
def test_directory_that_was_not_wiped(tmp_path: Path, content: bytes) -> None:
    """What another version or a crash left is taken over, and nothing of it shown."""
    (tmp_path / "one.0.cells").write_bytes(content)
    (tmp_path / "0.lock").write_bytes(content[:100])
    read = reader("one", tmp_path)
    assert count(read, "used") == 0
    assert python(ONE, tmp_path).returncode == 0
    assert read("sqlalchemy_pool_connects_total", outcome="ok") == 1
    assert count(read, "used") == count(read, "idle") == 0


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent
from app.pool import PoolCollector, measured_pool
from tests.pool.conftest import count, reader
from tests.pool.oracle import Recording

engine = Recording().engine(measured_pool("green"), pool_timeout=5)
read = reader("green")
held = [engine.raw_connection() for _ in range(3)]
waiting = [gevent.spawn(engine.raw_connection) for _ in range(5)]
gevent.sleep(0)
assert read("db_client_connection_pending_requests") == 5
assert count(read, "used") == 3
for connection in held:
    connection.close()
for _ in range(5):
    gevent.joinall(waiting, count=1)
    for one in [one for one in waiting if one.ready()]:
        waiting.remove(one)
        one.value.close()
assert read("db_client_connection_pending_requests") == 0
assert read("sqlalchemy_pool_queue_wait_seconds_count", outcome="ok") == 5
assert count(read, "used") == 0
"""


def test_gevent(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    done = python(GEVENT, tmp_path)
    assert done.returncode == 0, done.stderr


EXIT = """
import gc
from app.pool import measured_pool
from tests.pool.oracle import Recording

engine = Recording().engine(measured_pool("one", leak_threshold=0.1))
held = [engine.raw_connection() for _ in range(3)]
cycle = [engine, held]
cycle.append(cycle)
"""


def test_interpreter_ends_quietly_with_connections_out(tmp_path: Path) -> None:
    done = python(EXIT, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_connection_that_is_closed_behind_the_pools_back(name: str, read: Reading) -> None:
    """The driver closes it, and the pool finds out and replaces it."""
    engine = Recording().engine(measured_pool(name), pool_pre_ping=True)
    raw = engine.raw_connection()
    raw.driver_connection.close()  # type: ignore[union-attr]
    raw.close()
    with engine.connect():
        assert count(read, "used") == 1
    assert count(read, "idle") == 1


def test_row_of_a_thread_that_leaves_its_connection_to_its_locals_is_used_again(name: str) -> None:
    pool = measured_pool(name)
    engine = Recording().engine(pool)
    local = threading.local()

    def work() -> None:
        local.connection = engine.connect()  # returned when the thread's locals are torn down

    for _ in range(20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    taken = layout.THREADS_TAKEN.of(recorder(name)._cells._cells)
    assert sum(taken.tolist()) < 10


def test_listener_that_detaches_what_is_borrowed(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name))
    event.listen(engine, "checkout", lambda _connection, _record, proxy: proxy.detach())
    connection = engine.raw_connection()
    assert read("sqlalchemy_pool_detached") == 1
    assert read("db_client_connection_wait_time_seconds_count", outcome="ok") == 1
    assert read("sqlalchemy_pool_faults_total") == 0
    connection.close()


def test_use_ends_also_where_a_listener_does_not_let_the_connection_back(
    name: str, read: Reading
) -> None:
    engine = Recording().engine(measured_pool(name))
    event.listen(engine, "checkin", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.raw_connection().close()
    gc.collect()
    assert count(read, "used") == 0
    assert read("db_client_connection_use_time_seconds_count") == 1
    assert read("sqlalchemy_pool_closes_total", reason="garbage") == 1


def test_threshold_of_zero_looks_for_no_leaks(name: str, read: Reading) -> None:
    engine = Recording().engine(measured_pool(name, leak_threshold=0))
    threads = threading.active_count()
    with engine.connect():
        assert threading.active_count() == threads
        assert read("sqlalchemy_pool_leaks_suspected") == 0
