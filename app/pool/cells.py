"""The memory that a worker counts in and that every other process can read.

One file for each pool and slot, mapped and seen as doubles: a header row, then one row for each
thread, so that each cell has one writer and no lock is needed. What a row holds:

- balances (``OPEN``, ``USED``, ``WAITING_SINCE``): true for the living owner of the slot only, and
  set to zero when a new process takes it;
- counters and histograms: they go on when a slot changes hands.

``row[i] += 1.0`` allocates only floats, which the garbage collector does not track, so no
collection, and no pool hook run by one, falls between its load and its store.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

# Upper bounds of the histograms' buckets, seconds: from a free connection to a lost server.
BOUNDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
HISTOGRAM_CELLS: Final = len(BOUNDS) + 2  # a bucket for each bound, one above them, the sum

# The header row.
LAYOUT, TENURE, SIZE, MAX_OVERFLOW = range(4)

# A thread's row: balances first, counters, then histograms.
BALANCES: Final = 3
OPEN, USED, WAITING_SINCE = range(BALANCES)
TIMEOUTS, OVERFLOWS, CONNECTS, CONNECT_ERRORS, CLOSES = range(BALANCES, BALANCES + 5)
WAIT, QUEUE_WAIT, USE, CREATE = range(8, 8 + 4 * HISTOGRAM_CELLS, HISTOGRAM_CELLS)
ROW: Final = 8 + 4 * HISTOGRAM_CELLS

# Threads beyond these share the last row, where two writers may lose a count to each other.
ROWS: Final = 1024
ROW_BYTES: Final = ROW * 8
FILE_BYTES: Final = (1 + ROWS) * ROW_BYTES
LAYOUT_ID: Final = float(ROW * 1_000_000 + ROWS)

Row: TypeAlias = "memoryview[float]"

_UNUSED: Final = bytes(ROW_BYTES)


class Cells:
    """The cells of one pool in one slot, owned and written by this process.

    Args:
        directory: where the metric files are.
        pool: the pool's name.
        slot: the worker's slot, which this process must own.
        tenure: the number of that ownership.
    """

    def __init__(self, directory: Path, pool: str, slot: int, tenure: float) -> None:
        path = directory / f"{quote(pool, safe='')}.{slot}.cells"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(handle, FILE_BYTES)
            self._cells: Row = memoryview(mmap.mmap(handle, FILE_BYTES)).cast("d")
        finally:
            os.close(handle)
        self.header = self._row(-1)
        if self.header[LAYOUT] != LAYOUT_ID:
            self._clear()
        self._settle()
        # Last, for now readers take the balances for this process's own.
        self.header[TENURE] = tenure
        self._next = count()
        self._free: deque[int] = deque()
        self._mine = _ThreadRow()

    def row(self) -> Row:
        """The calling thread's own row."""
        try:
            return self._mine.row
        except AttributeError:
            return self._take_row()

    def _take_row(self) -> Row:
        try:
            index = self._free.popleft()
        except IndexError:
            index = min(next(self._next), ROWS - 1)
        self._mine.lease = _RowLease(index, self._free)
        self._mine.row = self._row(index)
        return self._mine.row

    def _row(self, index: int) -> Row:
        start = (index + 1) * ROW
        return self._cells[start : start + ROW]

    def _clear(self) -> None:
        self._cells[:] = _doubles(bytes(FILE_BYTES))
        self.header[LAYOUT] = LAYOUT_ID

    def _settle(self) -> None:
        """Forget what the slot's last owner had open, used or waiting: it died with it."""
        for index in range(ROWS):
            row = self._row(index)
            for cell in range(BALANCES):
                row[cell] = 0.0


class _ThreadRow(threading.local):
    row: Row
    lease: _RowLease


class _RowLease:
    """Gives a thread's row back when the thread ends, for the next thread to go on with."""

    def __init__(self, index: int, free: deque[int]) -> None:
        self._index = index
        self._free = free

    def __del__(self) -> None:
        if self._index < ROWS - 1:
            self._free.append(self._index)


@dataclass(frozen=True)
class Stored:
    """A copy of what one pool has counted in one slot: the header, and each row in use."""

    pool: str
    slot: int
    header: Row
    rows: list[Row]


def stored(directory: Path) -> list[Stored]:
    """What all pools have counted in all slots, sorted by pool and slot."""
    found = []
    for path in sorted(directory.glob("*.cells")):
        pool, _, slot = path.name.removesuffix(".cells").rpartition(".")
        data = path.read_bytes()
        header, *rows = (data[at : at + ROW_BYTES] for at in range(0, FILE_BYTES, ROW_BYTES))
        if len(data) == FILE_BYTES and _doubles(header)[LAYOUT] == LAYOUT_ID:
            used = [_doubles(row) for row in rows if row != _UNUSED]
            found.append(Stored(unquote(pool), int(slot), _doubles(header), used))
    return found


def _doubles(data: bytes) -> Row:
    return memoryview(data).cast("d")
