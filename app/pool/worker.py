"""What one worker has recorded of one pool, as numbers that can be exported."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from . import cells, layout


@dataclass
class Worker:
    """What one worker has recorded of one pool.

    Attributes:
        now: when it was read, seconds of ``time.monotonic()``.
    """

    stored: cells.Stored
    alive: bool
    now: float

    def count_in(self, state: float) -> int:
        """How many connections are in *state*."""
        return sum(row[layout.STATE] == state for row in self.stored.connections)

    @property
    def idle(self) -> int:
        """Open connections that wait in the pool."""
        return self.count_in(layout.IDLE)

    @property
    def used(self) -> int:
        """Open connections that do not: borrowed, about to be, or detached."""
        return len(self.stored.connections) - self.idle - self.count_in(layout.CONSTRUCTING)

    @property
    def size(self) -> float:
        """The pools' ``pool_size`` together."""
        return sum(row[layout.SIZE] for row in self.stored.pools)

    @property
    def limit(self) -> float:
        """Most connections that the pools may open; infinite where one is not limited."""
        if any(row[layout.MAX_OVERFLOW] < 0 for row in self.stored.pools):
            return float("inf")
        return self.size + sum(row[layout.MAX_OVERFLOW] for row in self.stored.pools)

    @property
    def overflow(self) -> float:
        """Pooled connections that are open beyond the size, where the size is a limit."""
        if any(row[layout.SIZE] == 0 for row in self.stored.pools):
            return 0.0
        return max(0.0, self.idle + self.used - self.count_in(layout.DETACHED) - self.size)

    @property
    def patience(self) -> float:
        """The longest ``pool_timeout``."""
        return max((row[layout.PATIENCE] for row in self.stored.pools), default=0.0)

    @property
    def waits(self) -> list[float]:
        """How long each waiter has waited, seconds."""
        return [max(0.0, self.now - row[0]) for row in self.stored.waiters]

    @property
    def leases(self) -> list[float]:
        """How long each borrowed connection has been borrowed, seconds."""
        states = (row[layout.STATE] for row in self.stored.connections)
        return [max(0.0, self.now - since) for since in states if since > 0]

    @property
    def suspects(self) -> int:
        """Connections that have been borrowed for longer than the leak threshold."""
        thresholds = [row[layout.LEAK_THRESHOLD] for row in self.stored.pools]
        threshold = min((one for one in thresholds if one), default=float("inf"))
        return sum(lease > threshold for lease in self.leases)

    def held(self) -> dict[str, float]:
        """Borrowed connections by holder; those who held one before have zero."""
        counts = dict.fromkeys(self.holder_uses(), 0.0)
        for row in self.stored.connections:
            if row[layout.STATE] > 0:
                name = self._holder(int(row[layout.HOLDER]))
                counts[name] = counts.get(name, 0.0) + 1
        return counts

    def holder_uses(self) -> dict[str, tuple[float, float]]:
        """Number and sum of the seconds of use, by holder."""
        totals: dict[str, tuple[float, float]] = {}
        for index in range(layout.NAMES.rows):
            uses = self.stored.totals[layout.HOLDER_USES + index]
            if uses:
                count, seconds = totals.get(self._holder(index), (0.0, 0.0))
                seconds += self.stored.totals[layout.HOLDER_SECONDS + index]
                totals[self._holder(index)] = (count + uses, seconds)
        return totals

    def peak(self, first: int, current: float, unit: float = 1.0) -> float:
        """The highest value of the last seconds, ``layout.PEAK_SECONDS`` of them."""
        highest = current
        start = first - layout.PEAKS[0]
        for row in self.stored.peaks:
            for code in row[start : start + layout.PEAK_CELLS]:
                second, value = divmod(code, layout.PEAK_RANGE)
                if self.now - second <= layout.PEAK_SECONDS:
                    highest = max(highest, value * unit)
        return highest

    def buckets(self, histogram: int) -> list[tuple[str, float]]:
        """Cumulative buckets of the histogram whose first cell is *histogram*."""
        counts = self.stored.totals[histogram : histogram + layout.SUM]
        bounds = [*(str(bound) for bound in layout.BOUNDS), "+Inf"]
        return list(zip(bounds, accumulate(counts), strict=True))

    def count(self, histogram: int) -> float:
        """How many values are in the histogram whose first cell is *histogram*."""
        return sum(self.stored.totals[histogram : histogram + layout.SUM])

    @property
    def use_seconds(self) -> float:
        """The sum of all times of use."""
        first = layout.HOLDER_SECONDS
        return sum(self.stored.totals[first : first + layout.NAMES.rows])

    def _holder(self, index: int) -> str:
        return self.stored.names.get(index, "other")
