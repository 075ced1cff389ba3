"""Does what was measured add up, and is it what queueing theory says?"""

from dataclasses import dataclass
from statistics import mean

from loadtest.lab.facts import bounds
from loadtest.lab.queueing import allen_cunneen, erlang_c_wait
from loadtest.lab.run import Run
from loadtest.lab.samples import PoolSample

FEWEST = 100  # checkouts that say something
VARIATION = {"exponential": 1.0, "fixed": 0.0}
"""The squared coefficient of variation of the holds."""


@dataclass(frozen=True)
class Comparison:
    """A measured value beside the one that a law gives for it; both in ``unit``."""

    what: str
    law: str
    measured: float
    predicted: float
    unit: str

    @property
    def error(self) -> float:
        """By how much the law is off, as a share of what it says."""
        return self.measured / self.predicted - 1 if self.predicted else 0.0


def comparisons(run: Run) -> list[Comparison]:
    """Compare the stage in focus with Little's law and, where the holds are known, Erlang-C.

    A connection is taken from its queue until it is returned: pinged, and then used. Nothing is
    returned where too little happened to say anything.
    """
    begin, end = bounds(run)[run.focus]
    found = [(s.at, s.pool) for s in run.samples if s.pool and begin <= s.at <= end]
    if len(found) < 2:
        return []
    (first_at, first), (last_at, last) = found[0], found[-1]
    checkouts = last.uses - first.uses
    if checkouts < FEWEST:
        return []
    rate = checkouts / (last_at - first_at)
    hold = (_held(last) - _held(first)) / checkouts
    wait = (last.queue_seconds - first.queue_seconds) / checkouts
    pools = [pool for _, pool in found]
    return [
        Comparison(
            "connections taken, mean",
            "Little: checkouts/s × time taken",
            mean(pool.in_use for pool in pools),
            rate * hold,
            "",
        ),
        *_waits(run, rate, hold, wait, last.maximum),
    ]


def _held(pool: PoolSample) -> float:
    return pool.use_seconds + pool.ping_seconds


def _waits(run: Run, rate: float, hold: float, wait: float, limit: float) -> list[Comparison]:
    if run.holds not in VARIATION or rate * hold >= limit:
        return []
    erlang = erlang_c_wait(rate, hold, int(limit))
    variation = VARIATION[run.holds]
    law = "Erlang-C" if variation == 1 else "Erlang-C × ½ (Allen–Cunneen: fixed holds)"
    predicted = allen_cunneen(erlang, 1.0, variation)
    return [Comparison("wait for a connection, mean", law, wait * 1000, predicted * 1000, "ms")]
