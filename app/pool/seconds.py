"""How long the calling thread has waited for and held pools' connections so far."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .layout import HISTOGRAM, SUM, Row
from .recorder import recorder


@dataclass(frozen=True)
class ThreadSeconds:
    """What one thread has spent on one pool, seconds. Only differences mean anything.

    Attributes:
        wait: asking for connections, until it had one or was refused: in the queue, and opening,
            setting up and pinging them.
        queue_wait: of these, blocked until another thread returned a connection.
        use: between borrowing and return, of the connections that it returned. They count when they
            are returned, and each of several held at once by itself.
    """

    wait: float
    queue_wait: float
    use: float

    def __add__(self, other: ThreadSeconds) -> ThreadSeconds:
        return ThreadSeconds(
            self.wait + other.wait, self.queue_wait + other.queue_wait, self.use + other.use
        )

    def since(self, earlier: ThreadSeconds) -> ThreadSeconds:
        """What the thread has spent since it had spent *earlier*."""
        return ThreadSeconds(
            self.wait - earlier.wait, self.queue_wait - earlier.queue_wait, self.use - earlier.use
        )


_NOTHING = ThreadSeconds(0.0, 0.0, 0.0)


def thread_seconds(*pools: str) -> ThreadSeconds | None:
    """What the calling thread has spent on *pools* together, at the time of the call.

    A request that runs in one thread has spent what was added from its beginning to its end. None
    where that cannot be told: in threads beyond the 255th, which share their counts, and after an
    error, which is counted as the instrumentation's other faults are.
    """
    total = _NOTHING
    for pool in pools:
        spent = _of(pool)
        if spent is None:
            return None
        total += spent
    return total


def _of(pool: str) -> ThreadSeconds | None:
    counts = recorder(pool)
    try:
        # First, because the counts that a worker shares go on from those of its predecessor.
        if not counts.attached:
            counts.attach()
        row = counts.own_row()
        return None if row is None else _read(row)
    except Exception:
        counts.fault()
        return None


def _read(row: Row) -> ThreadSeconds:
    holders = row[layout.HOLDER_SECONDS : layout.HOLDER_SECONDS + layout.NAMES.rows]
    return ThreadSeconds(
        _over_outcomes(row, layout.WAIT),
        _over_outcomes(row, layout.QUEUE_WAIT),
        sum(holders.tolist()),
    )


def _over_outcomes(row: Row, histogram: int) -> float:
    first = histogram + SUM
    return row[first] + row[first + HISTOGRAM] + row[first + 2 * HISTOGRAM]
