"""The condition that threads block on while the pool is empty."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any


class WatchedCondition(Condition):
    """A condition that tells when a thread blocks on it.

    Args:
        lock: as ``Condition`` has it.
        blocked: called by the thread each time before it blocks.
    """

    def __init__(self, lock: Any, blocked: Callable[[], None]) -> None:
        super().__init__(lock)
        self._blocked = blocked

    def wait(self, timeout: float | None = None) -> bool:
        """Block until notified, as ``Condition.wait`` does."""
        self._blocked()
        return super().wait(timeout)
