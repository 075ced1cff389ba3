"""What every other instrumentation of this pool gets wrong, and each shown to be able to fail.

Each scenario asserts that the metrics equal what is physically true. It holds for ours and must
fail for the naive implementation. By the numbers of the catalogue of failures (docs/pool.md):

 1, 2, 3, 4, 7, 8  here
 5, 6              here, in processes of their own
 9                 tests/server/test_metrics.py
10                 benchmarks/pool_overhead.py, by ``make drill-overhead``: a timing
11                 ``make test`` runs tests/pool on SQLAlchemy 2.1 and on 2.0
12                 tests/pool/test_walk.py
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from app.pool import measured_pool
from tests.conftest import ROOT
from tests.pool.conftest import Reading, count
from tests.pool.naive import NaiveMetrics
from tests.pool.oracle import Recording
from tests.waiting import eventually


class Metrics(Protocol):
    """What an implementation says of its pool."""

    def pool_class(self) -> type[QueuePool]: ...
    def states(self) -> tuple[float, float]: ...
    def timeouts(self) -> float: ...
    def longest_wait(self) -> float: ...


class OurMetrics:
    """This project's."""

    def __init__(self, name: str, read: Reading) -> None:
        self._name = name
        self._read = read

    def pool_class(self) -> type[QueuePool]:
        return measured_pool(self._name)

    def states(self) -> tuple[float, float]:
        return count(self._read, "used"), count(self._read, "idle")

    def timeouts(self) -> float:
        return self._read("db_client_connection_timeouts_total")

    def longest_wait(self) -> float:
        return self._read("sqlalchemy_pool_oldest_wait_seconds")


Scenario = Callable[[Metrics, Recording], None]
SCENARIOS: list[Scenario] = []


def scenario(function: Scenario) -> Scenario:
    SCENARIOS.append(function)
    return function


@pytest.mark.parametrize("check", SCENARIOS, ids=lambda check: check.__name__)
def test_ours(check: Scenario, name: str, read: Reading) -> None:
    check(OurMetrics(name, read), Recording())


@pytest.mark.parametrize("check", SCENARIOS, ids=lambda check: check.__name__)
def test_naive_fails(check: Scenario) -> None:
    with pytest.raises(AssertionError):
        check(NaiveMetrics(), Recording())


@scenario
def outage_of_a_hundred_connects(metrics: Metrics, dbapi: Recording) -> None:
    """1. The database is away: a pooled connection's ping fails, and so does every reconnect."""
    engine = dbapi.engine(metrics.pool_class(), pool_pre_ping=True)
    engine.connect().close()
    dbapi.refuse()
    setattr(engine.dialect, "do_ping", _dead)  # noqa: B010 - mypy
    for _ in range(100):
        with pytest.raises(OperationalError):
            engine.connect()
    assert metrics.states() == (0, dbapi.open) == (0, 0)
    dbapi.accept()
    engine.connect().close()
    assert metrics.states() == (0, dbapi.open) == (0, 1)


def _dead(_: object) -> bool:
    return False


@scenario
def fifty_detached(metrics: Metrics, dbapi: Recording) -> None:
    """2. A detached connection is used until it is closed, and then gone."""
    engine = dbapi.engine(metrics.pool_class())
    for _ in range(50):
        connection = engine.connect()
        connection.detach()
        assert metrics.states() == (1, 0)
        connection.close()
    assert metrics.states() == (0, dbapi.open) == (0, 0)


@scenario
def detached_and_dropped(metrics: Metrics, dbapi: Recording) -> None:
    """2. Also where nobody closes it."""
    engine = dbapi.engine(metrics.pool_class())
    raw = engine.raw_connection()
    raw.detach()
    assert metrics.states() == (dbapi.open, 0) == (1, 0)
    del raw
    gc.collect()
    assert metrics.states() == (dbapi.open, 0) == (0, 0)


@scenario
def disposed_with_connections_out(metrics: Metrics, dbapi: Recording) -> None:
    """3. They are used until they are returned, idle in the old pool, and gone with it."""
    engine = dbapi.engine(metrics.pool_class())
    out = [engine.connect() for _ in range(2)]
    engine.dispose()
    assert metrics.states() == (2, 0)
    new = engine.connect()
    assert metrics.states() == (3, 0)
    for connection in (*out, new):
        connection.close()
    del out, connection
    gc.collect()
    assert metrics.states() == (0, dbapi.open) == (0, 1)


@scenario
def left_behind_by_dispose(metrics: Metrics, dbapi: Recording) -> None:
    """3. With ``close=False``, idle connections end when the old pool is garbage."""
    engine = dbapi.engine(metrics.pool_class())
    for connection in [engine.connect(), engine.connect()]:
        connection.close()
    assert metrics.states() == (0, dbapi.open) == (0, 2)
    engine.dispose(close=False)
    del connection
    gc.collect()
    assert metrics.states() == (0, dbapi.open) == (0, 0)


@scenario
def refused_by_a_later_listener(metrics: Metrics, dbapi: Recording) -> None:
    """4. The pool checks out twice and checks in once."""
    engine = dbapi.engine(metrics.pool_class())
    refusals = iter([True])

    def refuse_once(*_: object) -> None:
        if next(refusals, False):
            raise DisconnectionError

    event.listen(engine, "checkout", refuse_once)
    with engine.connect():
        assert metrics.states() == (1, 0)
    assert metrics.states() == (0, dbapi.open) == (0, 1)


