"""How long the pool's pings take, and how many find a connection dead. No event tells."""

from __future__ import annotations

from time import monotonic
from typing import Any

from .recorder import Recorder


def timed_ping(dialect: Any, counts: Recorder) -> None:
    """Time the pings of *dialect*; once, though pools that follow each other share it."""
    if not isinstance(dialect._do_ping_w_event, _TimedPing):
        dialect._do_ping_w_event = _TimedPing(dialect._do_ping_w_event, counts)


class _TimedPing:
    def __init__(self, ping: Any, counts: Recorder) -> None:
        self._ping = ping
        self._counts = counts

    def __call__(self, connection: Any) -> bool:
        began = monotonic()
        alive = False
        try:
            alive = bool(self._ping(connection))
        finally:
            self._counts.pinged(monotonic() - began, alive)
        return alive
