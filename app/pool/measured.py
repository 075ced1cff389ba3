"""The measured pool: event hooks for connections, a ``QueuePool`` for what events cannot see.

SQLAlchemy dispatches no event when a thread starts to wait, when it times out, when overflow is
opened, when a connect fails or when a connection goes back to its queue; and ``checkout`` and
``checkin`` also for a checkout that fails in the end. So the subclass keeps track of what is
physical: opening, closing, borrowing, the queue of idle connections and waiting for it; and the
hooks of why a connection is closed. SQLAlchemy 2.0 and 2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util.queue import Queue

from . import layout, leaks
from .holders import current_holder
from .ping import timed_ping
from .recorder import Recorder, recorder
from .tracked import Limits
from .waiting import WatchedCondition

Holder = Callable[[], "str | None"]

# Requests come here with caches full of other things, so what they pass touches little memory.
# super() would touch more, for what only a mixin between the two classes needs.
_connect = QueuePool.connect


def measured_pool(
    name: str = "default",
    *,
    holder: Holder | None = None,
    leak_threshold: float | None = None,
    leak_stacks: bool = False,
) -> type[MeasuredQueuePool]:
    """A pool class for ``create_engine(poolclass=...)`` whose life is recorded under *name*.

    Args:
        name: unique for each engine of the application. Engines that share one are added up.
        holder: tells who borrows a connection, such as the route of the current request; asked at
            each checkout. Where it says None, or is left out, the name counts that was given with
            :func:`app.pool.holding`.
        leak_threshold: seconds; a connection borrowed for longer counts as a suspected leak, and
            is logged once with its holder. None: never.
        leak_stacks: log also where it was borrowed. Expensive: the stack of every checkout is kept.
    """
    counts = recorder(name)
    members = {"_recording": (counts, holder or current_holder, leak_threshold, leak_stacks)}
    pool_class = type("MeasuredQueuePool", (MeasuredQueuePool,), members)
    _hook(pool_class, counts)
    return pool_class


class MeasuredQueuePool(QueuePool):
    """A ``QueuePool`` that records what its connections and those who wait for them do.

    Made by :func:`measured_pool`. What it records with is the class's, because ``Engine.dispose``
    makes a new pool of the same class and hands over no attribute of the old one.

    Raises:
        sqlalchemy.exc.ArgumentError: the engine is asynchronous.
    """

    _recording: tuple[Recorder, Holder, float | None, bool]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._counts, _, self._leak_threshold, _ = self._recording
        super().__init__(*args, **kwargs)
        if self._dialect.is_async:
            raise ArgumentError(
                "measured_pool() is for synchronous engines; this one is asynchronous. Leave "
                "poolclass out: an asynchronous engine's pool cannot be measured yet."
            )
        self._pool = _MeasuredQueue(self._counts, self._pool.maxsize, self._pool.use_lifo)
        if self._pre_ping:
            timed_ping(self._dialect, self._counts)
        self._counts.pool_made(self, self._limits())

    def connect(self) -> PoolProxiedConnection:
        """Borrow a connection, as ``QueuePool.connect`` does."""
        counts, holder, _, leak_stacks = self._recording
        if not counts.attached:
            counts.attach()
        asked = monotonic()
        try:
            connection = _connect(self)
        except PoolTimeoutError:
            counts.refused(asked, layout.TIMEOUT)
            raise
        except BaseException:
            counts.refused(asked, layout.ERROR)
            raise
        counts.borrowed(connection, asked, holder)
        if leak_stacks:
            counts.borrowed_here(connection)
        return connection

    def recreate(self) -> QueuePool:
        """A new pool in place of this one, which ``Engine.dispose`` leaves behind."""
        successor = super().recreate()
        self._counts.pool_retired(self)
        return successor

    def dispose(self) -> None:
        """Close all idle connections, as ``QueuePool.dispose`` does."""
        self._counts.disposing(True)
        try:
            super().dispose()
        finally:
            self._counts.disposing(False)

    def _limits(self) -> Limits:
        return Limits(self.size(), self._max_overflow, self.timeout(), self._leak_threshold)

    def _return_conn(self, record: ConnectionPoolEntry) -> None:
        # And not in the queue, on whose lock all threads would wait for the recorder.
        self._counts.returned(record)
        self._do_return_conn(record)

    def _inc_overflow(self) -> bool:
        # As QueuePool's, which cannot tell afterwards which of two was beyond the size.
        with self._overflow_lock:
            granted = self._max_overflow == -1 or self._overflow < self._max_overflow
            self._overflow += granted
            beyond_size = self._overflow > 0 and self._pool.maxsize > 0  # 0: any number
        if granted:
            self._counts.slot_granted(beyond_size)
        return granted

    def _should_wrap_creator(self, creator: Any) -> Any:
        return self._recorded(super()._should_wrap_creator(creator))

    def _recorded(self, invoke_creator: Any) -> Any:
        counts, leak_threshold = self._counts, self._leak_threshold

        def create(record: ConnectionPoolEntry) -> DBAPIConnection:
            began = monotonic()
            counts.constructing(record, leak_threshold)
            try:
                connection: DBAPIConnection = invoke_creator(record)
            except BaseException as error:
                counts.construct_failed(record, began, error)
                raise
            counts.opened(connection, record, began)
            leaks.watch(leak_threshold)
            return connection

        return create

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        # Every close passes here; the close event misses those whose set-up had failed.
        try:
            super()._close_connection(connection, terminate=terminate)
        finally:
            self._counts.closed(connection)


class _MeasuredQueue(Queue[ConnectionPoolEntry]):
    """The pool's queue, which knows what is taken from it and who waits for it."""

    def __init__(self, counts: Recorder, maxsize: int, use_lifo: bool) -> None:
        super().__init__(maxsize, use_lifo)
        self._counts = counts
        self.not_empty = WatchedCondition(self.mutex, counts.waiting)

    def _get(self) -> ConnectionPoolEntry:
        record: ConnectionPoolEntry = self.queue.pop() if self.use_lifo else self.queue.popleft()
        self._counts.taken(record)
        return record


def _hook(pool_class: type[MeasuredQueuePool], counts: Recorder) -> None:
    """Follow by the pool's events why a connection is closed next."""
    event.listen(pool_class, "detach", counts.detached)
    event.listen(pool_class, "invalidate", counts.invalidated)
    event.listen(pool_class, "close", counts.closing)
