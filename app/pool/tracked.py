"""What the recorder knows of a connection and of a pool."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, Final

from . import layout
from .cells import unread
from .layout import Row

UNKNOWN: Final = -1  # no reason known yet why a connection may close next
UNREAD: Final = unread(layout.CONNECTIONS.width)


class Tracked:
    """One DBAPI connection, from the attempt to open it until it is gone.

    Attributes:
        row: its cells; some that nobody reads once it is gone or belongs to a parent process.
        borrowed_at: when it was borrowed; 0 while it is not.
        holder: the index of who borrowed it.
        reason: why it closes, where that is known before.
        reference: weak, to the connection; what calls back when it is garbage.
        leak_after: seconds after which it may be a leak.
        stack: where it was borrowed, where that is asked for.
        reported: the ``borrowed_at`` for which a leak was reported.
    """

    __slots__ = (
        "borrowed_at",
        "holder",
        "leak_after",
        "reason",
        "reference",
        "reported",
        "row",
        "stack",
    )

    def __init__(self, leak_after: float | None = None) -> None:
        self.row: Row = UNREAD
        self.borrowed_at = 0.0
        self.holder = 0
        self.reason = UNKNOWN
        self.reference: weakref.ref[Any] | None = None
        self.leak_after = leak_after
        self.stack: str | None = None
        self.reported = 0.0

    def let_go(self) -> None:
        """Record nothing more of this connection."""
        self.row = UNREAD
        self.borrowed_at = 0.0


def tracked_by(record: Any) -> Tracked:
    """The connection that a pool's *record* has, or had last."""
    tracked: Tracked = record.measured
    return tracked


@dataclass(frozen=True)
class Limits:
    """What one pool is allowed: see ``QueuePool``.

    Attributes:
        size: connections that it keeps.
        max_overflow: connections that it may open beyond; -1 for any number.
        timeout: longest wait for a connection, seconds.
        leak_threshold: a connection borrowed for longer may be a leak, seconds; None: never.
    """

    size: int
    max_overflow: int
    timeout: float
    leak_threshold: float | None = None

    def write(self, row: Row) -> None:
        """Fill a row of the table of pools."""
        row[layout.SIZE] = self.size
        row[layout.MAX_OVERFLOW] = self.max_overflow
        row[layout.PATIENCE] = self.timeout
        row[layout.LEAK_THRESHOLD] = self.leak_threshold or 0.0
        row[layout.IN_USE] = 1.0
