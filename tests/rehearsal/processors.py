"""What the processors had left, and what a virtual machine's host gave to others meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Self

IDLE, WAITING, STEAL = 3, 4, 7  # columns of /proc/stat, see proc(5)
EVERY = 1.0  # seconds
SPARE = 0.2  # of the processors, which the load alone must leave to a migration


class Processors:
    """Looks each second while the `with` block runs."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int, int, int]] = []  # when; idle, stolen, all, in ticks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def shares(self, began: float, ended: float) -> dict[str, float]:
        """Of all processors: what was idle in that time, and the most stolen in a second of it."""
        found = [one for one in self._seen if began <= one[0] <= ended]
        stolen = [
            (after[2] - before[2]) / (after[3] - before[3])
            for before, after in pairwise(found)
            if after[3] > before[3]
        ]
        first, last = found[0], found[-1]
        idle = (last[1] - first[1]) / max(last[3] - first[3], 1)
        return {"idle": round(idle, 3), "most stolen": round(max(stolen, default=0.0), 3)}

    def demand_spare(self, began: float, ended: float) -> None:
        """End the drill if the load alone kept the processors busy in that time.

        Such a machine queues whatever is done on it: nothing could be learned about migrations.
        """
        idle = self.shares(began, ended)["idle"]
        if idle < SPARE:
            sys.exit(
                f"The load alone left {idle:.0%} of the processors idle, and {SPARE:.0%} are "
                "wanted: this would measure the machine, not the migration. Nothing was recorded. "
                "End what else runs on it, or try again on a faster or quieter one."
            )

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            ticks = [
                int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
            ]
            idle = ticks[IDLE] + ticks[WAITING]
            self._seen.append((time.time(), idle, ticks[STEAL], sum(ticks)))
