"""What can happen to a pool, as calls that record it. The seam between hooks and cells.

No call takes a lock, so hooks may run inside garbage collection, and none raises. Times are
seconds of ``time.monotonic()``.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import traceback
import weakref
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from threading import get_ident
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec

from . import closing, layout
from .cells import Cells
from .failures import failure_reason
from .holders import current_holder
from .layout import (
    BOUNDS,
    HISTOGRAM,
    HOLDER,
    HOLDER_SECONDS,
    HOLDER_USES,
    IDLE,
    STATE,
    SUM,
    TAKEN,
    USE,
    WAIT,
    Row,
)
from .slots import metrics_directory, tenure, worker_slot
from .threads import Mine, observe, peak
from .tracked import UNKNOWN, UNREAD, Limits, Tracked, tracked_by

P = ParamSpec("P")

log = logging.getLogger(__name__)

WAIT_SUM: Final = WAIT + SUM


def harmless(
    call: Callable[Concatenate[Recorder, P], None],
) -> Callable[Concatenate[Recorder, P], None]:
    """Let no error of the recorder's own reach the application; count it."""

    @wraps(call)
    def guarded(recorder: Recorder, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(recorder, *args, **kwargs)
        except Exception:
            recorder.fault()

    return guarded


class Recorder:
    """Records the life of the pools that share a name, in this process.

    Nothing is shared with other processes before the first :meth:`attach`: a process that only
    made a pool, as a server's parent does before it forks, is not a worker.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.tracked: dict[int, Tracked] = {}
        self.leased: set[Tracked] = set()
        self._pools: dict[int, tuple[weakref.ref[Any], Limits, Row]] = {}
        self.detach()

    def detach(self) -> None:
        """Share nothing; after a fork, leave all connections to the parent."""
        self.attached = False
        self._attaching = threading.RLock()
        for tracked in list(self.tracked.values()):
            tracked.let_go()
        self.tracked.clear()
        self.leased.clear()
        self._use(Cells.private())

    def attach(self) -> None:
        """Become a worker: record in the cells of this process's slot from now on."""
        # No hook comes here, only who asks for a connection: a lock does no harm.
        with self._attaching:
            if self.attached:
                return
            try:
                directory, slot = metrics_directory(), worker_slot()
                self._use(Cells.shared(directory, self.pool, slot, tenure(directory, slot)))
            except Exception:
                log.exception("The pool %r cannot publish its metrics.", self.pool)
            self.attached = True

    def _use(self, cells: Cells) -> None:
        self._cells = cells
        self._names = cells.names
        self._peak_used = 0
        self._peak_until = 0.0
        self._mine = Mine(cells.threads)
        self._rows = cells.threads.taken  # found sooner than through the thread's locals
        self._waiting: set[int] = set()
        for key, (reference, limits, _) in list(self._pools.items()):
            row = cells.pools.take()
            limits.write(row)
            moved = (reference, limits, row)
            if key in self._pools:
                self._pools[key] = moved
            else:  # it became garbage just now
                cells.pools.clear(row)

    # Pools

    @harmless
    def pool_made(self, pool: Any, limits: Limits) -> None:
        """*pool* may open connections from now on, until it is retired or garbage."""
        key = id(pool)
        with self._attaching:
            row = self._cells.pools.take()
            limits.write(row)
            self._pools[key] = (weakref.ref(pool, lambda _: self._retire(key)), limits, row)

    @harmless
    def pool_retired(self, pool: Any) -> None:
        """Another pool takes over from *pool*, which opens no more connections."""
        self._retire(id(pool))

    @harmless
    def disposing(self, begins: bool) -> None:
        """What this thread closes until it ends, it closes because a pool is disposed of."""
        self._mine.disposing = begins

    def _retire(self, key: int) -> None:
        _, _, row = self._pools.pop(key, (None, None, None))
        if row is not None:
            self._cells.pools.clear(row)

    # Asking for a connection

    @harmless
    def refused(self, asked: float, outcome: int) -> None:
        """Whoever asked at *asked* got no connection."""
        mine = self._mine
        self._waited(mine, outcome)
        observe(mine.row, WAIT + outcome * HISTOGRAM, monotonic() - asked)

    @harmless
    def waiting(self) -> None:
        """This thread is about to block until a connection comes back, perhaps once more."""
        mine = self._mine
        if mine.waiting is None:
            waiter = self._cells.waiters.take()
            waiter[layout.WAITING_SINCE] = monotonic()
            self._waiting.add(id(waiter))
            mine.waiting = waiter

    def _waited(self, mine: Mine, outcome: int) -> None:
        waiter = mine.waiting
        if waiter is None:
            return
        mine.waiting = None
        now = monotonic()
        seconds = now - waiter[layout.WAITING_SINCE]
        observe(mine.row, layout.QUEUE_WAIT + outcome * HISTOGRAM, seconds)
        peak(mine.row, layout.PENDING_PEAK, now, len(self._waiting))
        peak(mine.row, layout.WAIT_PEAK, now, min(int(seconds * 1000), layout.PEAK_RANGE - 1))
        self._waiting.discard(id(waiter))
        self._cells.waiters.clear(waiter)

    # Connections

    def taken(self, record: Any) -> None:
        """This thread has *record*, and waits no longer."""
        try:
            # Without a connection, it is only a place: what it had was closed, or is detached.
            if record.dbapi_connection is not None:
                record.measured.row[STATE] = TAKEN
            if self._waiting:
                self._waited(self._mine, layout.OK)
        except Exception:
            self.fault()

    @harmless
    def slot_granted(self, beyond_size: bool) -> None:
        """This thread may open a connection, one within the pool's size or one beyond."""
        self._mine.beyond_size = beyond_size

    @harmless
    def constructing(self, record: Any, leak_after: float | None) -> None:
        """This thread begins to open a connection for *record*."""
        record.measured = tracked = Tracked(leak_after)
        self._waited(self._mine, layout.OK)
        tracked.row = self._cells.connections.take()
        tracked.row[STATE] = layout.CONSTRUCTING

    @harmless
    def construct_failed(self, record: Any, began: float, error: BaseException) -> None:
        """The connection that was begun at *began* was not to be had."""
        mine = self._mine
        observe(mine.row, layout.CREATE + layout.ERROR * HISTOGRAM, monotonic() - began)
        mine.row[layout.FAILURES + failure_reason(error)] += 1.0
        mine.beyond_size = False
        self._gone(tracked_by(record))

    @harmless
    def opened(self, connection: Any, record: Any, began: float) -> None:
        """The *connection* of *record*, begun at *began*, is open, and this thread's."""
        mine, tracked = self._mine, tracked_by(record)
        observe(mine.row, layout.CREATE, monotonic() - began)
        if mine.beyond_size:
            mine.row[layout.OVERFLOWS] += 1.0
            mine.beyond_size = False
        key = id(connection)
        self.tracked[key] = tracked
        vanished = partial(self._vanished, key)
        try:
            tracked.reference = weakref.ref(connection, vanished)
        except TypeError:  # a connection of C, such as sqlite3's; its record ends with it
            tracked.reference = weakref.ref(record, vanished)
        tracked.row[STATE] = TAKEN

    def borrowed(self, connection: Any, asked: float, holder: Callable[[], str | None]) -> None:
        """Who asked at *asked* has a *connection* of the pool; *holder* may tell their name."""
        try:
            now = monotonic()
            row = self._rows.get(get_ident())
            if row is None:
                row = self._mine.row
            seconds = now - asked
            row[WAIT + bisect_left(BOUNDS, seconds)] += 1.0
            row[WAIT_SUM] += seconds
            record = connection._connection_record
            if record is None:  # a listener has detached it already
                return
            tracked: Tracked = record.measured
            if tracked.row is UNREAD:  # inherited from a parent process
                return
            try:
                name = holder() or current_holder() or None
                index = self._names.get(name)
                if index is None:
                    index = self._cells.name(name)
            except Exception:
                self.fault()
                index = 0
            if index != tracked.holder:
                tracked.row[HOLDER] = tracked.holder = index
            tracked.row[STATE] = tracked.borrowed_at = now
            self.leased.add(tracked)
        except Exception:
            self.fault()

    @harmless
    def borrowed_here(self, connection: Any) -> None:
        """Keep where *connection* was borrowed."""
        record = connection._connection_record
        if record is not None:
            stack = traceback.format_stack()[:-3]  # without the pool, the guard, and this
            tracked_by(record).stack = "".join(stack)

    def returned(self, record: Any) -> None:
        """*record* goes back to the queue of idle ones, with its connection or as a mere place."""
        try:
            if record.dbapi_connection is None:
                return
            tracked: Tracked = record.measured
            tracked.row[STATE] = IDLE
            if tracked.borrowed_at:
                self._use_ended(tracked)
        except Exception:
            self.fault()

    def _use_ended(self, tracked: Tracked) -> None:
        now = monotonic()
        seconds = now - tracked.borrowed_at
        tracked.borrowed_at = 0.0
        row = self._rows.get(get_ident())
        if row is None:
            row = self._mine.row
        holder = tracked.holder
        row[USE + bisect_left(BOUNDS, seconds)] += 1.0
        row[HOLDER_USES + holder] += 1.0
        row[HOLDER_SECONDS + holder] += seconds
        # Enough for the peak: any level was either left by a return, or is there still.
        leased = self.leased
        used = len(leased)
        if used > self._peak_used or now >= self._peak_until:
            self._used_peak(row, now, used)
        leased.discard(tracked)

    def _used_peak(self, row: Row, now: float, used: int) -> None:
        peak(row, layout.USED_PEAK, now, used)
        # Other threads need not record the same again in this second. In this order, they may do
        # so needlessly, but never leave out more.
        self._peak_used = used
        self._peak_until = int(now) + 1.0

    @harmless
    def detached(self, connection: Any, _: Any) -> None:
        """*connection* is its holder's own from now on, and not the pool's."""
        # By the connection: another thread may be opening one for the record already.
        tracked = self.tracked[id(connection)]
        self._used_peak(self._mine.row, monotonic(), len(self.leased))
        self.leased.discard(tracked)
        tracked.borrowed_at = 0.0
        tracked.reason = layout.CLOSE_DETACH
        tracked.row[STATE] = layout.DETACHED
        if tracked.reference is not None and tracked.reference() is not connection:
            tracked.reference = None  # to the record, which lives on

    @harmless
    def invalidated(self, _: Any, record: Any, error: BaseException | None) -> None:
        """The connection of *record* closes next, perhaps because of an *error*."""
        tracked_by(record).reason = closing.invalidation(error)

    @harmless
    def closing(self, connection: Any, record: Any) -> None:
        """The pool closes the *connection* of *record*."""
        tracked = tracked_by(record)
        full = tracked.row[STATE] == IDLE  # given back, and not taken from the queue since
        tracked.row[STATE] = TAKEN
        if tracked.borrowed_at:
            self._use_ended(tracked)
        if self._mine.disposing:
            tracked.reason = layout.CLOSE_DISPOSE
        elif tracked.reason == UNKNOWN:
            tracked.reason = layout.CLOSE_OVERFLOW if full else closing.replacement(record)

    @harmless
    def closed(self, connection: Any) -> None:
        """*connection* is closed."""
        self._closed(id(connection))

    @harmless
    def _vanished(self, key: int, reference: weakref.ref[Any]) -> None:
        tracked = self.tracked.get(key)
        if tracked is not None and tracked.reference is reference:
            tracked.reason = layout.CLOSE_GARBAGE
            self._closed(key)

    def _closed(self, key: int) -> None:
        tracked = self.tracked.pop(key, None)
        if tracked is None:
            return
        if tracked.borrowed_at:  # neither returned nor closed, but lost
            self._use_ended(tracked)
        reason = layout.CLOSE_ERROR if tracked.reason == UNKNOWN else tracked.reason
        self._mine.row[layout.CLOSES + reason] += 1.0
        self._gone(tracked)

    def _gone(self, tracked: Tracked) -> None:
        row = tracked.row
        tracked.let_go()
        tracked.reference = None
        if row is not UNREAD:
            self._cells.connections.clear(row)

    # Else

    @harmless
    def pinged(self, seconds: float, alive: bool) -> None:
        """A connection was tried before it was handed out."""
        outcome = layout.OK if alive else layout.ERROR
        observe(self._mine.row, layout.PING + outcome * HISTOGRAM, seconds)

    def own_row(self) -> Row | None:
        """The calling thread's counters; None where it shares them with other threads."""
        row = self._mine.row
        return None if self._cells.threads.shares(row) else row

    def borrowed_now(self) -> list[Tracked]:
        """All connections that somebody holds now."""
        return list(self.leased)

    def holder_name(self, tracked: Tracked) -> str | None:
        """Who borrowed a connection, where they have a name."""
        return next((name for name, i in self._names.items() if i == tracked.holder), None)

    @harmless
    def leaked(self) -> None:
        """A connection has been borrowed for longer than the leak threshold."""
        self._mine.row[layout.LEAKS] += 1.0

    def fault(self) -> None:
        """Something here failed, and what it should have recorded is missing."""
        with suppress(Exception):
            self._mine.row[layout.FAULTS] += 1.0


def recorder(pool: str) -> Recorder:
    """The recorder of the pools named *pool*, made at the first call."""
    if pool not in _recorders:
        _recorders[pool] = Recorder(pool)
    return _recorders[pool]


def recorders() -> list[Recorder]:
    """All recorders of this process."""
    return list(_recorders.values())


def announce_worker() -> None:
    """Publish this process's pools now, and not only once one of them is asked for a connection."""
    for each in recorders():
        each.attach()


# A collection in the child, before it has let go of the parent's rows, would write to them.

_forking = threading.Lock()
_collecting = False


def _before_fork() -> None:
    global _collecting
    _forking.acquire()
    _collecting = gc.isenabled()
    gc.disable()


def _after_fork() -> None:
    if _collecting:
        gc.enable()
    _forking.release()


def _after_fork_in_child() -> None:
    for each in recorders():
        each.detach()
    _after_fork()


_recorders: dict[str, Recorder] = {}

os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
