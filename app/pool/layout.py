"""Where the cells of a pool's file are, and what each of them means. See :mod:`.cells`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

Row: TypeAlias = "memoryview[float]"

VERSION: Final = 2

# Upper bounds of the histograms' buckets, seconds: from a free connection to a lost server.
BOUNDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
HISTOGRAM: Final = len(BOUNDS) + 2  # a bucket for each bound, one above them, the sum
SUM: Final = HISTOGRAM - 1

OUTCOMES: Final = ("ok", "timeout", "error")
OK, TIMEOUT, ERROR = range(3)

CLOSE_REASONS: Final = (
    "error", "overflow", "recycle", "pre_ping", "invalidate", "soft_invalidate",
    "detach", "dispose", "garbage",
)  # fmt: skip
(
    CLOSE_ERROR, CLOSE_OVERFLOW, CLOSE_RECYCLE, CLOSE_PRE_PING, CLOSE_INVALIDATE,
    CLOSE_SOFT_INVALIDATE, CLOSE_DETACH, CLOSE_DISPOSE, CLOSE_GARBAGE,
) = range(len(CLOSE_REASONS))  # fmt: skip

FAILURE_REASONS: Final = (
    "refused", "timeout", "name_resolution", "tls", "network", "access_denied",
    "too_many_connections", "other",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a table is: rows of *width* cells from the cell *start* on."""

    start: int
    rows: int
    width: int

    @property
    def end(self) -> int:
        """The first cell after the table."""
        return self.start + self.rows * self.width

    def of(self, cells: Row) -> Row:
        """The table's part of a file's cells."""
        return cells[self.start : self.end]


HEADER: Final = 8
LAYOUT, TENURE = range(2)

# What is. The first cell of a row is not zero while the row is in use.
POOLS: Final = Place(HEADER, rows=64, width=5)
IN_USE, SIZE, MAX_OVERFLOW, PATIENCE, LEAK_THRESHOLD = range(5)

# A connection's state is one of these, or since when it has been borrowed, seconds: above zero.
CONNECTIONS: Final = Place(POOLS.end, rows=2048, width=2)
STATE, HOLDER = range(2)
CONSTRUCTING, IDLE, TAKEN, DETACHED = (-1.0, -2.0, -3.0, -4.0)

WAITERS: Final = Place(CONNECTIONS.end, rows=2048, width=1)
WAITING_SINCE: Final = 0

STATES: Final = (POOLS, CONNECTIONS, WAITERS)

# Who holds connections. Index 0 stands for all that have no name of their own.
NAMES: Final = Place(WAITERS.end, rows=64, width=16)
NAME_BYTES: Final = NAMES.width * 8

# Which rows of THREADS have ever been taken.
THREADS_TAKEN: Final = Place(NAMES.end, rows=256, width=1)

# What has happened: a thread's row. First counters, then histograms, then peaks.
_WIDTHS: Final = {
    "OVERFLOWS": 1,
    "LEAKS": 1,
    "FAULTS": 1,
    "CLOSES": len(CLOSE_REASONS),
    "FAILURES": len(FAILURE_REASONS),
    "HOLDER_USES": NAMES.rows,
    "HOLDER_SECONDS": NAMES.rows,
    "WAIT": HISTOGRAM * 3,
    "QUEUE_WAIT": HISTOGRAM * 3,
    "USE": HISTOGRAM - 1,  # the sum is that over all holders
    "CREATE": HISTOGRAM * 3,
    "PING": HISTOGRAM * 3,
}
(
    OVERFLOWS, LEAKS, FAULTS, CLOSES, FAILURES, HOLDER_USES, HOLDER_SECONDS,
    WAIT, QUEUE_WAIT, USE, CREATE, PING, _COUNTED,
) = accumulate(_WIDTHS.values(), initial=0)  # fmt: skip

# The highest value in each of the last seconds, as second * PEAK_RANGE + value, so that one
# comparison and one store keep it and a value too old is told from a new one.
PEAK_SECONDS: Final = 15
PEAK_CELLS: Final = 16
PEAK_RANGE: Final = 65536
USED_PEAK, PENDING_PEAK, WAIT_PEAK = range(_COUNTED, _COUNTED + 3 * PEAK_CELLS, PEAK_CELLS)
ROW: Final = _COUNTED + 3 * PEAK_CELLS
PEAKS: Final = (USED_PEAK, ROW)

THREADS: Final = Place(THREADS_TAKEN.end, rows=256, width=ROW)

CELLS: Final = THREADS.end
LAYOUT_ID: Final = float(VERSION * 10_000_000 + CELLS)
