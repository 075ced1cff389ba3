"""Waiting for something to become true, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], *, within: float = 10.0, every: float = 0.1) -> T:
    """Call `probe` until it returns something true, and return that.

    An AssertionError or OSError of the probe counts as "not yet"; after `within` seconds the last
    of them, or a plain one, is raised.
    """
    deadline = time.monotonic() + within
    while True:
        last: Exception | None = None
        try:
            if found := probe():
                return found
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {last or found!r}") from last
        time.sleep(every)
