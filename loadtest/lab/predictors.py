"""What formulas say the pool should be, each with where it holds, beside what was measured.

None of them is trusted here: the table tells by how much each was off.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtest.lab import scalability
from loadtest.lab.queueing import erlang_c_quantile, erlang_c_servers, simulate

LARGEST = 500
SHARE = 0.95  # of all waits, that the objective is about


class NotEnoughDataError(ValueError):
    """A prediction needs what was not measured; the message says what."""


@dataclass(frozen=True)
class Workload:
    """What a pool has to carry; rates per second, times in seconds.

    Attributes:
        rate: checkouts of all workers.
        hold: mean time that each takes a connection.
        holds: a sample of these times; may be empty.
        wait: the objective: that SHARE of all waits stay within.
        cores: of the database server, where they are known.
        points: (connections, checkouts per second) of pools that were saturated or not.
    """

    rate: float
    hold: float
    wait: float
    holds: Sequence[float] = ()
    cores: int | None = None
    points: Sequence[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Prediction:
    """A predictor's answer: a number of connections of all workers, or why there is none."""

    name: str
    domain: str
    connections: int | None
    problem: str = ""

    def error(self, measured: int) -> float | None:
        """By how much it is off, as a share of what was *measured*."""
        return None if self.connections is None else self.connections / measured - 1


def little(work: Workload) -> int:
    """λS connections are busy on average (Little 1961)."""
    return max(1, math.ceil(work.rate * work.hold))


def erlang(work: Workload) -> int:
    """The fewest with which enough of the waits meet the objective in M/M/c."""
    return erlang_c_servers(work.rate, work.hold, work.wait, SHARE, LARGEST)


def erlang_with_usl(work: Workload) -> int:
    """The same with a time per checkout that grows with the connections, by the USL's fit."""
    law = _fit(work)
    return _fewest(lambda c: erlang_c_quantile(work.rate, law.service(c), c, SHARE), work.wait)


def usl(work: Workload) -> int:
    """The connections with the highest throughput by the USL's fit, √((1-σ)/κ)."""
    best = _fit(work).best
    if math.isinf(best) or best > LARGEST:
        raise NotEnoughDataError("not enough data: throughput did not fall within what was tried")
    return max(1, round(best))


def twice_the_cores(work: Workload) -> int:
    """2 × cores + 1 (PostgreSQL wiki, "Number Of Database Connections")."""
    if work.cores is None:
        raise NotEnoughDataError("not enough data: nobody said how many cores the server has")
    return 2 * work.cores + 1


def simulation(work: Workload) -> int:
    """The fewest with which enough of simulated waits meet the objective, with measured holds."""
    if not work.holds:
        raise NotEnoughDataError("not enough data: no times of single checkouts")
    return _fewest(lambda c: simulate(work.rate, work.holds, c, SHARE).quantile, work.wait)


PREDICTORS: dict[str, tuple[str, Callable[[Workload], int]]] = {
    "Little": ("a lower bound: no wait is allowed for", little),
    "Erlang-C": ("Poisson arrivals, exponential holds, one shared pool", erlang),
    "Erlang-C with USL": ("and holds that grow with concurrency", erlang_with_usl),
    "simulation": ("Poisson arrivals, holds as measured, one shared pool", simulation),
    "USL": ("closed load: the highest throughput, whatever the wait", usl),
    "2 × cores + 1": ("active connections on a CPU-bound server", twice_the_cores),
}


def predictions(work: Workload) -> list[Prediction]:
    """Ask every predictor."""
    return [_ask(name, domain, ask, work) for name, (domain, ask) in PREDICTORS.items()]


def sample_of(buckets: Sequence[tuple[float, float]], size: int = 2000) -> list[float]:
    """Return times that a cumulative histogram may have come from, spread within its buckets."""
    total = buckets[-1][1] if buckets else 0.0
    if not total:
        return []
    bounds = [0.0, *(bound for bound, _ in buckets if math.isfinite(bound))]
    counts = [0.0, *(count for bound, count in buckets if math.isfinite(bound))]
    places = (np.arange(size) + 0.5) / size * total
    return [float(value) for value in np.interp(places, counts, bounds)]


def _ask(name: str, domain: str, ask: Callable[[Workload], int], work: Workload) -> Prediction:
    try:
        return Prediction(name, domain, ask(work))
    except (ValueError, RuntimeError) as error:  # a fit that does not converge is the latter
        return Prediction(name, domain, None, str(error))


def _fewest(wait_with: Callable[[int], float], wait: float) -> int:
    """Return the smallest size with which the wait is within the objective."""
    if wait < 0:
        raise ValueError(f"expected a wait from 0 on, got {wait}")
    for connections in range(1, LARGEST + 1):
        if wait_with(connections) <= wait:
            return connections
    raise NotEnoughDataError(f"no pool of up to {LARGEST} connections meets the objective")


def _fit(work: Workload) -> scalability.Scalability:
    return scalability.fit(work.points)
