"""How old a replica's data may be: proven by GTIDs, where replication lag only estimates.

The source is asked now and then which transactions it has executed (``gtid_executed``). A replica
that has executed all of them knows everything that was committed before the source was asked, so
its data is at most as old as that moment. That holds for a replica that lags, that is stopped, or
that lost its source, and needs neither privileges nor a table of heartbeats; where replication is
idle, it costs nothing to be up to date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

QUESTIONS = 5  # to each server, while data of the allowed age grows older than that

NEVER = float("-inf")


@dataclass(frozen=True)
class Sample:
    """What the source had executed at *moment*, seconds of the clock, as a GTID set."""

    moment: float
    gtids: str


class Freshness:
    """What is proven about the age of the replicas' data, in this process.

    Any number of threads may use it. They may ask twice what one could have told the other, and
    never believe more than what was proven.

    Args:
        max_lag: how old data may be, seconds.
        clock: tells the time, seconds.
    """

    def __init__(self, max_lag: float, clock: Callable[[], float] = monotonic) -> None:
        self._max_lag = max_lag
        self._every = max_lag / QUESTIONS
        self._clock = clock
        self._samples: tuple[Sample, ...] = ()
        self._proven: dict[str, float] = {}
        self._asked: dict[str, float] = {}

    def question_is_due(self, server: str) -> bool:
        """Whether the caller should ask *server* how far it is; for others, it is not due then."""
        now = self._clock()
        if now - self._asked.get(server, NEVER) < self._every:
            return False
        self._asked[server] = now
        return True

    def sampled(self, sample: Sample) -> None:
        """The source told. A set without transactions proves nothing: it has no GTIDs at all."""
        if sample.gtids:
            self._samples = (sample, *self.samples())

    def samples(self) -> tuple[Sample, ...]:
        """What the source told within the allowed age, the latest first."""
        oldest = self._clock() - self._max_lag
        return tuple(sample for sample in self._samples if sample.moment >= oldest)

    def proved(self, server: str, moment: float) -> None:
        """*server* knows everything that was committed before *moment*."""
        self._proven[server] = max(moment, self._proven.get(server, NEVER))

    def is_fresh(self, server: str) -> bool:
        """Whether the data of *server* is known to be young enough."""
        return self._clock() - self._proven.get(server, NEVER) <= self._max_lag
