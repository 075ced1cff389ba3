"""The memory that a worker counts in and that every other process can read.

One file for each pool and slot, mapped and seen as doubles ("cells"). It holds tables of rows, and
each row has one writer at a time, so that no lock is needed:

- ``POOLS``, ``CONNECTIONS`` and ``WAITERS`` say what is: a row for each pool, connection and
  waiting thread, taken when it begins to exist and given back when it ends. Gauges are counted
  from these rows when they are read. There is nothing to add and subtract, so nothing can drift.
  They are true for the living owner of the slot only, and cleared when a new process takes it.
- ``THREADS`` says what has happened: a row of counters and histograms for each thread, which goes
  on when a thread or a slot changes hands.
- ``NAMES`` are those of who holds connections; a connection and a counter refer to them by index.

``row[i] += 1.0`` allocates only floats, which the garbage collector does not track, so no
collection, and no pool hook run by one, falls between its load and its store.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast
from urllib.parse import quote, unquote

from . import layout
from .layout import Row


class Table:
    """Rows of one kind, which are taken and given back. Neither takes a lock.

    Beyond the table's last row, a row that nobody reads is handed out.
    """

    def __init__(self, cells: Row, place: layout.Place) -> None:
        self._cells = cells
        self._place = place
        self._next = count()
        self._free: deque[Row] = deque()

    def take(self) -> Row:
        """A row of one's own."""
        try:
            return self._free.pop()
        except IndexError:
            return self._fresh(next(self._next))

    def give_back(self, row: Row) -> None:
        """Leave *row*, as it is, to the next who takes one."""
        if row.obj is self._cells.obj:
            self._free.append(row)

    def clear(self, row: Row) -> None:
        """Set *row* to zero, the first cell first, and give it back."""
        for cell in range(len(row)):
            row[cell] = 0.0
        self.give_back(row)

    def _fresh(self, index: int) -> Row:
        if index >= self._place.rows:
            return unread(self._place.width)
        return self._row(index)

    def _row(self, index: int) -> Row:
        start = self._place.start + index * self._place.width
        return self._cells[start : start + self._place.width]


class ThreadTable(Table):
    """The threads' rows. Threads beyond the last row share it, and may lose each other's counts.

    Attributes:
        taken: the rows of the threads that have one, by the threads' identifiers.
    """

    def __init__(self, cells: Row) -> None:
        super().__init__(cells, layout.THREADS)
        self._ever_taken = layout.THREADS_TAKEN.of(cells)
        self._shared = self._row(layout.THREADS.rows - 1)
        self.taken: dict[int, Row] = {}

    def take_for(self, thread: int) -> Row:
        """The row of *thread*, by its identifier."""
        # What a thread takes while its locals are torn down, it never gives back. Identifiers are
        # used again, and so is the row.
        row = self.taken.get(thread)
        if row is None:
            row = self.taken[thread] = self.take()
        return row

    def shares(self, row: Row) -> bool:
        """Whether other threads may count in *row* too."""
        return row is self._shared

    def leave(self, thread: int, row: Row) -> None:
        """Leave the *row* of *thread*, and what it has counted, to the next."""
        self.taken.pop(thread, None)
        if row is not self._shared:
            self.give_back(row)

    def _fresh(self, index: int) -> Row:
        last = layout.THREADS.rows - 1
        self._ever_taken[min(index, last)] = 1.0
        return self._row(index) if index < last else self._shared


