"""The steps of a drill under load, and when each began."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from loadtest.records import Request
from tests.rehearsal.report import Phase


class Steps:
    """What was begun when, seconds since 1970; the last one is only an end."""

    def __init__(self) -> None:
        self.began: list[tuple[str, float]] = []

    def note(self, name: str) -> None:
        """A step begins."""
        print(f"{datetime.now(UTC):%H:%M:%S} {name}", flush=True)  # noqa: T201
        self.began.append((name, time.time()))

    def load(self, seconds: float) -> None:
        """Let the load go on for so long: it is what a drill is about."""
        time.sleep(seconds)

    def phases(self, requests: Sequence[Request]) -> list[Phase]:
        """What became of the requests of each step."""
        return [
            Phase.of(name, start, end, requests) for (name, start), (_, end) in pairwise(self.began)
        ]
