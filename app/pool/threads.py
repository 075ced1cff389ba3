"""What belongs to one thread: its row of counters, and what it is doing."""

from __future__ import annotations

import threading
from bisect import bisect_left

from . import layout
from .cells import ThreadTable
from .layout import BOUNDS, SUM, Row


class Mine(threading.local):
    """What belongs to the calling thread: its row, and whether it waits or disposes of a pool."""

    def __init__(self, threads: ThreadTable) -> None:
        thread = threading.get_ident()
        self.row = threads.take_for(thread)
        self.lease = _RowLease(threads, thread, self.row)
        self.waiting: Row | None = None
        self.beyond_size = False
        self.disposing = False


class _RowLease:
    """Gives a thread's row back when the thread ends, for the next thread to go on with."""

    def __init__(self, threads: ThreadTable, thread: int, row: Row) -> None:
        self._threads = threads
        self._thread = thread
        self._row = row

    def __del__(self) -> None:
        self._threads.leave(self._thread, self._row)


def observe(row: Row, histogram: int, seconds: float) -> None:
    """Count *seconds* in the histogram whose first cell is *histogram*."""
    row[histogram + bisect_left(BOUNDS, seconds)] += 1.0
    row[histogram + SUM] += seconds


def peak(row: Row, first: int, now: float, value: int) -> None:
    """Keep *value*, where it is the highest of this second."""
    second = int(now)
    cell = first + second % layout.PEAK_CELLS
    code = float(second * layout.PEAK_RANGE + value)
    if row[cell] < code:
        row[cell] = code
