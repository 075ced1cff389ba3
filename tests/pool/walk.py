"""Any order of whatever may happen to a pool: after each step, the metrics equal the truth.

The truth is counted without the instrumentation: open connections by the DBAPI, waiting threads by
the condition they block on, errors by who caught them.
"""

from __future__ import annotations

import gc
import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.pool import PoolCollector, announce_worker, measured_pool, metrics_directory, worker_slot
from app.pool.layout import (
    CLOSE_REASONS,
    CLOSES,
    CREATE,
    ERROR,
    HISTOGRAM,
    OVERFLOWS,
    TIMEOUT,
    WAIT,
)
from app.pool.worker import Worker
from tests.pool.oracle import Recording, only
from tests.waiting import eventually

POOL = "walk"
SIZE, MAX_OVERFLOW = 1, 1
THREADS = 3
LONG_AGO = 1000.0  # seconds
index = st.integers(0, 99)


class PoolWalk(RuleBasedStateMachine):
    """A pool of 1+1 in the hands of several threads."""

    def __init__(self) -> None:
        super().__init__()
        gc.collect()
        self.view = Path(tempfile.mkdtemp(prefix="walk-"))
        self.dbapi = Recording()
        self.engine: Engine = self.dbapi.engine(
            measured_pool(POOL),
            pool_size=SIZE,
            max_overflow=MAX_OVERFLOW,
            pool_recycle=int(LONG_AGO / 2),
            pool_pre_ping=True,
        )
        announce_worker()
        self.alive = True
        setattr(self.engine.dialect, "do_ping", lambda _: self.alive)  # noqa: B010 - mypy
        self.threads = [ThreadPoolExecutor(1) for _ in range(THREADS)]
        self.waiters = ThreadPoolExecutor(THREADS)
        self.held: list[PoolProxiedConnection] = []
        self.detached: list[PoolProxiedConnection] = []
        self.leaked: list[Any] = []
        self.waiting: list[Future[PoolProxiedConnection]] = []
        self.timeouts = 0
        self.before = self.worker().stored.totals

    def worker(self) -> Worker:
        view = only(POOL, metrics_directory(), self.view)
        (worker,) = (
            one for one in PoolCollector(view).workers() if one.stored.slot == worker_slot()
        )
        return worker

    def in_thread(self, number: int, work: Any, *arguments: Any) -> Any:
        return self.threads[number % THREADS].submit(work, *arguments).result(30)

    @property
    def pool(self) -> Any:
        return self.engine.pool

    @property
    def blocked(self) -> int:
        return len(self.pool._pool.not_empty._waiters)

    @property
    def exhausted(self) -> bool:
        return bool(self.pool.checkedout() >= SIZE + MAX_OVERFLOW)

    # What may happen

    @precondition(lambda self: not self.exhausted and not self.waiting)
    @rule(thread=index)
    def check_out(self, thread: int) -> None:
        with suppress(OSError):  # where the database is away
            self.held.append(self.in_thread(thread, self.engine.raw_connection))

    @precondition(lambda self: not self.waiting)
    @rule()
    def fill(self) -> None:
        """Check out all that there is."""
        self.dbapi.accept()
        while not self.exhausted:
            self.check_out(0)

    @precondition(lambda self: self.held)
    @rule(which=index, thread=index)
    def check_in(self, which: int, thread: int) -> None:
        self.in_thread(thread, self.take(self.held, which).close)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(which=index, thread=index, error=st.sampled_from([None, ValueError("broken")]))
    def invalidate(self, which: int, thread: int, error: Exception | None) -> None:
        self.in_thread(thread, self.take(self.held, which).invalidate, error)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(which=index)
    def invalidate_softly(self, which: int) -> None:
        self.held[which % len(self.held)].invalidate(soft=True)

    @precondition(lambda self: self.held)
    @rule(which=index, thread=index)
    def detach(self, which: int, thread: int) -> None:
        connection = self.take(self.held, which)
        self.in_thread(thread, connection.detach)
        self.detached.append(connection)
        self.settle()

    @precondition(lambda self: self.detached)
    @rule(which=index, thread=index)
    def close_detached(self, which: int, thread: int) -> None:
        self.in_thread(thread, self.take(self.detached, which).close)

    @precondition(lambda self: self.detached)
    @rule(which=index)
    def drop_detached(self, which: int) -> None:
        self.take(self.detached, which)
        gc.collect()

    @precondition(lambda self: self.held)
    @rule(which=index)
    def leak(self, which: int) -> None:
        cycle: list[Any] = [self.take(self.held, which)]
        cycle.append(cycle)
        self.leaked.append(cycle)

    @precondition(lambda self: self.leaked)
    @rule()
    def collect_garbage(self) -> None:
        self.leaked.clear()
        gc.collect()
        self.settle()

    @rule(away=st.booleans())
    def database(self, away: bool) -> None:
        if away:
            self.dbapi.before = self.refuse
        else:
            self.dbapi.accept()

    @staticmethod
    def refuse() -> None:
        raise OSError("away")

    @rule(alive=st.booleans())
    def connections(self, alive: bool) -> None:
        """Whether the idle ones answer a ping."""
        self.alive = alive

    @rule()
    def age(self) -> None:
        for record in list(self.pool._pool.queue):
            record.starttime -= LONG_AGO

    @precondition(lambda self: not self.waiting)
    @rule(close=st.booleans(), thread=index)
    def dispose(self, close: bool, thread: int) -> None:
        self.in_thread(thread, self.engine.dispose, close)
        gc.collect()

    @precondition(lambda self: self.exhausted and not self.waiting)
    @rule(thread=index)
    def time_out(self, thread: int) -> None:
        self.pool._timeout = 0.002
        try:
            self.in_thread(thread, self.engine.raw_connection)
            raise AssertionError("a connection beyond the limit")
        except PoolTimeoutError:
            self.timeouts += 1

    @precondition(lambda self: self.exhausted and len(self.waiting) < THREADS)
    @rule()
    def wait(self) -> None:
        self.pool._timeout = 30.0
        blocked = self.blocked
        self.waiting.append(self.waiters.submit(self.engine.raw_connection))
        eventually(lambda: self.blocked == blocked + 1, every=0.001)

    @precondition(lambda self: not self.waiting)
    @rule(inherited=st.booleans())
    def fork(self, inherited: bool) -> None:
        child = os.fork()
        if child == 0:
            try:
                self.in_child(inherited)
                os._exit(0)
            except BaseException:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0

    def in_child(self, inherited: bool) -> None:
        held, self.held = self.held, []
        if inherited and held:
            held[0].close()
        self.engine.dispose(close=inherited)
        self.dbapi.accept()
        mine = [self.engine.raw_connection() for _ in range(2)]
        mine.pop().close()
        worker = self.worker()
        assert (worker.alive, worker.used, worker.idle) == (True, 1, 1)
        assert (worker.size, worker.limit) == (SIZE, SIZE + MAX_OVERFLOW)

    # What must hold

    @invariant()
    def metrics_equal_the_truth(self) -> None:
        worker = self.worker()
        assert worker.alive
        self.check_gauges(worker)
        self.check_counters(worker.stored.totals)

    def check_gauges(self, worker: Worker) -> None:
        held = [one for one in self.held if one.dbapi_connection is not None]
        used = len(held) + len(self.detached) + len(self.leaked)
        assert worker.used == used, (worker.stored.connections, used, self.dbapi.open)
        assert worker.used + worker.idle == self.dbapi.open
        assert worker.size == SIZE
        assert worker.limit == SIZE + MAX_OVERFLOW
        assert len(worker.stored.waiters) == self.blocked == len(self.waiting)
        assert len(worker.leases) == used - len(self.detached)

    def check_counters(self, totals: list[float]) -> None:
        since = [now - then for now, then in zip(totals, self.before, strict=True)]
        timed_out = WAIT + TIMEOUT * HISTOGRAM
        failed = CREATE + ERROR * HISTOGRAM
        last = HISTOGRAM - 1
        assert sum(since[timed_out : timed_out + last]) == self.timeouts
        assert sum(since[CREATE : CREATE + last]) == self.dbapi.opened
        assert sum(since[failed : failed + last]) == self.dbapi.refused
        closes = since[CLOSES : CLOSES + len(CLOSE_REASONS)]
        assert sum(closes) == self.dbapi.opened - self.dbapi.open
        assert 0 <= since[OVERFLOWS] <= self.dbapi.opened

    # Helpers

    def take(self, connections: list[PoolProxiedConnection], which: int) -> PoolProxiedConnection:
        return connections.pop(which % len(connections))

    def settle(self) -> None:
        """See that each waiter has an answer or is blocked again; how many the pool wakes is its
        own affair."""
        waiting = self.waiting
        eventually(
            lambda: sum(one.done() for one in waiting) + self.blocked == len(waiting), every=0.001
        )
        for future in [one for one in self.waiting if one.done()]:
            self.waiting.remove(future)
            if future.exception() is None:
                self.held.append(future.result())

    def teardown(self) -> None:
        self.dbapi.accept()
        self.leaked.clear()
        gc.collect()
        self.return_all()
        while self.waiting:
            # Wakes those whom a failed connect forgot; see the scenario of the stall.
            with suppress(PoolTimeoutError):
                self.pool._timeout = 0.01
                self.engine.raw_connection().close()
            self.settle()
            self.return_all()
        for threads in (*self.threads, self.waiters):
            threads.shutdown()
        while self.detached:
            self.detached.pop().close()
        self.engine.dispose()
        del self.engine
        gc.collect()

    def return_all(self) -> None:
        while self.held:
            self.held.pop().close()
