"""What can happen to a pool, as calls that count it. The seam between hooks and cells."""

from __future__ import annotations

import os
from bisect import bisect_left
from time import monotonic

from app.pool.cells import (
    BOUNDS,
    CLOSES,
    CONNECT_ERRORS,
    CONNECTS,
    CREATE,
    HISTOGRAM_CELLS,
    MAX_OVERFLOW,
    OPEN,
    OVERFLOWS,
    QUEUE_WAIT,
    SIZE,
    TIMEOUTS,
    USE,
    USED,
    WAIT,
    WAITING_SINCE,
    Cells,
    Row,
)
from app.pool.slots import metrics_directory, tenure, worker_slot

_SUM = HISTOGRAM_CELLS - 1


class Recorder:
    """Counts the life of the pools that share a name, in this process.

    No call takes a lock or raises, so hooks may run inside garbage collection. Times are seconds.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.attach()

    def attach(self) -> None:
        """Take the cells of this process's slot; again after a fork."""
        directory, slot = metrics_directory(), worker_slot()
        self._cells = Cells(directory, self.pool, slot, tenure(directory, slot))

    def limits(self, size: int, max_overflow: int) -> None:
        """The pool may keep *size* connections and open *max_overflow* beyond (-1: any number)."""
        self._cells.header[SIZE] = size
        self._cells.header[MAX_OVERFLOW] = max_overflow

    def acquired(self, seconds: float) -> None:
        """Somebody got a connection, or gave up, *seconds* after asking for one."""
        _observe(self._cells.row(), WAIT, seconds)

    def timed_out(self) -> None:
        """Somebody waited ``pool_timeout`` for a connection and got an error."""
        self._cells.row()[TIMEOUTS] += 1.0

    def queue_entered(self) -> float:
        """This thread starts to wait for a connection to come back; returns the time."""
        now = monotonic()
        self._cells.row()[WAITING_SINCE] = now
        return now

    def queue_left(self, entered: float) -> None:
        """This thread, which began to wait at *entered*, waits no longer."""
        row = self._cells.row()
        row[WAITING_SINCE] = 0.0
        _observe(row, QUEUE_WAIT, monotonic() - entered)

    def connected(self, seconds: float) -> None:
        """The driver made a connection in *seconds*."""
        row = self._cells.row()
        row[CONNECTS] += 1.0
        _observe(row, CREATE, seconds)

    def connect_failed(self, seconds: float) -> None:
        """The driver gave up making a connection after *seconds*."""
        row = self._cells.row()
        row[CONNECT_ERRORS] += 1.0
        _observe(row, CREATE, seconds)

    def opened(self) -> None:
        """The pool has one connection more."""
        self._cells.row()[OPEN] += 1.0

    def overflowed(self) -> None:
        """The pool opens a connection beyond its size."""
        self._cells.row()[OVERFLOWS] += 1.0

    def closed(self) -> None:
        """The pool has one connection less."""
        row = self._cells.row()
        row[OPEN] -= 1.0
        row[CLOSES] += 1.0

    def borrowed(self) -> None:
        """A connection is in use."""
        self._cells.row()[USED] += 1.0

    def returned(self, seconds: float) -> None:
        """A connection is in use no longer, after *seconds*."""
        row = self._cells.row()
        row[USED] -= 1.0
        _observe(row, USE, seconds)


def recorder(pool: str) -> Recorder:
    """The recorder of the pools named *pool*, made at the first call."""
    if pool not in _recorders:
        _recorders[pool] = Recorder(pool)
    return _recorders[pool]


def _observe(row: Row, histogram: int, seconds: float) -> None:
    row[histogram + bisect_left(BOUNDS, seconds)] += 1.0
    row[histogram + _SUM] += seconds


def _attach_after_fork() -> None:
    for each in _recorders.values():
        each.attach()


_recorders: dict[str, Recorder] = {}

# Registered after the slots' own hook, and run after it: the child takes a slot of its own.
os.register_at_fork(after_in_child=_attach_after_fork)