class Cells:
    """The tables of one pool in one process.

    Args:
        memory: ``layout.CELLS`` doubles, all zero or of this layout.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        cells: Row = memoryview(memory).cast("d")
        self.header = cells[: layout.HEADER]
        self._cells = cells
        self._memory = memory
        self.header[layout.LAYOUT] = layout.LAYOUT_ID
        self.pools = Table(cells, layout.POOLS)
        self.connections = Table(cells, layout.CONNECTIONS)
        self.waiters = Table(cells, layout.WAITERS)
        self.threads = ThreadTable(cells)
        self.names: dict[str | None, int] = {None: 0}
        self.names.update(_names(memory))
        self._next_name = count(max(self.names.values()) + 1)
        self._naming = threading.RLock()

    @classmethod
    def private(cls) -> Cells:
        """Cells that nobody reads, for a process that has not used its pool yet."""
        return cls(mmap.mmap(-1, layout.CELLS * 8))

    @classmethod
    def shared(cls, directory: Path, pool: str, slot: int, tenure: float) -> Cells:
        """The cells of *pool* in *slot*, which this process must own by *tenure*.

        Raises:
            OSError: the file cannot be made or mapped.
        """
        path = directory / f"{quote(pool, safe='')}.{slot}.cells"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _has_layout(os.pread(handle, layout.HEADER * 8, 0)):
                os.ftruncate(handle, 0)
            # A hole that a full disk cannot fill would end the process at the first store to it.
            os.posix_fallocate(handle, 0, layout.CELLS * 8)
            cells = cls(mmap.mmap(handle, layout.CELLS * 8))
        finally:
            os.close(handle)
        cells._settle()
        # Last, for now readers take the rows for this process's own.
        cells.header[layout.TENURE] = tenure
        return cells

    def name(self, name: object) -> int:
        """The index of a holder's *name*, written down where it is new; 0, which stands for all
        others, when names run out."""
        encoded = str(name).encode(errors="replace")[: layout.NAME_BYTES]
        text = encoded.decode(errors="replace")
        # No hook comes here, only who borrows a connection: a lock does no harm.
        with self._naming:
            if text not in self.names:
                index = next(self._next_name)
                if index >= layout.NAMES.rows:
                    return 0
                start = (layout.NAMES.start + index * layout.NAMES.width) * 8
                self._memory[start : start + layout.NAME_BYTES] = encoded.ljust(
                    layout.NAME_BYTES, b"\0"
                )
                self.names[text] = index
            return self.names[text]

    def _settle(self) -> None:
        """Forget what the slot's last owner had open, used or waiting: it died with it."""
        for place in layout.STATES:
            start, end = place.start * 8, place.end * 8
            self._memory[start:end] = bytes(end - start)
        taken = layout.THREADS_TAKEN.of(self._cells)
        for index in range(layout.THREADS.rows):
            if taken[index]:
                start = layout.THREADS.start + index * layout.ROW
                for cell in range(*layout.PEAKS):
                    self._cells[start + cell] = 0.0


@dataclass(frozen=True)
class Stored:
    """A copy of what one pool has recorded in one slot.

    Attributes:
        tenure: the ownership that wrote the states; see :func:`app.pool.slots.tenure`.
        pools, connections, waiters: the rows in use.
        totals: the sums of the threads' rows, except for the peaks.
        peaks: the threads' cells of peaks, one after the other.
        names: of holders, by index.
    """

    pool: str
    slot: int
    tenure: float
    pools: list[list[float]]
    connections: list[list[float]]
    waiters: list[list[float]]
    totals: list[float]
    peaks: list[list[float]]
    names: dict[int, str]


def stored(directory: Path) -> Iterator[Stored]:
    """What all pools have recorded in all slots, sorted by pool and slot.

    A file that is torn or of another layout is left out.
    """
    for path in sorted(directory.glob("*.cells")):
        pool, _, slot = path.name.removesuffix(".cells").rpartition(".")
        with path.open("rb", buffering=0) as file:
            data = file.read(layout.THREADS.start * 8)
            if len(data) == layout.THREADS.start * 8 and _has_layout(data):
                cells: Row = memoryview(data).cast("d")
                rows = file.read(_used_rows(cells) * layout.ROW * 8)
                threads = list(_split(memoryview(rows).cast("d"), layout.ROW))
                yield _stored(unquote(pool), int(slot), data, cells, threads)


def _has_layout(data: bytes) -> bool:
    if len(data) < layout.HEADER * 8:
        return False
    header = memoryview(data[: layout.HEADER * 8]).cast("d")
    return header[layout.LAYOUT] == layout.LAYOUT_ID


def _used_rows(cells: Row) -> int:
    taken = layout.THREADS_TAKEN.of(cells).tolist()
    return max((index + 1 for index, one in enumerate(taken) if one), default=0)


def _stored(pool: str, slot: int, data: bytes, cells: Row, threads: list[list[float]]) -> Stored:
    first, last = layout.PEAKS
    return Stored(
        pool=pool,
        slot=slot,
        tenure=cells[layout.TENURE],
        pools=_rows(cells, layout.POOLS),
        connections=_rows(cells, layout.CONNECTIONS),
        waiters=_rows(cells, layout.WAITERS),
        totals=[sum(column) for column in zip(*threads, strict=True)] or [0.0] * layout.ROW,
        peaks=[row[first:last] for row in threads],
        names={index: name for name, index in _names(data).items()},
    )


def _rows(cells: Row, place: layout.Place) -> list[list[float]]:
    """The rows of a table that are in use."""
    return [row for row in _split(place.of(cells), place.width) if row[0]]


def _split(cells: Row, width: int) -> Iterator[list[float]]:
    flat = cast("list[float]", cells.tolist())
    return (flat[at : at + width] for at in range(0, len(flat), width))


def _names(memory: bytes | mmap.mmap) -> dict[str, int]:
    names = {}
    width = layout.NAMES.width * 8
    for index in range(1, layout.NAMES.rows):
        start = layout.NAMES.start * 8 + index * width
        text = memory[start : start + width].rstrip(b"\0")
        if not text:
            break
        names[text.decode(errors="replace")] = index
    return names


def unread(width: int) -> Row:
    """A row of *width* cells that nobody reads."""
    return memoryview(bytearray(width * 8)).cast("d")
