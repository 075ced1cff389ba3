"""The measured pool: event hooks for connections, a ``QueuePool`` for what events cannot see.

SQLAlchemy dispatches no event when a thread starts to wait, when it times out, when overflow is
opened or when a connect fails; and ``checkin`` also for a checkout that never succeeded. So the
hooks keep the connection gauges with a token on each connection that they counted, and the
subclass measures waiting, timeouts, overflow and connecting. SQLAlchemy 2.0 and 2.1.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util.queue import Queue

from app.pool.recorder import Recorder, recorder

# Key in a connection record's ``record_info``, which outlives a reconnect.
_BORROWED_AT = "measured_pool.borrowed_at"


def measured_pool(name: str = "default") -> type[MeasuredQueuePool]:
    """A pool class for ``create_engine(poolclass=...)`` whose life is recorded under *name*."""
    counts = recorder(name)
    members = {"_counts": counts, "_open": set()}
    pool_class = type("MeasuredQueuePool", (MeasuredQueuePool,), members)
    _hook(pool_class)
    return pool_class


class MeasuredQueuePool(QueuePool):
    """A ``QueuePool`` that records waiting, timeouts, overflow and connecting.

    Made by :func:`measured_pool`. What it counts with is the class's, because ``Engine.dispose``
    makes a new pool of the same class and hands over no attribute of the old one.
    """

    _counts: Recorder
    _open: set[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool = _MeasuredQueue(self._counts, self._pool.maxsize, self._pool.use_lifo)
        self._invoke_creator = self._timed(self._invoke_creator)
        self._counts.limits(self._pool.maxsize, self._max_overflow)

    def connect(self) -> PoolProxiedConnection:
        """Borrow a connection, as ``QueuePool.connect`` does."""
        asked = monotonic()
        try:
            return super().connect()
        except PoolTimeoutError:
            self._counts.timed_out()
            raise
        finally:
            self._counts.acquired(monotonic() - asked)

    def _inc_overflow(self) -> bool:
        granted = super()._inc_overflow()
        # Below zero, the pool is still filling up to its size.
        if granted and self._overflow > 0:
            self._counts.overflowed()
        return granted

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        # Every close passes here; the close event misses those whose set-up had failed.
        try:
            super()._close_connection(connection, terminate=terminate)
        finally:
            self._left(connection)

    @classmethod
    def _left(cls, connection: DBAPIConnection) -> None:
        if id(connection) in cls._open:
            cls._open.discard(id(connection))
            cls._counts.closed()

    def _timed(self, invoke_creator: Any) -> Any:
        def create(record: ConnectionPoolEntry) -> DBAPIConnection:
            began = monotonic()
            try:
                connection: DBAPIConnection = invoke_creator(record)
            except BaseException:
                self._counts.connect_failed(monotonic() - began)
                raise
            self._counts.connected(monotonic() - began)
            return connection

        return create


class _MeasuredQueue(Queue[ConnectionPoolEntry]):
    """The pool's queue of idle connections, which knows who waits."""

    def __init__(self, counts: Recorder, maxsize: int, use_lifo: bool) -> None:
        super().__init__(maxsize, use_lifo)
        self._counts = counts

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        if not block or not self._empty():
            return super().get(block, timeout)
        entered = self._counts.queue_entered()
        try:
            return super().get(block, timeout)
        finally:
            self._counts.queue_left(entered)


def _hook(pool_class: type[MeasuredQueuePool]) -> None:
    """Keep the connection gauges by the pool's events."""
    counts = pool_class._counts

    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        pool_class._open.add(id(connection))
        counts.opened()

    def checkout(_: DBAPIConnection, record: ConnectionPoolEntry, __: Any) -> None:
        # A later listener may refuse the connection, and the pool then checks out again.
        if _BORROWED_AT not in _info(record):
            _info(record)[_BORROWED_AT] = monotonic()
            counts.borrowed()

    def returned(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        if borrowed := _info(record).pop(_BORROWED_AT, None):
            counts.returned(monotonic() - borrowed)

    def detach(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        returned(connection, record)
        pool_class._left(connection)

    event.listen(pool_class, "connect", connect)
    event.listen(pool_class, "checkout", checkout)
    event.listen(pool_class, "checkin", returned)
    event.listen(pool_class, "close", returned)
    event.listen(pool_class, "detach", detach)


def _info(record: ConnectionPoolEntry) -> dict[Any, Any]:
    return cast("dict[Any, Any]", record.record_info)