@scenario
def stalled_by_a_failed_connect(metrics: Metrics, dbapi: Recording) -> None:
    """7. Two connects fail while six wait. SQLAlchemy wakes nobody, though there is room: all
    six wait for pool_timeout, two then connect, and four are told that they waited in vain."""
    failing = Event()

    def fail() -> None:
        assert failing.wait(10)
        dbapi.accept()
        raise OSError("away")

    dbapi.before = fail
    engine = dbapi.engine(metrics.pool_class(), pool_size=2, max_overflow=0)
    with ThreadPoolExecutor(8) as threads:
        connecting = [threads.submit(engine.raw_connection) for _ in range(2)]
        eventually(lambda: _pool(engine).overflow() == 0)
        waiting = [threads.submit(engine.raw_connection) for _ in range(6)]
        eventually(lambda: _blocked(engine) == 6)
        dbapi.before = fail
        failing.set()
        wait([*connecting, *waiting])
    assert [type(one.exception()) for one in connecting] == [OSError, OSError]
    in_vain = _how_many(waiting, PoolTimeoutError)
    assert in_vain == 4
    assert metrics.timeouts() == in_vain


def _blocked(engine: Engine) -> int:
    """Threads that are physically blocked on the pool's queue."""
    queue: Any = _pool(engine)._pool
    return len(queue.not_empty._waiters)


def _pool(engine: Engine) -> QueuePool:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool


def _how_many(futures: Sequence[Future[Any]], kind: type[Exception]) -> int:
    return sum(isinstance(future.exception(), kind) for future in futures)


@scenario
def one_starves_while_most_are_served(metrics: Metrics, dbapi: Recording) -> None:
    """8. A thousand waits of nothing hide the one who has waited for a fifth of a second."""
    engine = dbapi.engine(metrics.pool_class(), pool_size=1, max_overflow=0, pool_timeout=10)
    for _ in range(1000):
        engine.raw_connection().close()
    held = engine.raw_connection()
    with ThreadPoolExecutor(1) as thread:
        starving = thread.submit(engine.raw_connection)
        try:
            eventually(lambda: _blocked(engine) == 1)
            eventually(lambda: metrics.longest_wait() > 0.2, within=1)
        finally:
            held.close()
            starving.result().close()


def run(script: str, *arguments: str, **environment: str) -> str:
    """What a Python process prints that runs *script*."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()


FLEET = """
import os, signal, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from app.pool import PoolCollector, measured_pool
from tests.pool.naive import NaiveMetrics
from tests.pool.oracle import Recording

ours = sys.argv[1] == "ours"
pool_class = measured_pool("fleet") if ours else NaiveMetrics().pool_class()
engine = Recording().engine(pool_class)      # preloaded: made before the fork
parent = engine.connect()                    # and used, as a careless parent does

def worker():
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        engine.dispose(close=False)
        held = [engine.connect(), engine.connect()]
        os.write(writing, b"!")
        signal.pause()
    os.read(reading, 1)
    return pid

workers = [worker() for _ in range(3)]
os.kill(workers[0], signal.SIGKILL)
os.waitpid(workers[0], 0)
registry = CollectorRegistry()
registry.register(PoolCollector()) if ours else MultiProcessCollector(registry)
state = {"db_client_connection_state": "used"}
print(sum(
    sample.value for family in registry.collect() for sample in family.samples
    if sample.name == "used" or state.items() <= sample.labels.items()
))
for pid in workers[1:]:
    os.kill(pid, signal.SIGKILL)
"""


@pytest.fixture
def multiprocess(tmp_path: Path) -> dict[str, str]:
    """The environment in which prometheus_client works across processes."""
    return {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "SQLALCHEMY_POOL_METRICS_DIR": str(tmp_path),
    }


def test_workers_forked_and_killed(multiprocess: dict[str, str]) -> None:
    """5. Two of three workers live, with two connections each, and their parent with one."""
    assert float(run(FLEET, "ours", **multiprocess)) == 5
    assert float(run(FLEET, "naive", **multiprocess)) != 5


FREEZE = """
import gc, os, sys
from threading import Thread
from prometheus_client import CollectorRegistry, Counter
from app.pool import measured_pool
from tests.pool.naive import NaiveMetrics
from tests.pool.oracle import Recording

pool_class = measured_pool("leaky") if sys.argv[1] == "ours" else NaiveMetrics().pool_class()
engine = Recording().engine(pool_class, pool_size=5, max_overflow=-1)
requests = Counter("requests", "Requests", ["path"], registry=CollectorRegistry())
served = 0

def serve():
    global served
    for number in range(2000):
        leaked = [engine.raw_connection()]
        leaked.append(leaked)                     # in a cycle: returned by the garbage collector
        del leaked
        gc.set_threshold(300 + number % 101)      # so that a collection comes anywhere
        requests.labels(f"/{number}").inc()       # a new child is made under the process's lock
        served += 1

thread = Thread(target=serve, daemon=True)
thread.start()
before = -1
while thread.is_alive() and served > before:
    before = served
    thread.join(2.0)
print("frozen" if thread.is_alive() else "served", flush=True)
os._exit(0)                                       # what is frozen would not end by itself
"""


def test_returned_by_the_garbage_collector(multiprocess: dict[str, str]) -> None:
    """6. A hook that takes prometheus_client's lock freezes the worker that holds it already."""
    assert run(FREEZE, "ours", **multiprocess) == "served"
    assert run(FREEZE, "naive", **multiprocess) == "frozen"
