"""The processor time that a virtual machine's host gives to others, which no drill can help."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Self

STEAL = 7  # the column of /proc/stat, see proc(5)
EVERY = 1.0  # seconds


class Stolen:
    """Looks each second while the `with` block runs."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int, int]] = []  # when, stolen, all; in ticks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def worst(self, began: float, ended: float) -> float:
        """The largest share of all processors that was stolen in a second of that time."""
        found = [one for one in self._seen if began <= one[0] <= ended]
        shares = [
            (stolen - before) / (whole - earlier)
            for (_, before, earlier), (_, stolen, whole) in pairwise(found)
            if whole > earlier
        ]
        return round(max(shares, default=0.0), 3)

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            ticks = [
                int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
            ]
            self._seen.append((time.time(), ticks[STEAL], sum(ticks)))
