"""Waiting for what another process does, by looking again and again."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_for(probe: Callable[[], Answer], seconds: float, every: float = 0.1) -> Answer:
    """Return what *probe* answers as soon as that is true, or its last answer after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(every)
    return answer
